"""Read a clinic's manifest of recordings and check every row, with the files it names.

The recordings of children without consent are recorded as rows; their files are never looked at,
not even whether they are there. Nothing is moved or copied.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from client.recordings_folder import RecordingsFolder
from shared.errors import InputError
from shared.participants import (
    ParticipantRow,
    ParticipantTable,
    RefusedRow,
    faults_in_words,
    scan_participants,
)

__all__ = ["Flow", "Manifest", "read_manifest"]


class Flow(NamedTuple):
    """How many children are left after each step; each number counts those of the step before."""

    recorded: int
    consented: int
    finished: int
    usable: int

    def __str__(self) -> str:
        return (
            f"{self.recorded} recorded → {self.consented} consented → {self.finished} finished → "
            f"{self.usable} usable"
        )


@dataclass(frozen=True)
class Manifest:
    """A manifest that was checked.

    Attributes
    ----------
    rows : tuple of ParticipantRow
        To be imported; ``video`` is a path below the recordings folder.
    skipped : tuple of RefusedRow
        Left out; empty unless that was allowed.
    recordings : Path
        The recordings folder, absolute.
    """

    rows: tuple[ParticipantRow, ...]
    skipped: tuple[RefusedRow, ...]
    recordings: Path

    @property
    def flow(self) -> Flow:
        """Recorded, consented, finished; usable are those whose row and recording are in order."""
        read: list[ParticipantRow | RefusedRow] = [*self.rows, *self.skipped]
        finished = sum(row.consented and row.finished for row in read)
        return Flow(
            recorded=len(read),
            consented=sum(row.consented for row in read),
            finished=finished,
            usable=sum(row.analysed for row in self.rows),
        )


def read_manifest(manifest: Path, recordings: Path, *, skip_bad: bool = False) -> Manifest:
    """Check a manifest against the recordings it names.

    Parameters
    ----------
    manifest : Path
        A table as ``shared/participants.py`` describes it, with the column ``video``.
    recordings : Path
        The folder all recordings lie below.
    skip_bad : bool
        Leave out rows with faults instead of refusing the manifest.

    Raises
    ------
    InputError
        When the table cannot be read, no row is in order, or a row has a fault and ``skip_bad`` is
        not set: those of ``scan_participants``, and a recording that is not given, missing, empty,
        named twice, or outside the folder.
    """
    folder = RecordingsFolder(recordings)
    table = scan_participants(manifest)
    if "video" not in table.columns:
        raise InputError(
            f"{manifest} lacks the column 'video': the path of each child's recording, below "
            f"{folder.root}"
        )
    rows, refused = _with_recordings(table, folder)
    if refused and not skip_bad:
        raise InputError(
            f"{faults_in_words(manifest, refused)}\nNothing was imported. Mend the table, or "
            "import the other rows with --skip-bad"
        )
    if not rows:
        raise InputError(f"{faults_in_words(manifest, refused)}\nNo row is left to import")
    return Manifest(tuple(rows), tuple(refused), folder.root)


def _with_recordings(
    table: ParticipantTable, folder: RecordingsFolder
) -> tuple[list[ParticipantRow], list[RefusedRow]]:
    rows: list[ParticipantRow] = []
    refused = list(table.refused)
    places: dict[str, list[ParticipantRow]] = {}
    for row in table.rows:
        try:
            checked, place = _checked(row, folder)
        except InputError as error:
            refused.append(_refusal(row, f"column video {error}"))
            continue
        rows.append(checked)
        if place:
            places.setdefault(place, []).append(checked)
    shared = {row.line for group in places.values() if len(group) > 1 for row in group}
    fault = "column video names a recording that another row names too"
    refused += [_refusal(row, fault) for row in rows if row.line in shared]
    return [row for row in rows if row.line not in shared], _in_order(refused)


def _checked(row: ParticipantRow, folder: RecordingsFolder) -> tuple[ParticipantRow, str | None]:
    """The row with its recording's path below the folder, and the file, as far as it was seen."""
    if row.video is None:
        if row.analysed:
            raise InputError("is empty; a child who consented and finished needs a recording")
        return row, None
    relative = folder.relative_path(row.video)
    if not row.consented:
        return replace(row, video=relative), relative
    relative, file = folder.find(relative)
    return replace(row, video=relative), file.relative_to(folder.root).as_posix()


def _refusal(row: ParticipantRow, fault: str) -> RefusedRow:
    return RefusedRow(row.line, row.participant, row.consented, row.finished, (fault,))


def _in_order(refused: Iterable[RefusedRow]) -> list[RefusedRow]:
    return sorted(refused, key=lambda row: row.line)
