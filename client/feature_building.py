"""One table of temporal features from a folder of attribute files.

Rows can only be compared when the same network and software made them, so files of mixed origin
are refused instead of being averaged over.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from shared.attributes import AttributeSeries, read_attributes
from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.features import FEATURE_NAMES, FeatureTable, temporal_features
from shared.participants import ParticipantRow

__all__ = ["BuiltFeatures", "build_features", "with_diagnoses"]

_MUST_AGREE: Final = {
    "source": "where they come from (recordings or simulated children)",
    "weights_sha256": "the network's weights",
    "detector": "the face detector",
    "software": "the software version",
    "parameters": "the extraction parameters",
}


@dataclass(frozen=True, eq=False)
class BuiltFeatures:
    """A feature table and the participants whose row is empty.

    Attributes
    ----------
    table : FeatureTable
    face_seconds : dict of str to float
        Seconds with a face of every participant.
    too_short : tuple of str
        Participants whose row is NaN because too little of the recording shows a face.
    """

    table: FeatureTable
    face_seconds: dict[str, float]
    too_short: tuple[str, ...]


def build_features(folder: Path, *, only: Container[str] | None = None) -> BuiltFeatures:
    """Features of every attribute file in ``folder``.

    Parameters
    ----------
    folder : Path
        Written by ``fedaffect-client extract``.
    only : container of str, optional
        Participants whose files are read; other files are not opened.

    Returns
    -------
    BuiltFeatures
        Rows sorted by participant.

    Raises
    ------
    InputError
        When the folder is missing or empty, a file is damaged, two files name one participant, or
        the files were made with different weights, software or parameters.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder that `extract` wrote")
    files = sorted(file for file in folder.glob("*.parquet") if not file.name.startswith("."))
    if only is not None:
        files = [file for file in files if file.stem in only]
    if not files:
        of_whom = "" if only is None else " of a child who consented and finished"
        raise InputError(f"{folder}: no attribute file (*.parquet){of_whom}; run `extract` first")
    names: list[str] = []
    rows = []
    seconds: dict[str, float] = {}
    first: AttributeSeries | None = None
    for file in files:
        series = read_attributes(file)
        first = first or series
        _check_same_origin(files[0], first, file, series)
        names.append(series.participant)
        rows.append(temporal_features(series.values, rate_hz=FRAME_RATE_HZ))
        seconds[series.participant] = series.face_seconds
    table = FeatureTable(
        tuple(names),
        np.stack(rows),
        tuple(FEATURE_NAMES),
        source="surrogate" if first and _origin(first, "source") == "surrogate" else "measured",
    )
    return BuiltFeatures(table, seconds, _empty_rows(names, rows))


def with_diagnoses(table: FeatureTable, people: Sequence[ParticipantRow]) -> FeatureTable:
    """Keep the participants who consented and finished, with their diagnosis.

    Parameters
    ----------
    table : FeatureTable
    people : sequence of ParticipantRow
        The clinic's own table of participants.

    Raises
    ------
    InputError
        When a participant of the feature table is unknown, or nobody may take part.
    """
    known = {person.participant: person for person in people}
    unknown = [name for name in table.participants if name not in known]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(table)} participants with features are not in the table of "
            f"participants: {', '.join(unknown[:5])}. Add them with their diagnosis and consent"
        )
    kept = table.select(np.array([known[name].analysed for name in table.participants]))
    if not len(kept):
        raise InputError(
            f"none of the {len(table)} participants with features consented and finished; look at "
            "the columns `consent` and `finished`"
        )
    return replace(kept, asd=np.array([known[name].asd for name in kept.participants]))


def _empty_rows(names: Sequence[str], rows: Sequence[np.ndarray]) -> tuple[str, ...]:
    pairs = zip(names, rows, strict=True)
    return tuple(name for name, row in pairs if not np.isfinite(row).any())


def _check_same_origin(
    first_file: Path, first: AttributeSeries, file: Path, series: AttributeSeries
) -> None:
    for key, what in _MUST_AGREE.items():
        if _origin(first, key) != _origin(series, key):
            raise InputError(
                f"{first_file.name} and {file.name} differ in {what}; extract all recordings "
                "again with one version into one folder"
            )


def _origin(series: AttributeSeries, key: str) -> str | None:
    """What of a file's provenance must agree; a recording is described, a surrogate only named."""
    value = series.provenance.get(key)
    if key == "source":
        return "surrogate" if value == "surrogate" else "recording"
    return value
