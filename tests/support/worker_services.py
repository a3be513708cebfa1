"""What worker processes do in tests; here, because a worker imports it by name."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from client.extraction.workers import WorkerPool
from shared.errors import InputError


@dataclass(frozen=True)
class Commands:
    """Does what a task says: pid; count n; sleep s; signal n, to itself; exit n; meet
    folder: wait there for another worker that does the same.
    """

    def open(self):
        return _obey


def _obey(task, report):
    what, *value = task
    if what == "count":
        for number in range(value[0]):
            report(number)
    elif what == "sleep":
        time.sleep(value[0])
    elif what == "signal":
        os.kill(os.getpid(), value[0])
    elif what == "exit":
        os._exit(value[0])
    elif what == "meet":
        (value[0] / str(os.getpid())).touch()
        while len(list(value[0].iterdir())) < 2:
            time.sleep(0.01)
    return os.getpid()


@dataclass(frozen=True)
class Refuses:
    """Cannot be opened."""

    def open(self):
        raise InputError("no such network; name another")


@dataclass(frozen=True)
class DiesAtStart:
    """Dies while it is opened, and leaves a line in a file each time."""

    starts: Path

    def open(self):
        with self.starts.open("a") as file:
            file.write("x\n")
        os._exit(7)


def _sleep_long() -> None:
    """Program: two workers sleep; their pids are printed. Ctrl-C does nothing to it."""
    signal.signal(signal.SIGINT, lambda *_: None)
    print("starts", flush=True)
    with WorkerPool(Commands(), jobs=2) as pool:
        pool.add(("sleep", 100))
        pool.add(("sleep", 100))
        for _ in pool.events():
            pids = [worker._process.pid for worker in pool._workers if worker.is_ready]
            if len(pids) == 2:
                print(*pids, flush=True)
                time.sleep(100)


if __name__ == "__main__":
    sys.exit(_sleep_long())
