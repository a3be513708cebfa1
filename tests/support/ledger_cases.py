"""Ledgers to test with: plans, sites, and disks that stop, fill up or lose what was not synced."""

import errno
import hashlib
import itertools
import math
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NoReturn

from client.ledger import (
    Ledger,
    Limit,
    PlannedRelease,
    StudyOpened,
    contribute_once,
    create_ledger,
    open_ledger,
)
from client.ledger.disk import Disk
from client.ledger.files import LedgerFiles

LIMIT = Limit(4.0, 1e-5)
CHILDREN = ("P01", "P02", "P03")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plan(share: float = 1.0, rounds: int = 4, limit: Limit = LIMIT) -> tuple[PlannedRelease, ...]:
    """A plan that uses this share of the limit's mu^2: 85 % in gradients, 15 % in a threshold."""
    gradient = math.sqrt(rounds / (0.85 * share)) / limit.mu
    threshold = 1 / (limit.mu * math.sqrt(0.15 * share))
    return (
        *(
            PlannedRelease(round=number, kind="gradient", sigma=gradient)
            for number in range(1, rounds + 1)
        ),
        PlannedRelease(round=rounds + 1, kind="threshold", sigma=threshold),
    )


def opening(name: str = "study", share: float = 0.3, **fields) -> StudyOpened:
    return StudyOpened(
        **{
            "study": digest(name),
            "title": name,
            "plan_digest": digest("plan"),
            "constants_digest": digest("constants"),
            "code_version": "fedaffect 0.1.0",
            "clinics": 3,
            "collusion_margin": 1,
            "roster": ("north", "south", "west"),
            "grid": 65536,
            "participants": CHILDREN,
            "data_digest": digest("data"),
            "releases": plan(share),
            **fields,
        }
    )


def clock_from(start: datetime = datetime(2027, 3, 1, 9, tzinfo=UTC)) -> Callable[[], datetime]:
    seconds = itertools.count()
    return lambda: start + timedelta(seconds=next(seconds))


def answer_to(study: str, round_number: int, asked: str = "weights") -> bytes:
    """The contribution of this site: the same question gives the same bytes."""
    return hashlib.sha512(f"{study} {round_number} {asked}".encode()).digest() * 8


