"""The table of participants of a cohort: who, which diagnosis, and whether they may be analysed.

A CSV file as people keep it in a spreadsheet (``shared/spreadsheet.py``). One row is one
participant. Columns, in any order:

    participant   pseudonym, also the name of the attribute file
    diagnosis     ASD or non-ASD
    consent       yes or no
    finished      yes or no: the recording was watched to its end
    video         path of the recording (optional)
    clinic        name of the clinic (optional)
    age_months    whole months (optional), or
    age_years     years such as 4.5 (optional); kept as months
    sex           F or M (optional)
    device        what recorded it (optional)
    session       which visit (optional)

``participant id`` and ``video path`` may stand for participant and video. An age without its unit
is refused: nobody can tell months from years. Every fault of the file is named with its line, so
that it can be mended in one go.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic
from shared.participant_row import ParticipantRow, ReadRow, read_row
from shared.spreadsheet import read_spreadsheet

__all__ = [
    "PARTICIPANT_COLUMNS",
    "ParticipantRow",
    "ParticipantTable",
    "RefusedRow",
    "faults_in_words",
    "participants_to_csv",
    "read_participants",
    "scan_participants",
    "write_participants",
]

PARTICIPANT_COLUMNS: Final = (
    "participant",
    "video",
    "diagnosis",
    "consent",
    "finished",
    "clinic",
    "age_months",
    "sex",
    "device",
    "session",
)
"""As they are written."""
REQUIRED: Final = ("participant", "diagnosis", "consent", "finished")

_READ: Final = (*PARTICIPANT_COLUMNS, "age_years")
_OTHER_NAMES: Final = {
    "participant_id": "participant",
    "video_path": "video",
    "age_(months)": "age_months",
    "age_in_months": "age_months",
    "age_(years)": "age_years",
    "age_in_years": "age_years",
}
_MOST_FAULTS_SHOWN: Final = 12


@dataclass(frozen=True)
class RefusedRow:
    """One row of the table that cannot be taken, and why.

    Attributes
    ----------
    line : int
    participant : str
        As written; may be empty.
    consented, finished : bool
        False when the cell could not be understood.
    faults : tuple of str
    """

    line: int
    participant: str
    consented: bool
    finished: bool
    faults: tuple[str, ...]


@dataclass(frozen=True)
class ParticipantTable:
    """What a table holds: rows as they should be, and rows that are not, in file order.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of ParticipantRow
    refused : tuple of RefusedRow
    """

    columns: tuple[str, ...]
    rows: tuple[ParticipantRow, ...]
    refused: tuple[RefusedRow, ...]


def participants_to_csv(rows: Iterable[ParticipantRow]) -> str:
    """Text of a table that ``read_participants`` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PARTICIPANT_COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.participant,
                row.video or "",
                "ASD" if row.asd else "non-ASD",
                "yes" if row.consented else "no",
                "yes" if row.finished else "no",
                row.clinic or "",
                "" if row.age_months is None else row.age_months,
                row.sex or "",
                row.device or "",
                row.session or "",
            ]
        )
    return text.getvalue()


def write_participants(path: Path, rows: Iterable[ParticipantRow]) -> None:
    """Write a table that ``read_participants`` reads, whole or not at all."""
    write_atomic(path, participants_to_csv(rows))


def read_participants(path: Path) -> tuple[ParticipantRow, ...]:
    """Read and check a table of participants.

    Parameters
    ----------
    path : Path
        CSV file, see the module docstring.

    Returns
    -------
    tuple of ParticipantRow
        In file order. The clinic is given for all rows or for none.

    Raises
    ------
    InputError
        As ``scan_participants``; or, line by line: too many or too few cells, an empty or unusable
        name, a participant or video that stands twice, an unknown diagnosis, consent, completion or
        sex, an age that is no whole number of months, a clinic given for some rows only.
    """
    table = scan_participants(path)
    if table.refused:
        raise InputError(faults_in_words(path, table.refused))
    return table.rows


