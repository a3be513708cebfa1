"""Whose recording is looked at: the attribute file and the very recording it was read from.

A child of the site folder is looked at only while it may be used. Nothing of anybody else is
opened, and a recording that is not byte for byte the extracted one is refused: boxes and numbers
would lie.
"""

from dataclasses import dataclass
from pathlib import Path

from client.look.kept import kept_looks
from client.site_folder import SiteFolder
from client.site_participants import SiteParticipants, read_site_participants
from shared.attributes import AttributeSeries, read_attributes
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["Subject", "subject_of_files", "subject_of_site"]


@dataclass(frozen=True, eq=False)
class Subject:
    """An extracted recording.

    Attributes
    ----------
    series : AttributeSeries
        At least one row.
    video : Path
        With the SHA-256 that the series' provenance states.
    """

    series: AttributeSeries
    video: Path

    @property
    def participant(self) -> str:
        """Pseudonym."""
        return self.series.participant


def subject_of_site(folder: SiteFolder, participant: str) -> Subject:
    """A child of the site folder.

    Raises
    ------
    InputError
        When the child is unknown or may not be used, was not extracted yet, or the recording is
        missing or has changed.
    LedgerError
        When the ledger, which knows who withdrew, cannot be read.
    """
    people = read_site_participants(folder)
    _check_usable(people, folder, participant)
    attributes = folder.attributes / f"{participant}.parquet"
    if not attributes.exists():
        raise InputError(
            f"{participant} was not extracted yet; run `fedaffect-client extract --site "
            f"{folder.root}` first"
        )
    recording = next(item for item in people.to_read() if item.participant == participant)
    if recording.file is None:
        raise InputError(f"the recording of {participant}: {recording.fault}")
    return _checked(attributes, recording.file, participant)


def subject_of_files(attributes: Path, video: Path, participant: str | None = None) -> Subject:
    """Somebody whose attribute file and recording are given.

    Parameters
    ----------
    attributes, video : Path
    participant : str, optional
        Who it must be.

    Raises
    ------
    InputError
        When one of the files is missing or damaged, or they do not belong together.
    """
    return _checked(attributes, video, participant)


def _check_usable(people: SiteParticipants, folder: SiteFolder, participant: str) -> None:
    row = next((row for row in people.rows if row.participant == participant), None)
    if row is None:
        raise InputError(
            f"{participant} is not among the imported children; check the spelling in "
            f"{folder.participants}, or import the spreadsheet again"
        )
    reason = None
    if participant in people.withdrawn:
        reason = "was withdrawn"
    elif not row.consented:
        reason = "has no consent"
    elif not row.finished:
        reason = "did not finish"
    if reason is None:
        return
    older = kept_looks(folder, participant)
    delete = f". {folder.looks} still has pictures of this child: delete them" if older else ""
    raise InputError(f"{participant} {reason}; the recording is not opened{delete}")


def _checked(attributes: Path, video: Path, participant: str | None) -> Subject:
    series = read_attributes(attributes)
    if participant is not None and series.participant != participant:
        raise InputError(f"{attributes} belongs to another child; extract the recording again")
    if not len(series.time_s):
        raise InputError(f"{attributes} has no row; extract the recording again")
    if not video.is_file():
        raise InputError(f"{video}: no such recording; put it back where it was")
    try:
        digest = sha256_of(video)
    except PermissionError:
        raise InputError(f"{video} may not be read; check the file's permissions") from None
    if series.provenance.get("video_sha256") != digest:
        raise InputError(
            f"{video} is not the recording that {attributes} was read from, or it has changed "
            "since; extract it again"
        )
    return Subject(series, video)
