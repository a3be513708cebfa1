"""EmotioNet: web faces with coded action units (Benitez-Quiroz et al., CVPR 2016).

A table has the address of each picture and 60 columns, one an action unit: 1 active, 0 inactive,
999 not coded. Pictures are the user's own downloads, found by the last part of their address; many
addresses are gone by now, so missing pictures are counted, not mourned.
"""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from server.pretraining.datasets.picture_files import FaceFile, read_face_files
from server.pretraining.datasets.stored_faces import Chunk, made_once
from server.pretraining.labelled_faces import LabelledFaces, unlabelled
from shared.channels import ACTION_UNITS
from shared.errors import InputError

__all__ = ["emotionet_faces", "list_emotionet"]

_UNIT: Final = re.compile(r"\s*'?au[ _]*0*(\d+)'?\s*", re.IGNORECASE)
_COLUMNS: Final = 60
_CODES: Final = {"0": 0.0, "1": 1.0, "999": np.nan}


def emotionet_faces(
    table: Path,
    pictures: Path,
    cache: Path,
    *,
    side: int = 160,
    crop_margin: float = 0.08,
    detect_faces: bool = True,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledFaces:
    """Faces of EmotioNet, decoded once and then read from ``cache``.

    Parameters
    ----------
    table : Path
        Comma- or tab-separated: address, then the action units.
    pictures : Path
        Folder of the downloaded pictures.
    cache : Path
    side : int
        Of the result, pixels.
    crop_margin : float
        Share of the face box added on each side.
    detect_faces : bool
        Cut out the largest face; False takes each picture as a whole, where faces are cut already.
    workers : int
        Processes that decode.
    progress : callable, optional
        Called with the pictures done and the pictures in all.
    """
    if not table.is_file():
        raise InputError(f"{table}: no such file; name EmotioNet's table of action units")
    if not pictures.is_dir():
        raise InputError(f"{pictures}: no such folder; name the folder of EmotioNet's pictures")
    made_from = {
        "table": [str(table.resolve()), table.stat().st_size, table.stat().st_mtime_ns],
        "pictures": [str(pictures.resolve()), pictures.stat().st_mtime_ns],
        "side": side,
        "crop_margin": crop_margin,
        "detect_faces": detect_faces,
    }

    def make() -> Iterator[Chunk]:
        files, units = list_emotionet(table, pictures, detect_faces=detect_faces)
        done = 0
        for read, rows, skipped in read_face_files(files, side, crop_margin, workers):
            yield read, unlabelled(len(rows)) | {"action_units": units[rows]}, skipped
            done += len(rows) + len(skipped)
            if progress is not None:
                progress(done, len(files))

    return made_once(cache, "emotionet", made_from, side, make)


def list_emotionet(
    table: Path, pictures: Path, *, detect_faces: bool = True
) -> tuple[list[FaceFile], NDArray[np.float32]]:
    """Files and action units, shape (n, 12), of a table; NaN where a unit is not coded.

    Columns are taken by the unit's number in their name ("AU 12"). A table without a header has the
    address first and the units 1 to 60 in its last 60 columns. Rows in which none of the 12 units
    is coded are left out.

    Raises
    ------
    InputError
        When a unit's column is missing or a code is none of 0, 1 and 999.
    """
    box: Literal["detect", "whole"] = "detect" if detect_faces else "whole"
    files: list[FaceFile] = []
    units: list[list[float]] = []
    columns: list[int] | None = None
    address = 0
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            tabs = "\t" in stream.readline()
            stream.seek(0)
            rows = csv.reader(stream, delimiter="\t" if tabs else ",", skipinitialspace=True)
            for row in rows:
                place = f"{table}, line {rows.line_num}"
                if not row:
                    continue
                if columns is None:
                    columns, address, is_header = _columns(row, place)
                    if is_header:
                        continue
                if len(row) <= max(columns):
                    raise InputError(f"{place}: {len(row)} fields; {max(columns) + 1} are needed")
                coded = [_code(row[column], place) for column in columns]
                if not np.isnan(coded).all():
                    name = _file_name(row[address])
                    if not name:
                        raise InputError(f"{place}: no picture is named")
                    files.append(FaceFile(pictures / name, box, place))
                    units.append(coded)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a table of comma-separated values ({error})") from None
    return files, np.array(units, np.float32).reshape(len(files), len(ACTION_UNITS))


def _columns(first: list[str], place: str) -> tuple[list[int], int, bool]:
    """Columns of the 12 units and of the address, and whether ``first`` is a header."""
    found = {int(m[1]): i for i, name in enumerate(first) if (m := _UNIT.fullmatch(name))}
    if found:
        missing = [unit for unit in ACTION_UNITS if unit not in found]
        if missing:
            raise InputError(f"{place}: no column AU {missing[0]}; {sorted(found)} are there")
        named = [i for i, name in enumerate(first) if "url" in name.lower()]
        return [found[unit] for unit in ACTION_UNITS], named[0] if named else 0, True
    if len(first) <= _COLUMNS:
        raise InputError(
            f"{place}: {len(first)} fields and no header; an address and {_COLUMNS} action units "
            "are needed"
        )
    start = len(first) - _COLUMNS
    return [start + unit - 1 for unit in ACTION_UNITS], 0, False


def _code(text: str, place: str) -> float:
    try:
        return float(_CODES[f"{float(text):g}"])
    except (KeyError, ValueError):
        raise InputError(f"{place}: action unit code {text!r}; 0, 1 or 999 is used") from None


def _file_name(address: str) -> str:
    """Last part of an address or path."""
    path = urlsplit(address.strip().strip("'\"")).path.replace("\\", "/")
    return PurePosixPath(unquote(path)).name
