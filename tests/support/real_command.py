"""``fedaffect-client`` as a person starts it: in a process of its own, without root's powers."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["command_line", "environment", "run_command"]

ROOT = Path(__file__).parents[2]

_COMMAND = "from client.cli import main; main()"

# Root may read files whose permissions forbid it (capabilities 1 and 2, CAP_DAC_*); a person at a
# clinic may not. What is taken out of the bounding set (prctl 24) is gone after the next exec.
_AS_A_PERSON = """
import ctypes, os, sys
system = ctypes.CDLL(None, use_errno=True)
for capability in (1, 2):
    if os.geteuid() == 0 and system.prctl(24, capability, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up the powers of root")
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""


def command_line(*arguments: object, before: str = "") -> list[str]:
    """What to start; ``before`` is Python code that runs in the process first."""
    words = [str(argument) for argument in arguments]
    return [sys.executable, "-c", _AS_A_PERSON, f"{before}\n{_COMMAND}", *words]


def environment(**more: str) -> Mapping[str, str]:
    """Variables for the process; this repository is imported, from whatever folder it starts in."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def run_command(
    *arguments: object, before: str = "", cwd: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    return subprocess.run(
        command_line(*arguments, before=before),
        env=environment(**variables),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
