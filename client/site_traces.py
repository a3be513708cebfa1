"""What a site folder holds of one child besides the ledger: files made from the recording.

A withdrawal, and an import that no longer lists a child, leave them where they are: whether they
must be deleted is for the clinic's rules to say. So they are named, and deleted on request. The
recording itself is never touched.
"""

import shutil
from pathlib import Path

from client.extraction.outcome import partial_folder
from client.look.kept import kept_looks
from client.site_folder import SiteFolder

__all__ = ["delete_traces", "participants_with_traces", "traces_of"]


def traces_of(folder: SiteFolder, participant: str) -> list[Path]:
    """Attribute file, unfinished extraction, pictures and clips of a child, as far as there are."""
    if Path(participant).name != participant:
        return []  # no pseudonym; a path must not lead out of the folder
    attributes = folder.attributes / f"{participant}.parquet"
    unfinished = partial_folder(folder.attributes, participant)
    found = [path for path in (attributes, unfinished) if path.exists()]
    return found + kept_looks(folder, participant)


def participants_with_traces(folder: SiteFolder) -> set[str]:
    """Children of whom there is a finished or unfinished extraction, or a picture."""
    names = {file.stem for file in _inside(folder.attributes) if file.suffix == ".parquet"}
    for path in _inside(folder.attributes):
        name = path.name.removeprefix(".").removesuffix(".partial")
        if path == partial_folder(folder.attributes, name):
            names.add(name)
    looks = (file for file in _inside(folder.looks) if file.suffix in (".png", ".mp4"))
    names |= {file.stem.rpartition("-")[0] for file in looks}
    return {name for name in names if name and not name.startswith(".")}


def delete_traces(folder: SiteFolder, participant: str) -> list[Path]:
    """Delete them, and tell what was deleted."""
    found = traces_of(folder, participant)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return found


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
