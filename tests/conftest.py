"""What all tests share: no network, one thread, no trace in the home folder, reference data, and no
silent skips in CI.
"""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import torch

from shared.offline import stay_offline

if TYPE_CHECKING:
    from deployed import Deployed

stay_offline()
torch.set_num_threads(1)
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")
sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(scope="session", autouse=True)
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Counters of the clinics' ledgers lie outside the site folders, in tests as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDAFFECT_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Deployed":
    """Three clinics with site folders, keys and ledgers of their own, and a coordinator."""
    from deployed import Deployed

    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FEDAFFECT_SITES", str(tmp_path / "sites"))
    return Deployed(tmp_path)


@pytest.fixture
def any_header_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of rounds differ each time they are written, as far as their format leaves it open."""
    from server import journal

    real, written = journal.save, set()

    def save(*content: object) -> bytes:
        for _ in range(60):
            made = bytes(real(*content))
            if made not in written:
                break
        written.add(made)
        return made

    monkeypatch.setattr(journal, "save", save)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of public data sets and recordings that are not part of the repository."""
    folder = os.environ.get("FEDAFFECT_DATA")
    if not folder:
        pytest.skip("FEDAFFECT_DATA is not set: no reference data")
    return Path(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything a test needs is there, a skipped test hides a fault: only a GPU may lack."""
    report = yield
    reason = str(report.longrepr)
    if os.environ.get("FEDAFFECT_NO_SKIPS") and report.skipped and "GPU" not in reason:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which this run does not allow: {reason}"
    return report
