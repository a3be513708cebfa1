"""Only one run at a time writes the files of a participant.

The lock belongs to the operating system and dies with the process that holds it, however that ends.
Temporary files that a killed run left behind are taken away under it: whoever holds the lock knows
that nobody is writing them.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import filelock

from shared.errors import InputError

__all__ = ["clear_leftovers", "participant_lock"]

_PATIENCE_S: Final = 0.5
"""The end of another run takes its lock file away, which looks for a moment as if it were held."""


@contextlib.contextmanager
def participant_lock(folder: Path, participant: str) -> Iterator[None]:
    """Hold a participant's lock, the file ``.NAME.lock``, for the length of the block.

    Parameters
    ----------
    folder : Path
        Of the attribute files; made when missing.
    participant : str

    Raises
    ------
    InputError
        When another run holds it.
    OSError
        When the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = _lock_file(folder, participant)
    lock = filelock.FileLock(file, timeout=_PATIENCE_S, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            "being read by another run; let that one finish, then run the command again"
        ) from None
    try:
        _remove_temporary_files(folder, participant)
        yield
    finally:
        # While it is held, so that a run that waits for it sees that the file has no name any more.
        # Windows removes no file that is open.
        if sys.platform != "win32":
            _unlink(file)
        lock.release()
        if sys.platform == "win32":
            _unlink(file)


def clear_leftovers(folder: Path, participant: str) -> None:
    """Take away what a killed run left of a participant's temporary files, unless one is running.

    Finished stretches are no leftovers; they stay.
    """
    # A run that was killed never took its lock file away. A name too long for the disk has none.
    with contextlib.suppress(InputError, OSError):
        if _lock_file(folder, participant).exists():
            with participant_lock(folder, participant):
                pass


def _lock_file(folder: Path, participant: str) -> Path:
    return folder / f".{participant}.lock"


def _unlink(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def _remove_temporary_files(folder: Path, participant: str) -> None:
    # As shared/files.py names them; no other participant's name can match.
    leftover = re.compile(rf"\.{re.escape(participant)}\.parquet\.[^.]+\.part")
    for file in list(folder.iterdir()):
        if leftover.fullmatch(file.name):
            file.unlink(missing_ok=True)
