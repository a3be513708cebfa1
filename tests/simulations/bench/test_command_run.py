import os
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.errors import FedaffectError
from simulations.bench.command_run import run_command_alone

MEBI = 2**20

MODULES = {
    "light": "import sys; assert sys.argv[1:] == ['a', '--b'], sys.argv",
    "heavy": "held = bytearray(int(__import__('sys').argv[1])); held[::4096] = held[::4096]",
    "with_worker": (
        "import subprocess, sys\n"
        "size = sys.argv[1]\n"
        "subprocess.run([sys.executable, '-m', 'heavy', size], check=True)"
    ),
    "busy": "import time\nwhile time.process_time() < 0.3: pass",
    "busy_worker": (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'busy'], check=True)"
    ),
    "good_exit": "import sys; sys.exit(0)",
    "bad_exit": "import sys; print('what was wrong', file=sys.stderr); sys.exit(2)",
    "raises": "raise RuntimeError('what was wrong')",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in MODULES.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)


def test_its_own_memory_and_no_one_elses() -> None:
    here = np.ones(300 * MEBI, np.uint8)
    light = run_command_alone("light", ["a", "--b"])
    del here
    if sys.platform == "win32":
        assert light.peak_bytes is None
        return
    heavy = run_command_alone("heavy", [str(200 * MEBI)])
    assert light.peak_bytes is not None
    assert heavy.peak_bytes is not None
    assert light.peak_bytes < 150 * MEBI
    assert 190 * MEBI < heavy.peak_bytes - light.peak_bytes < 215 * MEBI


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_a_worker_counts() -> None:
    alone = run_command_alone("light", ["a", "--b"]).peak_bytes
    both = run_command_alone("with_worker", [str(200 * MEBI)]).peak_bytes
    assert alone is not None
    assert both is not None
    assert both - alone > 200 * MEBI


@pytest.mark.parametrize("name", ["busy", "busy_worker"])
def test_cpu_time_of_the_process_and_its_workers(name: str) -> None:
    busy = run_command_alone(name, [])
    assert busy.cpu_s >= 0.29
    assert busy.wall_s > 0


def test_an_exit_with_0_is_well() -> None:
    assert run_command_alone("good_exit", []).wall_s > 0


@pytest.mark.parametrize(("name", "code"), [("bad_exit", 2), ("raises", 1)])
def test_a_failure_is_told_with_its_message(name: str, code: int) -> None:
    with pytest.raises(FedaffectError, match=f"{name}` left with exit code {code}: ") as raised:
        run_command_alone(name, [])
    assert "what was wrong" in str(raised.value)
