"""One run of a command as its user runs it: in processes of its own, with their peak memory.

The peak is the kernel's high-water mark of the command's own memory (VmHWM), added to that of its
largest worker. ``ru_maxrss`` alone would not do on Linux: a process inherits the mark of the one it
was started from, and this one may be large.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.errors import FedaffectError

__all__ = ["CommandRun", "run_command_alone"]


class CommandRun(NamedTuple):
    """One finished run with its workers, start and imports included.

    Attributes
    ----------
    wall_s, cpu_s : float
    peak_bytes : int or None
        Most memory that it and its largest worker had; None where the system does not tell.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int | None


def run_command_alone(module: str, arguments: Sequence[str]) -> CommandRun:
    """Run ``python -m module arguments`` and measure it.

    Parameters
    ----------
    module : str
        Importable, runs as a program.
    arguments : sequence of str

    Raises
    ------
    FedaffectError
        When it leaves with an exit code other than 0; with the end of what it printed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "usage.json"
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(report), module, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s = time.perf_counter() - started
        if done.returncode:
            raise FedaffectError(
                f"`python -m {module}` left with exit code {done.returncode}: "
                + (done.stderr or done.stdout)[-400:].strip()
            )
        usage = json.loads(report.read_text(encoding="utf-8"))
        return CommandRun(wall_s, usage["cpu_s"], usage["peak_bytes"])


def _peak_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    # Kilobytes, except on macOS, where they are bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                own = int(line.split()[1]) * 1024
    return own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def _main() -> None:
    report, module = Path(sys.argv[1]), sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # User and system time, of this process and of the workers it has waited for.
        usage = {"cpu_s": sum(os.times()[:4]), "peak_bytes": _peak_bytes()}
        report.write_text(json.dumps(usage), encoding="utf-8")


if __name__ == "__main__":
    _main()
