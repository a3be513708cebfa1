"""The folder that results go to: room, rights, what the file system can do, who copies it away."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Final

import filelock

from client.doctor.ladder import Found
from client.ledger.disk import Disk

__all__ = [
    "ATTRIBUTES_BYTES",
    "check_file_system",
    "check_rights",
    "check_space",
    "check_synced",
    "synced_by",
]

ATTRIBUTES_BYTES: Final = 2_000_000
"""One recording of 6.5 minutes: 1 MB at most, and as much again while it is being read."""
_SPARE_BYTES: Final = 500_000_000
"""Room that a system needs to go on working, and for tables, reports and the ledger."""

_SYNCED_NAMES: Final = {
    # Beginning of a folder's name in lower case, and the service that copies it.
    "onedrive": "OneDrive",
    "dropbox": "Dropbox",
    "icloud": "iCloud",
    "com~apple~clouddocs": "iCloud",
    "mobile documents": "iCloud",
    "cloudstorage": "a cloud service",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "nextcloud": "Nextcloud",
    "owncloud": "ownCloud",
    "seafile": "Seafile",
    "pcloud": "pCloud",
    "megasync": "MEGA",
    "box sync": "Box",
    "syncthing": "Syncthing",
}
_SYNCED_EXACTLY: Final = {"box": "Box", "mega": "MEGA"}
_SYNCED_MARKS: Final = {
    # Files that a service leaves in the folder it copies.
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".stfolder": "Syncthing",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
}
_SYNCED_VARIABLES: Final = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")

_NAMES_SHOWN: Final = 3


def check_space(folder: Path, recordings: int) -> Found:
    """Whether the attributes of so many recordings fit on the disk."""
    free = shutil.disk_usage(folder).free
    need = recordings * ATTRIBUTES_BYTES + _SPARE_BYTES
    text = f"{_size(free)} free where {folder.resolve()} is"
    numbers = {"free_bytes": free, "needed_bytes": need, "recordings": recordings}
    if free < need:
        return Found(
            f"{text}; {_size(need)} are needed for {recordings} recordings",
            "failed",
            "make room on this disk, or use a folder on another",
            numbers,
        )
    return Found(text, numbers=numbers)


def check_file_system(folder: Path, disk: Disk | None = None) -> Found:
    """Whether files can be written, brought to the disk for sure, and locked.

    Tries on a file of its own what the privacy ledger does, and removes it.
    """
    disk = disk or Disk()
    try:
        place = Path(tempfile.mkdtemp(prefix=".doctor-", dir=folder))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            advice = "make room on this disk, or use a folder on another"
        else:
            advice = "ask who looks after this computer for the right to write there"
        return Found(f"{folder}: nothing can be written ({error.strerror})", "failed", advice)
    try:
        try:
            disk.replace(place / "probe", b"written")
            if (place / "probe").read_bytes() != b"written":
                return _unsuited("what is written is not what is read back")
        except OSError as error:
            return _unsuited(f"files cannot be brought to the disk for sure ({error.strerror})")
        if not _locks(place / "lock"):
            return _unsuited("files cannot be locked, so two programs could change one at a time")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Found("files can be written, brought to the disk for sure, and locked")


def check_rights(root: Path) -> Found:
    """Whether only the owner can enter the site folder and read what is in it."""
    if os.name != "posix":
        return Found(
            "not looked at on this system; the folder should lie among your own files, not in "
            "one that others use"
        )
    paths = [root, *root.rglob("*")]
    open_to_others = [path for path in paths if not path.is_symlink() and _open_to_others(path)]
    foreign = root.stat().st_uid != os.getuid()
    if foreign:
        return Found(
            f"{root} belongs to another user",
            "warning",
            "work as the user who made the folder, or ask who looks after this computer",
        )
    if open_to_others:
        named = ", ".join(str(path) for path in open_to_others[:_NAMES_SHOWN])
        more = len(open_to_others) - _NAMES_SHOWN
        return Found(
            f"other users of this computer can reach {named}{f' and {more} more' * (more > 0)}",
            "warning",
            f"take their rights away: chmod -R go-rwx {root}",
            {"paths": len(open_to_others)},
        )
    return Found("only you can read what is in the folder", numbers={"paths": 0})


def check_synced(folders: Iterable[Path], environment: Mapping[str, str] = os.environ) -> Found:
    """Whether a service copies one of the folders to other computers."""
    found = [(folder, service) for folder in folders if (service := synced_by(folder, environment))]
    if not found:
        return Found("no sign that a cloud service copies the folder away")
    said = "; ".join(f"{folder.resolve()} is copied away by {service}" for folder, service in found)
    return Found(
        f"{said}: recordings or keys would leave the clinic",
        "warning",
        "move the folder to a place that no cloud service copies, or end the copying",
        {"services": sorted({service for _, service in found})},
    )


def synced_by(folder: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """The service that copies ``folder`` away, as far as names and marks tell."""
    path = folder.resolve()
    for part in map(str.lower, path.parts):
        if part in _SYNCED_EXACTLY:
            return _SYNCED_EXACTLY[part]
        for name, service in _SYNCED_NAMES.items():
            if part.startswith(name):
                return service
    for variable in _SYNCED_VARIABLES:
        root = environment.get(variable)
        if root and PurePath(path).is_relative_to(root):
            return "OneDrive"
    for place in (path, *path.parents):
        for mark, service in _SYNCED_MARKS.items():
            # Dropbox keeps its settings under the same name in the home folder.
            if (place / mark).exists() and place != Path.home():
                return service
    return None


def _locks(path: Path) -> bool:
    """Whether a lock that one holds is refused to another."""
    first, second = (filelock.FileLock(path, timeout=0, is_singleton=False) for _ in range(2))
    try:
        with first:
            try:
                second.acquire()
            except filelock.Timeout:
                return True
            second.release()
            return False
    except (OSError, NotImplementedError):  # the latter is filelock's word for a disk without locks
        return False


def _unsuited(what: str) -> Found:
    return Found(
        what,
        "failed",
        "use a folder on this computer's own disk: network drives and USB sticks often cannot "
        "do this, and the privacy ledger needs it",
    )


def _open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
