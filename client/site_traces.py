"""What a site folder holds of one child besides the ledger: files made from the recording.

A withdrawal, and an import that no longer lists a child, leave them where they are: whether they
must be deleted is for the clinic's rules to say. So they are named, and deleted on request. The
recording itself is never touched.
"""

import contextlib
import html
import re
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from client.extraction.outcome import partial_folder
from client.look.kept import kept_looks
from client.site_folder import SiteFolder
from shared.errors import InputError
from shared.features import read_features, write_features

__all__ = ["QUALITY_PAGE", "delete_traces", "participants_with_traces", "traces_of"]


QUALITY_PAGE: Final = "quality.html"


def traces_of(folder: SiteFolder, participant: str) -> list[Path]:
    """Attribute file, unfinished extraction, pictures and clips of a child, as far as there are."""
    if Path(participant).name != participant:
        return []  # no pseudonym; a path must not lead out of the folder
    attributes = folder.attributes / f"{participant}.parquet"
    unfinished = partial_folder(folder.attributes, participant)
    found = [path for path in (attributes, unfinished) if path.exists()]
    leftover = re.compile(rf"\.{re.escape(participant)}\.parquet\.[^.]+\.part")
    found += [file for file in _inside(folder.attributes) if leftover.fullmatch(file.name)]
    return found + kept_looks(folder, participant) + _tables_with(folder, participant)


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
    """Delete them, and tell what was deleted: of the feature table only the child's row."""
    found = traces_of(folder, participant)
    for path in found:
        if path == folder.features:
            _delete_row(path, participant)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return found


def _tables_with(folder: SiteFolder, participant: str) -> list[Path]:
    """The feature table if the child is in it, and the pages made of all children."""
    found = []
    if folder.features.is_file():
        with contextlib.suppress(InputError):
            if participant in read_features(folder.features).participants:
                found.append(folder.features)
    page = folder.root / QUALITY_PAGE
    if page.is_file() and (
        found or html.escape(participant) in page.read_text(encoding="utf-8", errors="replace")
    ):
        found.append(page)
    if folder.report.is_dir():
        # Its curves and counts may be of any child; it is quickly made anew.
        found.append(folder.report)
    return found


def _delete_row(path: Path, participant: str) -> None:
    table = read_features(path)
    kept = np.array([name != participant for name in table.participants], bool)
    if kept.any():
        write_features(path, table.select(kept))
    else:
        path.unlink()


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
