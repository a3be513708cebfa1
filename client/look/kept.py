"""The files in the folder looks of a site: how they are called, and which belong to whom.

``P017-clip_1m10s_1m25s.mp4``: the pseudonym, a hyphen, and what is shown, in words joined by
underscores. A pseudonym may hold hyphens too, so it is the last one that separates.
"""

from pathlib import Path

from client.look.moments import time_code
from client.site_folder import SiteFolder

__all__ = ["kept_looks", "look_path", "time_in_name"]


def look_path(folder: SiteFolder, participant: str, words: str, suffix: str) -> Path:
    """Where a picture or clip of a child is kept; ``words`` hold no hyphen."""
    return folder.looks / f"{participant}-{words}{suffix}"


def kept_looks(folder: SiteFolder, participant: str) -> list[Path]:
    """The pictures and clips of a child that are still there, also unfinished ones."""
    if not folder.looks.is_dir():
        return []
    return sorted(file for file in folder.looks.iterdir() if _participant_of(file) == participant)


def _participant_of(file: Path) -> str | None:
    name = file.name
    if name.startswith(".") and name.endswith(".part"):
        # As shared/files.py names a temporary file: .NAME.xxxxxxxx.part
        name = name[1:].removesuffix(".part").rpartition(".")[0]
    stem, dot, suffix = name.rpartition(".")
    return stem.rpartition("-")[0] if dot and suffix in ("png", "mp4") else None


def time_in_name(seconds: float) -> str:
    """A time for a file name, such as ``1m23s`` or ``1m23.5s``."""
    parts = time_code(seconds).removesuffix(".0").split(":")
    return "".join(part + unit for part, unit in zip(parts, "hms"[-len(parts) :], strict=True))
