"""One row of the table of participants: what each cell may hold, and what is wrong with it.

Every fault of a row is collected, so that a table can be mended in one go.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

__all__ = ["ParticipantRow", "ReadRow", "read_row"]

_DIAGNOSES: Final = {"asd": True, "non-asd": False}
_YES_NO: Final = {"yes": True, "no": False}
_SEXES: Final = {"f": "F", "m": "M"}
_OLDEST_MONTHS: Final = 1200
_YEARS: Final = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,6}))?")
"""Years as spreadsheets write them, with a decimal point or a decimal comma."""
_LONGEST_NAME: Final = 80
_LONGEST_NAME_BYTES: Final = 200
"""Disks allow 255, and file names are made of it."""
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


@dataclass(slots=True)
class ReadRow:
    """A row while it is checked; ``row`` is missing when a cell could not be understood."""

    line: int
    participant: str = ""
    video: str | None = None
    consented: bool = False
    finished: bool = False
    clinic: str | None = None
    row: ParticipantRow | None = None
    faults: list[str] = field(default_factory=list)


def read_row(header: list[str], cells: list[str], line: int) -> ReadRow:
    """Read one row.

    Parameters
    ----------
    header : list of str
        The columns, as ``shared/participants.py`` names them.
    cells : list of str
    line : int

    Returns
    -------
    ReadRow
        With all its faults; without ``row`` when there are any.
    """
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) != len(header):
        fault = f"{len(cells)} cells under {len(header)} column names"
        return ReadRow(line, cells[0], faults=[fault])
    cell = dict(zip(header, cells, strict=True))
    name = cell["participant"]
    read = ReadRow(line, name, cell.get("video") or None, clinic=cell.get("clinic") or None)
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
    age = _age_months(cell, faults)
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


def _age_months(cell: dict[str, str], faults: list[str]) -> int | None:
    """Age in months, from either column; None when there is none or it has a fault."""
    months, years = cell.get("age_months"), cell.get("age_years")
    age = None
    if months:
        # Four digits at most: int() of thousands of digits is an error of its own.
        if months.isascii() and months.isdigit() and len(months) <= 4:
            age = int(months)
        if age is None or age > _OLDEST_MONTHS:
            faults.append(f"column age_months must be whole months, 0 to {_OLDEST_MONTHS}")
    elif years:
        written = _YEARS.fullmatch(years)
        if written:
            # In decimal, to the nearest month: 4.33 years are 52 months.
            exact = 12 * Decimal(f"{written[1]}.{written[2] or 0}")
            age = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        if age is None or age > _OLDEST_MONTHS:
            most = _OLDEST_MONTHS // 12
            faults.append(f"column age_years must be years, such as 4 or 4.5, 0 to {most}")
    return age


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
    if len(name.encode(errors="replace")) > _LONGEST_NAME_BYTES:
        return "is too long for a file name; use fewer or simpler letters"
    if name.startswith(".") or name.endswith(".") or not name.isprintable():
        return "cannot name a file: it starts or ends with a full stop, or has control characters"
    if _NOT_IN_A_FILE_NAME & set(name):
        return f"cannot name a file: it has one of {' '.join(sorted(_NOT_IN_A_FILE_NAME))}"
    if name.partition(".")[0].strip().casefold() in _DEVICES:
        return "cannot name a file: Windows keeps this name for itself"
    return None
