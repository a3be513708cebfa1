"""The quality of all recordings of a clinic, as one object that table, page and JSON show."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from client.quality.limits import QualityLimits
from client.quality.measures import RecordingMeasures, measure_recording
from client.quality.sparkline import binned
from client.quality.verdict import Level, judge
from client.site_participants import SiteParticipants
from shared.attributes import AttributeSeries, read_attributes
from shared.errors import InputError

__all__ = ["QualityReport", "RecordingQuality", "Traces", "report_quality"]

State = Level | Literal["not extracted"]
_WORST_FIRST: Final[dict[State, int]] = {
    "unusable": 0,
    "doubtful": 1,
    "not extracted": 2,
    "usable": 3,
}


@dataclass(frozen=True, eq=False)
class Traces:
    """Curves over time, for the page; at most ``MOST_BINS`` stretches of equal length.

    Attributes
    ----------
    channels : ndarray, shape (bins, 22)
    face : ndarray of bool, shape (bins,)
        Face found for most of the stretch.
    second_face : ndarray of bool, shape (bins,), optional
        Two faces or more, in any look of the stretch.
    brightness, sharpness : ndarray, shape (bins,), optional
    """

    channels: NDArray[np.float64]
    face: NDArray[np.bool_]
    second_face: NDArray[np.bool_] | None
    brightness: NDArray[np.float64] | None
    sharpness: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class RecordingQuality:
    """One child's recording.

    Attributes
    ----------
    participant : str
    state : {"usable", "doubtful", "unusable", "not extracted"}
    reasons : tuple of str
    measures : RecordingMeasures, optional
        None when there is no attribute file or it is damaged.
    traces : Traces, optional
    damaged : bool
        The attribute file is there and cannot be read.
    """

    participant: str
    state: State
    reasons: tuple[str, ...]
    measures: RecordingMeasures | None = None
    traces: Traces | None = None
    damaged: bool = False


@dataclass(frozen=True, eq=False)
class QualityReport:
    """All recordings, the worst first.

    Attributes
    ----------
    clinic : str, optional
    recordings : tuple of RecordingQuality
    limits : QualityLimits
    flow : dict of str to int
        How many children are left after each step; empty without a table of participants.
    """

    clinic: str | None
    recordings: tuple[RecordingQuality, ...]
    limits: QualityLimits
    flow: dict[str, int]

    def count(self, state: State) -> int:
        """How many recordings are in a state."""
        return sum(recording.state == state for recording in self.recordings)

    def in_words(self) -> str:
        """Counts in one line."""
        states: tuple[State, ...] = ("usable", "doubtful", "unusable", "not extracted")
        found = [f"{self.count(state)} {state}" for state in states if self.count(state)]
        return f"{len(self.recordings)} recordings: {', '.join(found)}"

    def flow_in_words(self) -> str:
        """From imported to usable; empty without a table of participants."""
        return " → ".join(f"{count} {step}" for step, count in self.flow.items())

    def to_json(self) -> dict[str, Any]:
        """The same numbers for a script; None is "not measured"."""
        return {
            "clinic": self.clinic,
            "flow": self.flow,
            "limits": self.limits.model_dump(),
            "recordings": [
                {
                    "participant": recording.participant,
                    "state": recording.state,
                    "reasons": list(recording.reasons),
                    "measures": asdict(recording.measures) if recording.measures else None,
                }
                for recording in self.recordings
            ],
        }


def report_quality(
    attributes: Path,
    limits: QualityLimits,
    *,
    people: SiteParticipants | None = None,
    clinic: str | None = None,
) -> QualityReport:
    """Judge every recording whose attributes lie in a folder.

    Parameters
    ----------
    attributes : Path
        Written by ``fedaffect-client extract``.
    limits : QualityLimits
    people : SiteParticipants, optional
        With it only the files of children who may be used are opened, and those without a file are
        listed.
    clinic : str, optional

    Raises
    ------
    InputError
        When there is no recording to judge.
    """
    files = {
        file.stem: file
        for file in sorted(attributes.glob("*.parquet"))
        if not file.name.startswith(".")
    }
    names = list(files) if people is None else [row.participant for row in people.usable]
    if not names or not any(name in files for name in names):
        raise InputError(
            f"{attributes} has no attributes of a recording that may be used; run "
            "`fedaffect-client extract` first"
        )
    recordings = sorted(
        (_quality(name, files.get(name), limits) for name in names),
        key=lambda recording: (_WORST_FIRST[recording.state], recording.participant),
    )
    flow = {} if people is None else dict(_flow(people, recordings))
    return QualityReport(clinic, tuple(recordings), limits, flow)


def _quality(participant: str, file: Path | None, limits: QualityLimits) -> RecordingQuality:
    if file is None:
        reason = ("not extracted yet; run the command extract",)
        return RecordingQuality(participant, "not extracted", reason)
    try:
        series = read_attributes(file)
    except InputError:
        reason = ("the attribute file is damaged; delete it and extract the recording again",)
        return RecordingQuality(participant, "unusable", reason, damaged=True)
    measures = measure_recording(series)
    verdict = judge(measures, limits)
    return RecordingQuality(participant, verdict.level, verdict.reasons, measures, _traces(series))


def _traces(series: AttributeSeries) -> Traces:
    channels = binned(series.values)
    face = binned(np.where(series.face_found[:, None], 1.0, np.nan))[:, 0]
    second = brightness = sharpness = None
    if series.pictures is not None:
        pictures = np.stack([series.pictures.brightness, series.pictures.sharpness], axis=1)
        brightness, sharpness = binned(pictures).T
        second = binned((series.pictures.faces_seen >= 2)[:, None].astype(float))[:, 0] > 0
    return Traces(channels, np.isfinite(face), second, brightness, sharpness)


def _flow(
    people: SiteParticipants, recordings: list[RecordingQuality]
) -> Iterator[tuple[str, int]]:
    yield "imported", len(people.rows)
    yield "consented", sum(row.consented for row in people.rows)
    yield "finished", sum(row.analysed for row in people.rows)
    if people.withdrawn:
        yield "not withdrawn", len(people.usable)
    yield "extracted", sum(recording.measures is not None for recording in recordings)
    good = sum(recording.state in ("usable", "doubtful") for recording in recordings)
    yield "usable or doubtful", good
