"""Making and opening a clinic's privacy ledger.

Nothing is kept in memory between two uses: whoever wants to know or change anything locks the
ledger, which reads and verifies all of it, compares it with the counter, and excludes every other
thread and process until done.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from client.ledger.book import Book
from client.ledger.chain import encode_line, line_digest
from client.ledger.counter import compare, default_state_folder
from client.ledger.disk import Disk
from client.ledger.events import LedgerCreated
from client.ledger.files import Clock, LedgerFiles, disk_refusals, utc_now
from shared.errors import LedgerError

__all__ = ["Ledger", "create_ledger", "open_ledger"]

_NO_PREVIOUS = "0" * 64


class Ledger:
    """A clinic's privacy ledger; may be shared between threads."""

    def __init__(self, files: LedgerFiles) -> None:
        self._files = files

    @property
    def files(self) -> LedgerFiles:
        """Where it is."""
        return self._files

    @contextlib.contextmanager
    def locked(self) -> Iterator[Book]:
        """Verify the ledger and hold it alone.

        The lock is not reentrant: lock once and pass the book on.

        Raises
        ------
        LedgerError
            When another program holds it too long; when a line is torn, edited or unknown; when
            the ledger was rolled back; when there is no counter on this computer.
        """
        with self._files.site_lock():
            chain = self._files.read_chain()
            chain.require_intact()
            ledger_id = chain.created.ledger
            with self._files.counter_lock(ledger_id):
                if compare(chain, self._files.read_counter(ledger_id)):
                    self._files.advance(chain)
                book = Book(chain, self._files)
                try:
                    yield book
                finally:
                    book.end()


def create_ledger(
    folder: Path,
    clinic: str,
    *,
    state_folder: Path | None = None,
    clock: Clock = utc_now,
    disk: Disk | None = None,
) -> Ledger:
    """Begin a clinic's ledger.

    Parameters
    ----------
    folder : Path
        Site folder; made when missing.
    clinic : str
    state_folder : Path, optional
        Folder of the counter, outside the site folder. Default: this user's
        (:func:`client.ledger.counter.default_state_folder`).
    clock : callable
        Time now, with a time zone.

    Raises
    ------
    LedgerError
        When this folder has a ledger, or is known to have had one that was in use.
    InputError
        When the state folder lies in the site folder.
    """
    files = _files(folder, state_folder, clock, disk)
    with disk_refusals("the site folder could not be made"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with files.site_lock():
        if files.read() is not None:
            raise LedgerError(
                "this site folder has a privacy ledger already; it is made once and kept for ever"
            )
        files.refuse_second_ledger(None)
        created = LedgerCreated(ledger=secrets.token_hex(16), clinic=clinic)
        line = encode_line(1, clock(), _NO_PREVIOUS, created)
        with files.counter_lock(created.ledger), disk_refusals("the ledger could not be written"):
            # Counter first: a ledger of one line without a counter then always is one that moved
            # here, and a counter without a ledger harms nobody.
            files.write_counter(1, line_digest(line[:-1]), created.ledger, clinic)
            files.disk.replace(files.ledger, line)
    return Ledger(files)


def open_ledger(
    folder: Path,
    *,
    state_folder: Path | None = None,
    clock: Clock = utc_now,
    timeout_s: float = 60.0,
    disk: Disk | None = None,
) -> Ledger:
    """Open a clinic's ledger; its content is verified whenever it is locked.

    Parameters
    ----------
    folder, state_folder, clock
        As for :func:`create_ledger`.
    timeout_s : float
        How long to wait for another process or thread.

    Raises
    ------
    LedgerError
        When there is none.
    """
    files = _files(folder, state_folder, clock, disk, timeout_s)
    if not files.ledger.exists():
        files.read_chain()
    return Ledger(files)


def _files(
    folder: Path,
    state_folder: Path | None,
    clock: Clock,
    disk: Disk | None,
    timeout_s: float = 60.0,
) -> LedgerFiles:
    return LedgerFiles(
        folder=folder,
        state_folder=state_folder if state_folder is not None else default_state_folder(),
        clock=clock,
        timeout_s=timeout_s,
        disk=disk if disk is not None else Disk(),
    )
