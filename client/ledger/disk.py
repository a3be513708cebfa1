"""Writes that have reached the disk when they return.

``shared/files.py`` keeps a reader from seeing half a file. A ledger needs more: what was written
must survive a power cut one instruction later, so the folder is synced too, and a failed append
must not leave a line behind. Every system call that changes the disk is a method of its own, so
that a test can stop the program before, after or in the middle of each.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

from shared.errors import LedgerError

if sys.platform == "darwin":
    import fcntl

__all__ = ["Disk"]

_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would turn newlines into two bytes
_OWNER_ONLY: Final = 0o600
_OWNER_ONLY_FOLDER: Final = 0o700


class Disk:
    """The disk, as the ledger uses it. Holds no state."""

    def append(self, path: Path, data: bytes, *, at: int) -> None:
        """Append and sync; on a refusal by the system, take back what was written.

        Parameters
        ----------
        at : int
            Length the file must have, bytes.

        Raises
        ------
        LedgerError
            When the file has another length: someone else writes to it.
        OSError
            When the system refuses. The file then ends at ``at`` or, if even that failed, in an
            unfinished line.
        """
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | _BINARY)
        try:
            if os.fstat(handle).st_size != at:
                raise LedgerError(
                    "the privacy ledger changed while it was in use by this program; close every "
                    "other program that opened it and try again"
                )
            try:
                self._write_all(handle, data)
                self.sync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    self.truncate(handle, at)
                    self.sync(handle)
                raise
        finally:
            os.close(handle)

    def replace(self, path: Path, data: bytes) -> None:
        """Give ``path`` this content as a whole, readable by its owner only.

        The temporary file has a fixed name, so an interrupted attempt leaves nothing that the next
        does not overwrite; callers hold the ledger's lock.

        Raises
        ------
        OSError
            When the system refuses; ``path`` is then as it was, or complete.
        """
        self._make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.part")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, _OWNER_ONLY)
        try:
            self._write_all(handle, data)
            self.sync(handle)
        finally:
            os.close(handle)
        self.rename(temporary, path)
        self.sync_folder(path.parent)

    def write(self, handle: int, data: bytes) -> int:
        """Write some of ``data``; return how many bytes."""
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        """Wait until a file's content is on the disk."""
        if sys.platform == "darwin":
            # fsync on macOS stops at the drive's cache; this goes through it.
            with contextlib.suppress(OSError):
                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
                return
        os.fsync(handle)

    def truncate(self, handle: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(handle, size)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, replacing what had it."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Wait until a folder's names are on the disk."""
        if os.name == "nt":
            return  # a folder cannot be opened there; NTFS journals its names
        handle = os.open(folder, os.O_RDONLY)
        try:
            self.sync(handle)
        finally:
            os.close(handle)

    def _write_all(self, handle: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(handle, bytes(rest)) :]

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
        self.sync_folder(folder.parent)
