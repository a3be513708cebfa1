"""FER+ from its official pair of tables: pictures in fer2013.csv, votes in fer2013new.csv.

Row i of one belongs to row i of the other. Rows whose image name is empty in fer2013new.csv were
withdrawn by its authors (177 pictures that show no face or are blank).
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.datasets.ferplus import VOTE_COLUMNS, FerPlus, ferplus_from_votes
from server.pretraining.labelled_faces import Skipped
from shared.errors import InputError

__all__ = ["load_fer2013_tables"]

_SIDE: Final = 48
_PICTURES: Final = "fer2013.csv"
_VOTES: Final = "fer2013new.csv"
_PARTS: Final = ("Training", "PublicTest", "PrivateTest")
_LONGEST_FIELD: Final = 1 << 20


def load_fer2013_tables(folder: Path) -> FerPlus:
    """Read FER+ from a folder with ``fer2013.csv`` and ``fer2013new.csv``.

    Returns
    -------
    FerPlus
        Damaged pictures are in ``skipped``, with file and line.

    Raises
    ------
    InputError
        When a table or column is missing, a vote is no number, or the tables do not belong
        together; the message names file and line.
    """
    images: list[NDArray[np.uint8]] = []
    votes: list[list[int]] = []
    parts: list[str] = []
    skipped: list[Skipped] = []
    pictures_path, votes_path = folder / _PICTURES, folder / _VOTES
    names = {name.lower(): name for name in VOTE_COLUMNS}
    picture_rows = _rows(pictures_path, ("pixels", "usage"))
    vote_rows = _rows(votes_path, ("usage", "image name", *names))
    for line, pixels in picture_rows:
        _, given = next(vote_rows, (0, {}))
        if not given:
            raise InputError(
                f"{votes_path}: ends before {pictures_path.name} (line {line}); both tables need "
                "the same rows in the same order"
            )
        part = pixels["usage"]
        if part not in _PARTS or given["usage"] != part:
            raise InputError(
                f"{votes_path}, line {line}: usage is {given['usage']!r}, {pictures_path.name} has "
                f"{part!r} there; both need one of {', '.join(_PARTS)}, row by row"
            )
        if not given["image name"]:
            continue
        counted = _counts(votes_path, line, [given[name] for name in names])
        image = _picture(pixels["pixels"])
        if image is None:
            skipped.append(Skipped(f"{pictures_path}, line {line}", "not a 48 x 48 picture"))
            continue
        images.append(image)
        votes.append(counted)
        parts.append(part)
    if next(vote_rows, None) is not None:
        raise InputError(
            f"{votes_path}: has more rows than {pictures_path.name}; both tables need the same "
            "rows in the same order"
        )
    n = len(images)
    return ferplus_from_votes(
        np.array(images, np.uint8).reshape(n, _SIDE, _SIDE),
        np.array(votes, np.int64).reshape(n, len(VOTE_COLUMNS)),
        np.array(parts, str),
        tuple(skipped),
    )


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields by lower-case column name."""
    # A picture is one field of 2304 numbers.
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.reader(stream)
            header = [name.strip().lower() for name in next(table, [])]
            missing = [name for name in needed if name not in header]
            if missing:
                raise InputError(
                    f"{path}, line 1: column {missing[0]!r} is missing; the columns are "
                    f"{', '.join(header) or 'none'}"
                )
            for row in table:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{path}, line {table.line_num}: {len(row)} fields; {len(header)} needed"
                    )
                fields = (field.strip() for field in row)
                yield table.line_num, dict(zip(header, fields, strict=True))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; FER+ as tables needs {_PICTURES} (pictures) and {_VOTES} "
            "(votes) in one folder"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table of comma-separated values ({error})") from None


def _counts(path: Path, line: int, fields: list[str]) -> list[int]:
    try:
        counts = [int(field) for field in fields]
    except ValueError:
        counts = [-1]
    if min(counts) < 0:
        raise InputError(
            f"{path}, line {line}: votes are {', '.join(fields)}; whole numbers needed"
        )
    return counts


def _picture(pixels: str) -> NDArray[np.uint8] | None:
    try:
        values = bytes(map(int, pixels.split()))
    except ValueError:  # no whole number, or none from 0 to 255
        return None
    if len(values) != _SIDE * _SIDE:
        return None
    return np.frombuffer(values, np.uint8).reshape(_SIDE, _SIDE)
