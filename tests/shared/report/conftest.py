import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.report import render_report
from shared.report.document import Report
from tests.support.example_report import complete_report, real_cohort_report, withheld_report

EXAMPLES = {"full": complete_report, "withheld": withheld_report, "real": real_cohort_report}


@pytest.fixture(scope="session")
def examples() -> dict[str, Report]:
    return {name: make() for name, make in EXAMPLES.items()}


@pytest.fixture(scope="session")
def pages(examples: dict[str, Report]) -> dict[str, str]:
    return {name: render_report(report) for name, report in examples.items()}


@pytest.fixture(scope="session")
def files(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra dev has playwright")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()
