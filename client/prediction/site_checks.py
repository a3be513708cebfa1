"""What only the clinic's own folder knows about a model and a recording.

Numbers read by another network are other numbers. A study file names no network, so a recording is
compared with what this clinic read from the children it took part with.
"""

from pathlib import Path
from typing import Final

from client.site_folder import FrozenParticipants, SiteFolder
from client.site_participants import read_site_participants
from shared.attributes import AttributeSeries, read_attributes
from shared.errors import InputError, PrivacyError
from shared.model_file import ModelFile

__all__ = ["WEIGHTS_UNCHECKED", "participant_of", "refuse_withdrawn", "site_warnings"]

WEIGHTS_UNCHECKED: Final = (
    "It could not be checked that this recording was read with the same network as the study's "
    "children; with another network the number means nothing."
)

_SHOULD_AGREE: Final = {
    "detector": "face detector",
    "parameters": "settings of the extraction",
}


def refuse_withdrawn(folder: SiteFolder, participant: str) -> None:
    """Read nothing of a child who left.

    Raises
    ------
    PrivacyError
        When the ledger records the withdrawal.
    """
    with folder.ledger().locked() as book:
        if book.is_withdrawn(participant):
            raise PrivacyError(
                f"{participant} has withdrawn; the recordings of children who withdrew are not read"
            )


def participant_of(folder: SiteFolder, video: Path) -> str:
    """Whose recording it is: by the clinic's table, or else by its file name.

    Raises
    ------
    PrivacyError
        When it is the recording of a child who withdrew, did not consent, or did not finish.
    """
    if folder.participants.exists():
        people = read_site_participants(folder)
        usable = {row.participant for row in people.usable}
        for row in people.rows:
            if row.video and _same_file(people.recordings / row.video, video):
                if row.participant not in usable:
                    raise PrivacyError(
                        f"this is the recording of {row.participant}, who did not consent, did not "
                        "finish, or withdrew; it is not read"
                    )
                return row.participant
    refuse_withdrawn(folder, video.stem)
    return video.stem


def _same_file(listed: Path, video: Path) -> bool:
    try:
        return listed.samefile(video)
    except OSError:
        return False


def site_warnings(folder: SiteFolder, model_file: ModelFile, series: AttributeSeries) -> list[str]:
    """What staff should know before they read the number.

    Raises
    ------
    InputError
        When the recording was read with other weights than the children of the study here.
    """
    study = model_file.study.digest
    with folder.ledger().locked() as book:
        approved = study in book.studies
        recorded = approved and model_file.sha256 in book.study(study).models
    found = []
    if not approved:
        found.append(
            "This clinic did not approve the model's study. Compare the study's hash with the "
            "coordinator before you believe the number."
        )
        return [*found, WEIGHTS_UNCHECKED]
    if not recorded:
        found.append(
            "This model file is not recorded at this clinic; `fedaffect-client record-model` does "
            "it, so that a withdrawal can name the model."
        )
    names = FrozenParticipants.read(folder.study(study) / "participants.json").participants
    if series.participant in names:
        found.append(
            "This child took part in the study, so the model has seen the child: the number is "
            "surer than it should be."
        )
    return found + _origin_warnings(folder.attributes, names, series)


def _origin_warnings(folder: Path, names: tuple[str, ...], series: AttributeSeries) -> list[str]:
    files = [folder / f"{name}.parquet" for name in names if name != series.participant]
    there = next((file for file in files if file.is_file()), None)
    if there is None:
        return [WEIGHTS_UNCHECKED]
    # One file is enough: `features` refuses to mix files that differ in any of this.
    known = read_attributes(there).provenance
    weights = series.provenance.get("weights_sha256"), known.get("weights_sha256")
    if weights[0] != weights[1]:
        raise InputError(
            f"this recording was read with the weights {_short(weights[0])}, the study's children "
            f"with {_short(weights[1])}; other weights give other numbers. Give the study's with "
            "--weights"
        )
    return [
        f"This recording was read with another {what} than the study's children."
        for key, what in _SHOULD_AGREE.items()
        if series.provenance.get(key) != known.get(key)
    ]


def _short(digest: str | None) -> str:
    return f"{digest[:12]}..." if digest else "of nobody (a simulated child)"
