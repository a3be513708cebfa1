"""The table of participants of a cohort: who, which diagnosis, and whether they may be analysed.

A CSV file as people keep it in a spreadsheet: comma, semicolon or tab; UTF-8 with or without byte
order mark, UTF-16, or Windows-1252. One row is one participant. Columns, in any order:

    participant   pseudonym, also the name of the attribute file
    diagnosis     ASD or non-ASD
    consent       yes or no
    finished      yes or no: the recording was watched to its end
    video         name of the recording (optional)
    clinic        name of the clinic (optional)
    age_months    whole months (optional)
    sex           F or M (optional)

Every fault of the file is named with its line, all in one message, so that it can be mended in
one go.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["PARTICIPANT_COLUMNS", "ParticipantRow", "read_participants", "write_participants"]

PARTICIPANT_COLUMNS: Final = (
    "participant",
    "video",
    "diagnosis",
    "consent",
    "finished",
    "clinic",
    "age_months",
    "sex",
)
REQUIRED: Final = ("participant", "diagnosis", "consent", "finished")

_DIAGNOSES: Final = {"asd": True, "non-asd": False}
_YES_NO: Final = {"yes": True, "no": False}
_SEXES: Final = {"f": "F", "m": "M"}
_OLDEST_MONTHS: Final = 1200
_MOST_FAULTS_SHOWN: Final = 12
_LONGEST_NAME: Final = 80
_NOT_IN_A_FILE_NAME: Final = frozenset('/\\:*?"<>|')


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
    video, clinic, sex : str, optional
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
    line: int = 0

    @property
    def analysed(self) -> bool:
        """Consented and finished."""
        return self.consented and self.finished


def write_participants(path: Path, rows: Iterable[ParticipantRow]) -> None:
    """Write a table that ``read_participants`` reads, whole or not at all."""
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
            ]
        )
    write_atomic(path, text.getvalue())


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
        No such file; unreadable text; a missing, doubled or unknown column; no rows; or, line by
        line: too many or too few cells, an empty or unusable name, a participant or video that
        stands twice, an unknown diagnosis, consent, completion or sex, an age that is no whole
        number of months, a clinic given for some rows only.
    """
    lines = csv.reader(
        io.StringIO(_text(path), newline=""), delimiter=_separator(path), strict=True
    )
    faults: list[str] = []
    rows: list[ParticipantRow] = []
    header: list[str] | None = None
    try:
        for cells in lines:
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if header is None:
                header = _header(path, stripped)
                continue
            row = _row(header, stripped, lines.line_num, faults)
            if row is not None:
                rows.append(row)
    except csv.Error as error:
        faults.append(f"line {lines.line_num}: {error}; check the quotation marks")
    if header is None:
        raise InputError(f"{path} is empty; its first line must name the columns.")
    _check_together(rows, faults)
    if faults:
        shown = "\n  ".join(faults[:_MOST_FAULTS_SHOWN])
        more = len(faults) - _MOST_FAULTS_SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        raise InputError(f"{path} has {len(faults)} faults:\n  {shown}{rest}")
    if not rows:
        raise InputError(f"{path} names no participant; add one row each below the column names.")
    return tuple(rows)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The table of participants {path} cannot be read ({error.strerror}). "
            "Give the path of a CSV file."
        ) from error
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ("utf-16",) if wide else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(f"{path} is not a text file; save the spreadsheet as CSV UTF-8.")


def _separator(path: Path) -> str:
    first = next((line for line in _text(path).splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.casefold().replace(" ", "_") for cell in cells]
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


def _row(
    header: list[str], cells: list[str], line: int, faults: list[str]
) -> ParticipantRow | None:
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) != len(header):
        faults.append(f"line {line}: {len(cells)} cells under {len(header)} column names")
        return None
    cell = dict(zip(header, cells, strict=True))
    before = len(faults)
    name = cell["participant"]
    problem = _name_problem(name)
    if problem:
        faults.append(f"line {line}: column participant {problem}")

    def choice(column: str, allowed: dict[str, bool], shown: str) -> bool:
        value = allowed.get(cell[column].casefold())
        if value is None:
            found = repr(cell[column]) if cell[column] else "nothing"
            faults.append(f"line {line}: column {column} holds {found}; write {shown}")
        return bool(value)

    asd = choice("diagnosis", _DIAGNOSES, "ASD or non-ASD")
    consented = choice("consent", _YES_NO, "yes or no")
    finished = choice("finished", _YES_NO, "yes or no")
    sex = cell.get("sex") or None
    if sex is not None:
        if sex.casefold() not in _SEXES:
            faults.append(f"line {line}: column sex must be F, M or empty")
        sex = _SEXES.get(sex.casefold())
    months = cell.get("age_months") or None
    age = None
    if months is not None:
        if months.isascii() and months.isdigit() and int(months) <= _OLDEST_MONTHS:
            age = int(months)
        else:
            faults.append(
                f"line {line}: column age_months must be whole months, 0 to {_OLDEST_MONTHS}"
            )
    if len(faults) > before:
        return None
    return ParticipantRow(
        participant=name,
        asd=asd,
        consented=consented,
        finished=finished,
        video=cell.get("video") or None,
        clinic=cell.get("clinic") or None,
        age_months=age,
        sex=sex,
        line=line,
    )


def _name_problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name)} characters; at most {_LONGEST_NAME} are allowed"
    if name.startswith(".") or name.endswith(".") or not name.isprintable():
        return "cannot name a file: it starts or ends with a full stop, or has control characters"
    if _NOT_IN_A_FILE_NAME & set(name):
        return f"cannot name a file: it has one of {' '.join(sorted(_NOT_IN_A_FILE_NAME))}"
    return None


def _check_together(rows: list[ParticipantRow], faults: list[str]) -> None:
    first_line: dict[str, int] = {}
    first_video: dict[str, int] = {}
    for row in rows:
        # Upper and lower case are the same file on Windows and macOS.
        key = row.participant.casefold()
        if key in first_line:
            faults.append(
                f"line {row.line}: participant {row.participant} stands on line "
                f"{first_line[key]} already; one row is one participant"
            )
        first_line.setdefault(key, row.line)
        if row.video is not None:
            if row.video in first_video:
                faults.append(
                    f"line {row.line}: column video names the recording of line "
                    f"{first_video[row.video]}; a recording belongs to one participant"
                )
            first_video.setdefault(row.video, row.line)
    without = [row.line for row in rows if row.clinic is None]
    if 0 < len(without) < len(rows):
        shown = ", ".join(str(line) for line in without[:5])
        faults.append(f"line {shown}: column clinic is empty; fill it on every row, or on none")
