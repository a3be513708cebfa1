"""What the quality report says about one recording, from its attribute file alone."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.attributes import AttributeSeries
from shared.channels import FRAME_RATE_HZ

__all__ = ["RecordingMeasures", "measure_recording"]


@dataclass(frozen=True)
class RecordingMeasures:
    """Measures of one recording; None where the attribute file does not hold them.

    Attributes
    ----------
    duration_s : float
    face_s : float
        Time in which the face was found, seconds.
    face_share : float
        Part of the duration.
    longest_gap_s, longest_gap_from_s : float
        Longest time without a face, and when it begins.
    brightness : float, optional
        Median luminance of the face, 0 to 255.
    sharpness : float, optional
        Median sharpness of the face; ``client/extraction/face_measures.py``.
    second_face_share : float, optional
        Part of the moments the detector looked in which it saw two faces or more.
    frame_rate_hz : float, optional
        Frames of the recording divided by its duration.
    measured : bool
        Whether brightness, sharpness and faces were measured at all; they are not in attribute
        files of older versions.
    """

    duration_s: float
    face_s: float
    face_share: float
    longest_gap_s: float
    longest_gap_from_s: float
    brightness: float | None
    sharpness: float | None
    second_face_share: float | None
    frame_rate_hz: float | None
    measured: bool


def measure_recording(series: AttributeSeries) -> RecordingMeasures:
    """Measure one recording.

    Parameters
    ----------
    series : AttributeSeries

    Returns
    -------
    RecordingMeasures
    """
    n = len(series.time_s)
    gap_from, gap = _longest_run(~series.face_found)
    brightness = sharpness = second = None
    if series.pictures is not None:
        brightness = _median(series.pictures.brightness)
        sharpness = _median(series.pictures.sharpness)
        looked = series.pictures.faces_seen[series.pictures.faces_seen >= 0]
        second = float(np.mean(looked >= 2)) if looked.size else None
    return RecordingMeasures(
        duration_s=n / FRAME_RATE_HZ,
        face_s=series.face_seconds,
        face_share=float(np.mean(series.face_found)) if n else 0.0,
        longest_gap_s=gap / FRAME_RATE_HZ,
        longest_gap_from_s=gap_from / FRAME_RATE_HZ,
        brightness=brightness,
        sharpness=sharpness,
        second_face_share=second,
        frame_rate_hz=_frame_rate(series),
        measured=series.pictures is not None,
    )


def _longest_run(true: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest stretch of true values; 0, 0 if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not starts.size:
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])


def _median(values: NDArray[np.float32]) -> float | None:
    given = values[np.isfinite(values)]
    return float(np.median(given)) if given.size else None


def _frame_rate(series: AttributeSeries) -> float | None:
    try:
        source = json.loads(series.provenance["source"])
        frames, end_s = float(source["frames"]), float(source["end_s"])
    except (KeyError, TypeError, ValueError):
        return None  # a simulated child has no recording
    return frames / end_s if end_s > 0 else None
