"""How many recordings this computer reads well at once, and with how many threads each."""

from typing import Final, NamedTuple

from client.doctor.machine import memory, usable_cores
from shared.errors import InputError

__all__ = ["Capacity", "Plan", "capacity", "plan_jobs"]

_CORES_A_JOB: Final = 1.3
"""Decoding keeps one thread busy, and the network beside it a part of another."""
_MOST_JOBS: Final = 256
_BYTES_A_JOB: Final = 1 << 30
_BYTES_FOR_OTHERS: Final = 1 << 30
_MOST_THREADS: Final = 4
"""Decoding sets the pace; more streams of the network would wait for it."""


class Capacity(NamedTuple):
    """What is there: cores that this program may use, and bytes of free memory, if it is known."""

    cores: int
    free_bytes: int | None


class Plan(NamedTuple):
    """Recordings at once, and CPU threads of the network for each."""

    jobs: int
    threads: int


def capacity() -> Capacity:
    """What this computer has now."""
    total, available = memory()
    # Some systems tell only how much there is in all; half of it is a careful guess.
    return Capacity(usable_cores(), total // 2 if available is None and total else available)


def plan_jobs(
    recordings: int, there: Capacity, *, jobs: str = "auto", threads: int | None = None
) -> Plan:
    """Jobs and threads that were asked, or fit.

    Parameters
    ----------
    recordings : int
        How many are to be read.
    there : Capacity
    jobs : str
        A number >= 1, or "auto": as many as have 1.3 cores and 1 GiB of free memory each.
    threads : int, optional
        For each job; as many as its share of the cores if not given, four at most.

    Raises
    ------
    InputError
        When ``jobs`` is neither.
    """
    if jobs == "auto":
        count = int(there.cores / _CORES_A_JOB)
        if there.free_bytes is not None:
            count = min(count, (there.free_bytes - _BYTES_FOR_OTHERS) // _BYTES_A_JOB)
    elif jobs.isascii() and jobs.isdigit() and 1 <= int(jobs[:4]) <= _MOST_JOBS:
        count = int(jobs)
    else:
        raise InputError(
            f"--jobs {jobs} asked; auto, or a number from 1 to {_MOST_JOBS}, is possible"
        )
    count = max(min(count, recordings), 1)
    return Plan(count, threads or max(1, min(there.cores // count, _MOST_THREADS)))