@dataclass
class Site:
    """A site folder with its state folder beside it, as two paths of one test."""

    base: Path
    created: list[tuple[int, str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.base / "site"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def ledger_file(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def counter_file(self) -> Path:
        (found,) = self.state.glob("ledger-*.json")
        return found

    def files(self, disk: Disk | None = None) -> LedgerFiles:
        return LedgerFiles(self.folder, self.state, clock_from(), disk=disk or Disk())

    def create(self, disk: Disk | None = None) -> Ledger:
        return create_ledger(
            self.folder, "north", state_folder=self.state, clock=clock_from(), disk=disk
        )

    def open(self, disk: Disk | None = None, timeout_s: float = 20) -> Ledger:
        return open_ledger(
            self.folder, state_folder=self.state, clock=clock_from(), disk=disk, timeout_s=timeout_s
        )

    def approve(self, name: str = "study", share: float = 0.3, **fields) -> StudyOpened:
        opened = opening(name, share, **fields)
        with self.open().locked() as book:
            book.open_study(opened, LIMIT)
        return opened

    def contribute(
        self,
        round_number: int,
        *,
        opened: StudyOpened | None = None,
        asked: str = "weights",
        disk: Disk | None = None,
        ledger: Ledger | None = None,
        **changes,
    ) -> tuple[bytes, str]:
        opened = opened or opening()
        planned = opened.releases[min(max(round_number, 1), len(opened.releases)) - 1]

        def create() -> bytes:
            self.created.append((round_number, asked))
            return answer_to(opened.study, round_number, asked)

        return contribute_once(
            ledger or self.open(disk),
            self.folder,
            **{
                "study": opened.study,
                "round_number": round_number,
                "kind": planned.kind,
                "sigma": planned.sigma,
                "input_digest": digest(asked),
                "create": create,
                **changes,
            },
        )

    def head(self) -> str:
        with self.open().locked() as book:
            return book.head

    def spent(self, participant: str = "P01") -> float:
        with self.open().locked() as book:
            return book.spent(participant)


class Stopped(BaseException):
    """The program ended here; no handler for ordinary errors sees it."""


def stop() -> NoReturn:
    raise Stopped


def disk_full() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


Moment = Literal["before", "half", "after"]


class SteppedDisk(Disk):
    """A disk that does something at its n-th change, and from then on if it is to last."""

    def __init__(
        self,
        act: Callable[[], NoReturn] = stop,
        at: int = 0,
        moment: Moment = "before",
        lasting: bool = False,
    ) -> None:
        self._act, self._at, self._moment, self._lasting = act, at, moment, lasting
        self.steps = 0
        self.writes: set[int] = set()
        """Steps that can end half way; a sync or a renaming cannot."""

    def _now(self) -> bool:
        self.steps += 1
        return self.steps == self._at or (self._lasting and 0 < self._at < self.steps)

    def write(self, handle: int, data: bytes) -> int:
        self.writes.add(self.steps + 1)
        if not self._now():
            return super().write(handle, data)
        if self._moment == "half":
            super().write(handle, data[: len(data) // 2])
        elif self._moment == "after":
            super().write(handle, data)
        self._act()

    def sync(self, handle: int) -> None:
        self._around(lambda: super(SteppedDisk, self).sync(handle))

    def truncate(self, handle: int, size: int) -> None:
        self._around(lambda: super(SteppedDisk, self).truncate(handle, size))

    def rename(self, source: Path, target: Path) -> None:
        self._around(lambda: super(SteppedDisk, self).rename(source, target))

    def _around(self, change: Callable[[], None]) -> None:
        if not self._now():
            change()
            return
        if self._moment == "after":
            change()
        self._act()


class PowerCut(SteppedDisk):
    """Stops like the others; :meth:`lose` then leaves what a power cut would leave on the disk.

    A file keeps the bytes it had when it was last synced, and a folder the names it had when it was
    last synced. ``known`` are the folders whose files are followed.
    """

    def __init__(self, *known: Path, at: int = 0, moment: Moment = "before") -> None:
        super().__init__(at=at, moment=moment)
        self._content: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        self._folders: dict[Path, set[str]] = {}
        for top in known:
            for folder in (top, *(path for path in top.rglob("*") if path.is_dir())):
                self._remember_names(folder)
                for path in folder.iterdir():
                    if path.is_file():
                        self._content[path.stat().st_ino] = path.read_bytes()

    def sync(self, handle: int) -> None:
        super().sync(handle)
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode):
            # The handle is open for writing only; /proc opens the same file for reading.
            self._content[found.st_ino] = Path(f"/proc/self/fd/{handle}").read_bytes()

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._remember_names(folder)

    def _remember_names(self, folder: Path) -> None:
        entries = list(folder.iterdir())
        self._names[folder] = {p.name: p.stat().st_ino for p in entries if p.is_file()}
        self._folders[folder] = {path.name for path in entries if path.is_dir()}
        for name in self._folders[folder]:
            # A new folder is there and empty until it is synced itself.
            self._names.setdefault(folder / name, {})
            self._folders.setdefault(folder / name, set())

    def lose(self) -> None:
        for folder, names in self._names.items():
            for path in list(folder.iterdir()) if folder.exists() else []:
                if path.is_dir():
                    if path.name not in self._folders[folder]:
                        shutil.rmtree(path)
                elif path.suffix != ".lock":
                    path.unlink()
            for name, inode in names.items():
                if folder.exists() and not name.endswith(".lock"):
                    (folder / name).write_bytes(self._content.get(inode, b""))
