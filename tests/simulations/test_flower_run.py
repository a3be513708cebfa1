"""The documented Flower path, for real: `fedaffect-sim sites`, then `flwr run .`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.model_file import read_model_file
from shared.offline import OFFLINE_ENVIRONMENT
from shared.study import load_study

ROOT = Path(__file__).parents[2]
FLWR = Path(sys.executable).with_name("flwr")

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc"),
    pytest.mark.timeout(400),
]


def _processes_naming(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in command:
                found.append(int(entry.name))
    return found


def _end(pids: list[int]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        time.sleep(2)


@pytest.fixture
def flower(tmp_path) -> Iterator[dict[str, str]]:
    """Environment with a Flower home and a port of its own; its SuperLink ends with the test."""
    home = tmp_path / "flwr-home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | OFFLINE_ENVIRONMENT
    environment["PATH"] = f"{FLWR.parent}{os.pathsep}{os.environ['PATH']}"  # flwr starts its peers
    environment |= {"FLWR_HOME": str(home), "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": str(port)}
    yield environment
    _end([pid for pid in _processes_naming(str(home)) if pid != os.getpid()])


def test_flwr_run_trains_the_surrogate_clinics(flower, tmp_path):
    sites = tmp_path / "sites"
    subprocess.run(
        [sys.executable, "-m", "simulations.cli", "sites", "--out", str(sites), "--clinics", "3"],
        check=True,
        capture_output=True,
        cwd=ROOT,
        timeout=120,
    )
    # Only what a checkout holds: the app bundle leaves out whatever git ignores.
    app = tmp_path / "app"
    app.mkdir()
    for name in ("pyproject.toml", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, app / name)
    for room in ("shared", "client", "server"):
        shutil.copytree(ROOT / room, app / room, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [
            *(str(FLWR), "run", ".", "local", "--stream"),
            *("--federation-config", "num-supernodes=3"),
            *("-c", f'study="{sites / "study.toml"}"'),
        ],
        capture_output=True,
        text=True,
        cwd=app,
        env=flower | {"FEDAFFECT_SITES": str(sites)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = sites.glob("model-*.json")
    released = read_model_file(written)
    assert released.study == load_study(sites / "study.toml")
    assert released.model.study == released.study.digest
    assert len(released.model.direction) == 78
    assert released.model.epsilon == released.study.epsilon
