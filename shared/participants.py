"""The table of participants of a cohort: who, which diagnosis, and whether they may be analysed.

A CSV file as people keep it in a spreadsheet (``shared/spreadsheet.py``). One row is one
participant. Columns, in any order:

    participant   pseudonym, also the name of the attribute file
    diagnosis     ASD or non-ASD
    consent       yes or no
    finished      yes or no: the recording was watched to its end
    video         path of the recording (optional)
    clinic        name of the clinic (optional)
    age_months    whole months (optional)
    sex           F or M (optional)
    device        what recorded it (optional)
    session       which visit (optional)

``participant id`` and ``video path`` may stand for participant and video. Every fault of the file
is named with its line, so that it can be mended in one go.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic
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
REQUIRED: Final = ("participant", "diagnosis", "consent", "finished")

_OTHER_NAMES: Final = {"participant_id": "participant", "video_path": "video"}
_DIAGNOSES: Final = {"asd": True, "non-asd": False}
_YES_NO: Final = {"yes": True, "no": False}
_SEXES: Final = {"f": "F", "m": "M"}
_OLDEST_MONTHS: Final = 1200
_MOST_FAULTS_SHOWN: Final = 12
_LONGEST_NAME: Final = 80
_FREE_TEXT: Final = ("clinic", "device", "session")
_LONGEST_TEXT: Final = 200
_CONTROL: Final = frozenset(["Cc", "Zl", "Zp", "Cs"])
_NOT_IN_A_FILE_NAME: Final = frozenset('/\\:*?"<>|')
_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))]
)
"""Names that Windows keeps for devices, with any ending."""


@dataclass(frozen=True)
class ParticipantRow:
    """One participant of the table.

    Attributes
    ----------
    participant : str
        Pseudonym; usable as a file name.
    asd : bool
    consented, finished : bool
        Both are needed to be analysed.
    video, clinic, sex, device, session : str, optional
    age_months : int, optional
    line : int
        Line of the file on which the row ends; 0 when it does not come from a file.
    """

    participant: str
    asd: bool
    consented: bool
    finished: bool
    video: str | None = None
    clinic: str | None = None
    age_months: int | None = None
    sex: str | None = None
    device: str | None = None
    session: str | None = None
    line: int = 0

    @property
    def analysed(self) -> bool:
        """Consented and finished."""
        return self.consented and self.finished


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
    read: list[_ReadRow] = []
    for line, cells in read_spreadsheet(path):
        if header is None:
            header = _header(path, cells)
        else:
            read.append(_row(header, cells, line))
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


@dataclass(slots=True)
class _ReadRow:
    """A row while it is checked; ``row`` is missing when a cell could not be understood."""

    line: int
    participant: str = ""
    video: str | None = None
    consented: bool = False
    finished: bool = False
    clinic: str | None = None
    row: ParticipantRow | None = None
    faults: list[str] = field(default_factory=list)


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.casefold().replace(" ", "_") for cell in cells]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    while names and not names[-1]:
        names.pop()
    missing = [name for name in REQUIRED if name not in names]
    unknown = [
        cell for cell, name in zip(cells, names, strict=False) if name not in PARTICIPANT_COLUMNS
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
    if problems:
        raise InputError(
            f"{path} {' and '.join(problems)}. Columns are {', '.join(PARTICIPANT_COLUMNS)}; "
            f"{', '.join(REQUIRED)} must be there."
        )
    return names


def _row(header: list[str], cells: list[str], line: int) -> _ReadRow:
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) != len(header):
        fault = f"{len(cells)} cells under {len(header)} column names"
        return _ReadRow(line, cells[0], faults=[fault])
    cell = dict(zip(header, cells, strict=True))
    name = cell["participant"]
    read = _ReadRow(line, name, cell.get("video") or None, clinic=cell.get("clinic") or None)
    faults = read.faults
    problem = _name_problem(name)
    if problem:
        faults.append(f"column participant {problem}")
    asd = _choice(cell, "diagnosis", _DIAGNOSES, "ASD or non-ASD", faults)
    read.consented = _choice(cell, "consent", _YES_NO, "yes or no", faults)
    read.finished = _choice(cell, "finished", _YES_NO, "yes or no", faults)
    sex = cell.get("sex") or None
    if sex is not None:
        if sex.casefold() not in _SEXES:
            faults.append("column sex must be F, M or empty")
        sex = _SEXES.get(sex.casefold())
    months = cell.get("age_months") or None
    age = None
    if months is not None:
        # Four digits at most: int() of thousands of digits is an error of its own.
        if months.isascii() and months.isdigit() and len(months) <= 4:
            age = int(months)
        if age is None or age > _OLDEST_MONTHS:
            faults.append(f"column age_months must be whole months, 0 to {_OLDEST_MONTHS}")
    for column in _FREE_TEXT:
        text = cell.get(column)
        if text and (len(text) > _LONGEST_TEXT or _has_control_characters(text)):
            faults.append(
                f"column {column} is longer than {_LONGEST_TEXT} characters or has a line break"
            )
    if not faults:
        read.row = ParticipantRow(
            participant=name,
            asd=asd,
            consented=read.consented,
            finished=read.finished,
            video=read.video,
            clinic=read.clinic,
            age_months=age,
            sex=sex,
            device=cell.get("device") or None,
            session=cell.get("session") or None,
            line=line,
        )
    return read


def _choice(
    cell: dict[str, str], column: str, allowed: dict[str, bool], shown: str, faults: list[str]
) -> bool:
    value = allowed.get(cell[column].casefold())
    if value is None:
        found = repr(cell[column]) if cell[column] else "nothing"
        faults.append(f"column {column} holds {found}; write {shown}")
    return bool(value)


def _has_control_characters(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(c) in _CONTROL for c in text)


def _name_problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name)} characters; at most {_LONGEST_NAME} are allowed"
    if name.startswith(".") or name.endswith(".") or not name.isprintable():
        return "cannot name a file: it starts or ends with a full stop, or has control characters"
    if _NOT_IN_A_FILE_NAME & set(name):
        return f"cannot name a file: it has one of {' '.join(sorted(_NOT_IN_A_FILE_NAME))}"
    if name.partition(".")[0].strip().casefold() in _DEVICES:
        return "cannot name a file: Windows keeps this name for itself"
    return None


def _check_together(read: list[_ReadRow]) -> None:
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
    read: list[_ReadRow],
    key: Callable[[_ReadRow], str | None],
    fault: Callable[[_ReadRow, str], str],
) -> None:
    places: dict[str, list[_ReadRow]] = {}
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