def scan_participants(path: Path) -> ParticipantTable:
    """Read a table of participants and tell the rows that can be taken from those that cannot.

    Where a participant or a recording stands twice, all its rows are refused: no program can know
    which consent is the right one.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        No such file; unreadable text; quotation marks that do not match; a missing, doubled or
        unknown column; no rows.
    """
    header: list[str] | None = None
    read: list[ReadRow] = []
    for line, cells in read_spreadsheet(path):
        if header is None:
            header = _header(path, cells)
        else:
            read.append(read_row(header, cells, line))
    if header is None:
        raise InputError(f"{path} is empty; its first line must name the columns.")
    if not read:
        raise InputError(f"{path} names no participant; add one row each below the column names.")
    _check_together(read)
    rows, refused = [], []
    for item in read:
        if item.row is not None and not item.faults:
            rows.append(item.row)
        else:
            refused.append(
                RefusedRow(
                    item.line, item.participant, item.consented, item.finished, tuple(item.faults)
                )
            )
    return ParticipantTable(tuple(header), tuple(rows), tuple(refused))


def faults_in_words(path: Path, refused: Sequence[RefusedRow]) -> str:
    """All faults of a table in one message, the first dozen in full."""
    faults = [f"line {row.line}: {fault}" for row in refused for fault in row.faults]
    shown = "\n  ".join(faults[:_MOST_FAULTS_SHOWN])
    more = len(faults) - _MOST_FAULTS_SHOWN
    rest = f"\n  and {more} more" if more > 0 else ""
    return f"{path} has {len(faults)} faults:\n  {shown}{rest}"


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.casefold().replace(" ", "_") for cell in cells]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    while names and not names[-1]:
        names.pop()
    missing = [name for name in REQUIRED if name not in names]
    unknown = [
        cell
        for cell, name in zip(cells, names, strict=False)
        if name not in _READ and name != "age"
    ]
    doubled = sorted({name for name in names if names.count(name) > 1})
    problems = [
        f"{what} {', '.join(repr(name) for name in which)}"
        for what, which in (
            ("lacks the column", missing),
            ("has the unknown column", unknown),
            ("has twice the column", doubled),
        )
        if which
    ]
    if "age" in names:
        problems.append("has the column 'age' without its unit (write age_months or age_years)")
    if "age_months" in names and "age_years" in names:
        problems.append("has both age_months and age_years (keep one of them)")
    if problems:
        raise InputError(
            f"{path} {' and '.join(problems)}. Columns are {', '.join(_READ)}; "
            f"{', '.join(REQUIRED)} must be there."
        )
    return names


def _check_together(read: list[ReadRow]) -> None:
    # Upper and lower case, and the two ways to write an accent, are the same file on Windows and
    # macOS.
    _refuse_repeats(
        read,
        lambda item: unicodedata.normalize("NFC", item.participant).casefold(),
        lambda item, lines: (
            f"participant {item.participant} stands on line {lines} as well; one row is one "
            "participant"
        ),
    )
    _refuse_repeats(
        read,
        lambda item: item.video,
        lambda _, lines: (
            f"column video names the recording of line {lines}; a recording belongs to one "
            "participant"
        ),
    )
    if any(item.clinic for item in read):
        for item in read:
            if item.row is not None and item.clinic is None:
                item.faults.append("column clinic is empty; fill it on every row, or on none")


def _refuse_repeats(
    read: list[ReadRow],
    key: Callable[[ReadRow], str | None],
    fault: Callable[[ReadRow, str], str],
) -> None:
    places: dict[str, list[ReadRow]] = {}
    for item in read:
        name = key(item)
        if name:
            places.setdefault(name, []).append(item)
    for items in places.values():
        if len(items) > 1:
            for item in items:
                # The first of the others is enough: a table may hold one name many times.
                other = items[0] if item is not items[0] else items[1]
                item.faults.append(fault(item, str(other.line)))
