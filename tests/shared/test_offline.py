import os
import subprocess
import sys

from shared.offline import OFFLINE_ENVIRONMENT, stay_offline


def test_switches_reach_this_process_and_its_children(monkeypatch):
    for name in OFFLINE_ENVIRONMENT:
        monkeypatch.setenv(name, "something else")
    stay_offline()
    assert {name: os.environ[name] for name in OFFLINE_ENVIRONMENT} == OFFLINE_ENVIRONMENT
    program = f"import os; print(*(os.environ[name] for name in {list(OFFLINE_ENVIRONMENT)}))"
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == list(OFFLINE_ENVIRONMENT.values())


def test_flower_knows_these_switches():
    # A renamed switch would leave Flower talking without a word of warning.
    from flwr.common.constant import FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION
    from flwr.supercore import constant, telemetry

    assert telemetry.FLWR_TELEMETRY_ENABLED == "0"
    assert constant.FLWR_DISABLE_UPDATE_CHECK in OFFLINE_ENVIRONMENT
    assert FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION in OFFLINE_ENVIRONMENT
