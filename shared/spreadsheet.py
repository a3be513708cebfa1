"""Text tables as spreadsheet programs write them.

Comma, semicolon or tab; UTF-8 with or without byte order mark, UTF-16, or Windows-1252; any line
ending; the line ``sep=;`` that Excel understands. Every row comes with its line, so that a person
can find it.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from shared.errors import InputError

__all__ = ["SpreadsheetRow", "read_spreadsheet"]

_SEPARATORS: Final = ",;\t"
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;|\t])"?', re.IGNORECASE)


class SpreadsheetRow(NamedTuple):
    """One row that is not blank: the line on which it ends, from 1, and its trimmed cells."""

    line: int
    cells: list[str]


def read_spreadsheet(path: Path) -> Iterator[SpreadsheetRow]:
    """Read the rows of a table, the column names first.

    Parameters
    ----------
    path : Path

    Yields
    ------
    SpreadsheetRow
        Blank rows are left out.

    Raises
    ------
    InputError
        When the file cannot be read, is no text, or its quotation marks do not match; the message
        has the line. Rows before that line were yielded.
    """
    text, separator, skipped = _without_separator_line(_text(path))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in lines:
            trimmed = [cell.strip() for cell in cells]
            if any(trimmed):
                yield SpreadsheetRow(lines.line_num + skipped, trimmed)
    except csv.Error as error:
        raise InputError(
            f"{path}, line {lines.line_num + skipped}: {error}; check the quotation marks"
        ) from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The table {path} cannot be read ({error.strerror}). Give the path of a CSV file."
        ) from error
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(f"{path} is not a text file; save the spreadsheet as CSV UTF-8.")


def _without_separator_line(text: str) -> tuple[str, str, int]:
    """Text from the column names on, the separator, and how many lines were taken off."""
    skipped = end = 0
    for line in io.StringIO(text, newline=""):
        stated = _SEPARATOR_LINE.fullmatch(line.strip(" \r\n"))
        if stated:
            return text[end + len(line) :], stated[1], skipped + 1
        if line.strip():
            return text, max(_SEPARATORS, key=line.count), 0
        skipped, end = skipped + 1, end + len(line)
    return text, _SEPARATORS[0], 0
