"""Reading and checking options that several commands share."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from shared.console import stderr
from shared.errors import InputError

__all__ = [
    "check_choice",
    "check_delta",
    "check_out",
    "command_line",
    "parse_epsilons",
    "progress_bar",
]


def parse_epsilons(text: str) -> tuple[float, ...]:
    """Read privacy budgets separated by commas.

    Raises
    ------
    InputError
        When one of them is not a number above 0 and at most 100, or stands twice.
    """
    try:
        epsilons = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--epsilon {text!r} asked; give numbers separated by commas, such as 8,4,2,1"
        ) from None
    if len(set(epsilons)) != len(epsilons) or not all(0 < e <= 100 for e in epsilons):
        raise InputError(
            f"--epsilon {text!r} asked; each budget must be above 0 and at most 100, and stand "
            "once (4 or 8 are usual)"
        )
    return epsilons


def check_delta(delta: float, participants: int) -> None:
    """Refuse a delta that makes the promise empty."""
    if not 0 < delta < 1 / participants:
        raise InputError(
            f"--delta {delta:g} asked for {participants} participants; it must lie between 0 and "
            f"1/{participants} = {1 / participants:.2g} (1e-5 is usual)"
        )


def check_out(out: Path) -> None:
    """Refuse, before any work, an output folder that is a file."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")


def check_choice(option: str, given: str, allowed: Sequence[str]) -> None:
    """Refuse a value that is none of the allowed ones."""
    if given not in allowed:
        raise InputError(f"{option} {given!r} asked; choose one of {', '.join(allowed)}")


def command_line() -> str:
    """Return the command as it was typed, for the provenance of what it writes."""
    return shlex.join(["fedaffect-sim", *sys.argv[1:]])


def progress_bar() -> Progress:
    """Return a bar with counts and times, on stderr so that results can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
    )
