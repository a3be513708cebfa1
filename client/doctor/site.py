"""Is the site folder in order: settings, ledger, participants, recordings, what is extracted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client.doctor.headers import Header, read_headers
from client.doctor.ladder import Found
from client.quality.limits import load_quality_limits
from client.recordings_folder import RecordingsFolder
from client.site_folder import SiteFolder
from client.site_participants import RecordingToRead, SiteParticipants, read_site_participants

__all__ = [
    "SiteRecordings",
    "check_ledger",
    "check_participants",
    "check_recordings",
    "check_settings",
]

_NAMED: Final = 5


@dataclass(frozen=True)
class SiteRecordings:
    """Recordings of the usable participants.

    Attributes
    ----------
    headers : tuple of Header
        Of those that can be opened.
    to_do : tuple of Header
        Those of them without an attribute file.
    """

    headers: tuple[Header, ...]
    to_do: tuple[Header, ...]


def check_settings(folder: SiteFolder) -> Found:
    """Whether ``site.toml`` is valid, the limits of quality included.

    Raises
    ------
    InputError
        When it is missing, no TOML, or an entry is unknown or out of bounds.
    """
    policy = folder.policy()
    load_quality_limits(folder.root)
    return Found(
        f"site.toml of {policy.name} and its limits of quality are valid",
        numbers={"epsilon": policy.epsilon, "delta": policy.delta},
    )


def check_ledger(folder: SiteFolder) -> Found:
    """Whether the privacy ledger is whole and the one this computer remembers.

    Raises
    ------
    LedgerError
        When it is not; the message says what to do.
    """
    with folder.ledger().locked() as book:
        events = len(book.entries)
    return Found(f"in order, {events} events", numbers={"events": events})


def check_participants(folder: SiteFolder) -> Found:
    """Whether participants were imported, and how many are usable.

    Raises
    ------
    InputError
        When an import was cut short.
    """
    if not folder.participants.exists():
        return Found(
            "none yet",
            "warning",
            f"take your list over: fedaffect-client import MANIFEST.csv --site {folder.root}",
        )
    people = read_site_participants(folder)
    numbers = {
        "participants": len(people.rows),
        "usable": len(people.usable),
        "withdrawn": len(people.withdrawn),
    }
    text = f"{len(people.rows)} imported, {len(people.usable)} of them usable"
    if people.withdrawn:
        text += f", {len(people.withdrawn)} withdrawn"
    if not people.usable:
        return Found(
            f"{text}: nobody consented and finished",
            "warning",
            "mend the list and import it again",
            numbers,
        )
    return Found(text, numbers=numbers, value=people)


def check_recordings(folder: SiteFolder, people: SiteParticipants | None) -> Found:
    """Whether the recordings of the usable participants are there and can be opened.

    Raises
    ------
    InputError
        When the recordings folder cannot be reached.
    """
    if people is None:
        return Found("none yet, since nobody is usable", "warning")
    RecordingsFolder(people.recordings)
    listed = people.to_read()
    files = [item.file for item in listed if item.file is not None]
    headers = read_headers(files)
    faults = [item for item in listed if item.file is None or headers[item.file] is None]
    there = [(item, header) for item in listed if item.file and (header := headers[item.file])]
    to_do = [
        header
        for item, header in there
        if not (folder.attributes / f"{item.participant}.parquet").exists()
    ]
    text = f"{len(there)} of {len(listed)} can be opened, {len(there) - len(to_do)} are extracted"
    numbers = {
        "recordings": len(listed),
        "opened": len(there),
        "extracted": len(there) - len(to_do),
        "recorded_s": round(sum(header.length_s or 0.0 for _, header in there), 1),
    }
    value = SiteRecordings(tuple(header for _, header in there), tuple(to_do))
    if faults:
        return Found(
            f"{text}; not {_names(faults)}",
            "failed" if not there else "warning",
            "copy these again from the device; `extract` says of each what is wrong with it",
            numbers,
            value,
        )
    return Found(text, numbers=numbers, value=value)


def _names(faults: Sequence[RecordingToRead]) -> str:
    more = len(faults) - _NAMED
    named = ", ".join(item.participant for item in faults[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named
