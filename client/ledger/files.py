"""Where a ledger's files are, who may touch them now, and how a full disk is reported."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import filelock

from client.ledger.chain import Chain, line_digest, read_chain
from client.ledger.counter import Counter, default_state_folder, read_counter
from client.ledger.disk import Disk
from shared.errors import InputError, LedgerError

__all__ = [
    "Clock",
    "LedgerFiles",
    "contribution_path",
    "contributions_folder",
    "disk_refusals",
    "utc_now",
]

Clock = Callable[[], datetime]

_LEDGER: Final = "ledger.jsonl"
_LOCK: Final = ".ledger.lock"
_OWNER_ONLY: Final = 0o600
_POLL_S: Final = 0.02


def contributions_folder(folder: Path, study: str) -> Path:
    """Folder of a study's stored contributions in a site folder."""
    return folder / "studies" / study / "contributions"


def contribution_path(folder: Path, study: str, round_number: int) -> Path:
    """File that keeps the bytes of one contribution, so that it can be sent again."""
    return contributions_folder(folder, study) / f"round-{round_number:04d}.bin"


@contextlib.contextmanager
def disk_refusals(what: str) -> Iterator[None]:
    """Turn a refusal by the system into a message without a path, since it may travel."""
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"{what} ({error.strerror or type(error).__name__}); nothing was released. Check that "
            "the site folder and the state folder are writable and have room, then try again"
        ) from error


def utc_now() -> datetime:
    """Time now, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class LedgerFiles:
    """The files of one ledger.

    Attributes
    ----------
    folder : Path
        Site folder.
    state_folder : Path
        Folder of the counters, outside the site folder.
    clock : callable
        Time now, with a time zone.
    timeout_s : float
        How long to wait for another process or thread.
    disk : Disk
    """

    folder: Path
    state_folder: Path = field(default_factory=default_state_folder)
    clock: Clock = utc_now
    timeout_s: float = 60.0
    disk: Disk = field(default_factory=Disk)

    def __post_init__(self) -> None:
        if self.state_folder.resolve().is_relative_to(self.folder.resolve()):
            raise InputError(
                f"state folder {self.state_folder} lies in the site folder {self.folder}; a copy "
                "of the site would copy the ledger's counter with it. Choose a folder outside"
            )

    @property
    def ledger(self) -> Path:
        """The ledger."""
        return self.folder / _LEDGER

    def beside(self, content: bytes, why: str) -> Path:
        """File beside the ledger that keeps bytes taken out of it."""
        return self.folder / f"{_LEDGER}.{line_digest(content)[:12]}.{why}"

    def counter(self, ledger_id: str) -> Path:
        """Counter of a ledger."""
        return self.state_folder / f"ledger-{ledger_id}.json"

    def read(self) -> bytes | None:
        """Bytes of the ledger; None when there is none."""
        with disk_refusals("the privacy ledger could not be read"):
            try:
                return self.ledger.read_bytes()
            except FileNotFoundError:
                return None

    def read_counter(self, ledger_id: str) -> Counter | None:
        """Read the counter of a ledger; None when there is none that can be read."""
        with disk_refusals("the ledger's counter could not be read"):
            return read_counter(self.counter(ledger_id))

    def write_counter(self, chain_events: int, head: str, ledger_id: str, clinic: str) -> None:
        """Bring the counter up to date.

        Raises
        ------
        OSError
            When the system refuses.
        """
        counter = Counter(
            ledger=ledger_id,
            clinic=clinic,
            folder=str(self.folder.resolve()),
            events=chain_events,
            head=head,
        )
        self.disk.replace(self.counter(ledger_id), counter.to_bytes())

    def advance(self, chain: Chain) -> None:
        """Bring the counter up to a whole chain."""
        created = chain.created
        with disk_refusals("the ledger's counter could not be written"):
            self.write_counter(len(chain.entries), chain.head, created.ledger, created.clinic)

    def refuse_second_ledger(self, ledger_id: str | None) -> None:
        """Refuse when this folder is known to have held another ledger that was in use.

        Raises
        ------
        LedgerError
            Naming the other ledger's counter.
        """
        here = str(self.folder.resolve())
        with disk_refusals("the state folder could not be read"):
            for path in sorted(self.state_folder.glob("ledger-*.json")):
                other = read_counter(path)
                if (
                    other is not None
                    and other.folder == here
                    and other.events > 1
                    and other.ledger != ledger_id
                ):
                    raise LedgerError(
                        f"this site folder held another privacy ledger, of clinic "
                        f"{other.clinic!r} with {other.events} events; a new one would forget what "
                        "it spent. Restore its newest export with `fedaffect-client ledger "
                        f"restore`. Only if it was a trial without real participants, delete {path}"
                    )

    @contextlib.contextmanager
    def site_lock(self) -> Iterator[None]:
        """Exclude every other thread and process from this site folder's ledger."""
        with self._lock(self.folder / _LOCK):
            yield

    @contextlib.contextmanager
    def counter_lock(self, ledger_id: str) -> Iterator[None]:
        """Exclude a copy of this ledger in another folder; taken after the site's lock."""
        with disk_refusals("the state folder could not be made"):
            self.state_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock(self.counter(ledger_id).with_suffix(".lock")):
            yield

    def read_chain(self) -> Chain:
        """Verify the ledger.

        Raises
        ------
        LedgerError
            When there is none. Faults of its content stand in the result.
        """
        content = self.read()
        if content is None:
            raise LedgerError(
                "this site folder holds no privacy ledger. A new site gets one when it is set up; "
                "if there was one, restore its newest export with `fedaffect-client ledger restore`"
            )
        return read_chain(content)

    @contextlib.contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        lock = filelock.FileLock(
            path, timeout=self.timeout_s, mode=_OWNER_ONLY, poll_interval=_POLL_S
        )
        with disk_refusals("the ledger's lock could not be taken"):
            try:
                lock.acquire()
            except filelock.Timeout:
                raise LedgerError(
                    "another program has been using this clinic's privacy ledger for "
                    f"{self.timeout_s:g} s; wait until it ends, or close it, and try again"
                ) from None
        try:
            yield
        finally:
            lock.release()
