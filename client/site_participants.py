"""The participants of a site folder, and whose recordings may be used.

    participants.csv    the clinic's table; the column video is a path below the recordings folder
    recordings.toml     where the recordings folder is; they stay there

Both are written by one import. The second file is taken away first and comes back last, so that a
table is never read with the recordings folder of another.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from client.recordings_folder import RecordingsFolder
from client.site_folder import SiteFolder
from shared.errors import InputError
from shared.files import atomic_path
from shared.participants import ParticipantRow, participants_to_csv, read_participants

__all__ = [
    "RecordingToRead",
    "SiteParticipants",
    "read_site_participants",
    "store_site_participants",
]

_RECORDINGS_TOML: Final = "# Where the recordings lie; written by `fedaffect-client import`.\n"


class RecordingToRead(NamedTuple):
    """A usable participant's recording, or what is wrong with it."""

    participant: str
    named: str
    file: Path | None
    fault: str = ""


@dataclass(frozen=True)
class SiteParticipants:
    """Who is in the site folder.

    Attributes
    ----------
    rows : tuple of ParticipantRow
    withdrawn : frozenset of str
        Participants whom the ledger records as withdrawn, for good.
    recordings : Path
        The recordings folder.
    """

    rows: tuple[ParticipantRow, ...]
    withdrawn: frozenset[str]
    recordings: Path

    @property
    def usable(self) -> tuple[ParticipantRow, ...]:
        """Those who consented, finished, and did not withdraw."""
        return tuple(
            row for row in self.rows if row.analysed and row.participant not in self.withdrawn
        )

    def to_read(self) -> list[RecordingToRead]:
        """Recordings of the usable participants; no other file is looked at."""
        folder = RecordingsFolder(self.recordings)
        found = []
        for row in self.usable:
            named = row.video or ""
            try:
                _, file = folder.find(folder.relative_path(named))
                found.append(RecordingToRead(row.participant, named, file))
            except InputError as error:
                found.append(RecordingToRead(row.participant, named, None, f"{named} {error}"))
        return found


def store_site_participants(
    folder: SiteFolder, rows: Sequence[ParticipantRow], recordings: Path
) -> bool:
    """Write both files, readable by their owner only.

    Parameters
    ----------
    folder : SiteFolder
    rows : sequence of ParticipantRow
    recordings : Path
        Absolute.

    Returns
    -------
    bool
        False when everything was there already; then nothing is written.

    Raises
    ------
    InputError
        When the path of the recordings folder cannot be written as text.
    """
    import tomli_w

    table = participants_to_csv(rows).encode()
    try:
        place = (_RECORDINGS_TOML + tomli_w.dumps({"folder": str(recordings)})).encode()
    except UnicodeEncodeError:
        raise InputError(
            "the name of the recordings folder has letters that cannot be written; rename it"
        ) from None
    if _content(folder.participants) == table and _content(folder.recordings) == place:
        return False
    # Both are on the disk before either name is switched.
    with atomic_path(folder.recordings) as new_place:
        new_place.write_bytes(place)
        with atomic_path(folder.participants) as new_table:
            new_table.write_bytes(table)
            if _content(folder.recordings) != place:
                folder.recordings.unlink(missing_ok=True)
    return True


def read_site_participants(folder: SiteFolder) -> SiteParticipants:
    """Read both files, and from the ledger who withdrew.

    Raises
    ------
    InputError
        When nothing was imported, or an import was cut short.
    LedgerError
        When the ledger cannot be read.
    """
    folder.policy()
    if not folder.participants.exists():
        raise InputError(
            f"{folder.root} has no participants yet; run `fedaffect-client import MANIFEST.csv "
            f"--site {folder.root}` first"
        )
    try:
        recordings = tomllib.loads(folder.recordings.read_text(encoding="utf-8"))["folder"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
        recordings = None
    if not isinstance(recordings, str) or not recordings:
        raise InputError(
            f"{folder.recordings} is missing or damaged, perhaps because an import was cut short; "
            "run `fedaffect-client import` again"
        )
    rows = read_participants(folder.participants)
    with folder.ledger().locked() as book:
        withdrawn = frozenset(row.participant for row in rows if book.is_withdrawn(row.participant))
    return SiteParticipants(rows, withdrawn, Path(recordings))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
