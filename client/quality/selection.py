"""Which recordings are too poor to be used, from their attribute files."""

from collections.abc import Iterable
from pathlib import Path

from client.quality.limits import QualityLimits
from client.quality.measures import measure_recording
from client.quality.verdict import judge
from shared.attributes import read_attributes
from shared.errors import InputError

__all__ = ["unusable_recordings"]


def unusable_recordings(
    attributes: Path, participants: Iterable[str], limits: QualityLimits
) -> dict[str, tuple[str, ...]]:
    """Participants whose recording is unusable, with the reasons.

    Parameters
    ----------
    attributes : Path
        Folder that ``fedaffect-client extract`` wrote.
    participants : iterable of str
        Whose files are looked at; those without a file, or with a damaged one, are passed over.
    limits : QualityLimits

    Returns
    -------
    dict of str to tuple of str
        Sorted by participant.
    """
    found: dict[str, tuple[str, ...]] = {}
    for participant in sorted(participants):
        file = attributes / f"{participant}.parquet"
        if not file.is_file():
            continue
        try:
            series = read_attributes(file)
        except InputError:
            # Not poor but damaged, which is an error wherever it is used.
            continue
        verdict = judge(measure_recording(series), limits)
        if verdict.level == "unusable":
            found[participant] = verdict.reasons
    return found
