"""What all tests share: no network, one thread, reference data, and no silent skips in CI."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
import torch

from shared.offline import stay_offline

stay_offline()
torch.set_num_threads(1)
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")
sys.path.insert(0, str(Path(__file__).parent / "support"))


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
