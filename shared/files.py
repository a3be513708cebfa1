"""Write a file whole or not at all, and name its content by hash.

A reader never sees half a file: bytes go to a temporary file in the same folder, are fsynced, and
the name is switched by one rename (POSIX rename, atomic on one file system).
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_path", "sha256_of", "sync_folder", "write_atomic"]


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``target`` when the block ends without an error.

    Parameters
    ----------
    target : Path
        Final name; its folder is created when missing. The file is readable by its owner only.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system offers that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write ``content`` to ``target`` so that no reader ever sees a part of it."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
