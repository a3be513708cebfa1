"""Where the face is in every frame, while the detector looks at every fifth frame only.

Frames are held back until the next detection. If the face is found at both ends of such a stretch
and hardly moved, boxes in between are interpolated; if it is found at neither end, there is none in
between. Everything else is doubt - found at one end only, a jump, a picture that changes abruptly,
as at a cut - and then every frame of the stretch is looked at, so that a lost face is lost at the
right frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection, Detector
from client.extraction.picture import small_rgb
from shared.errors import InputError

__all__ = ["FaceFrame", "TrackingSettings", "track"]

_SAME_FACE_OVERLAP: Final = 0.3
_HARDLY_MOVED_OVERLAP: Final = 0.6
"""Intersection over union of two boxes."""

_ABRUPT_CHANGE: Final = 12.0
"""Mean absolute change of a 32 x 18 luminance thumbnail, grey levels of 255."""
_THUMBNAIL: Final = (32, 18)


@dataclass(frozen=True)
class TrackingSettings:
    """How faces are looked for.

    Attributes
    ----------
    detect_every : int
        The detector looks at every n-th frame.
    detector_width : int
        Longer side of the picture the detector sees, pixels.
    least_confidence : float
        Detections below this are no face, 0 to 1.
    """

    detect_every: int = 5
    detector_width: int = 320
    least_confidence: float = 0.6

    def __post_init__(self) -> None:
        limits = {
            "detect_every": (1, 240),
            "detector_width": (64, 4096),
            "least_confidence": (0.0, 1.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} {value} asked; {low:g} to {high:g} are possible")


class FaceFrame(NamedTuple):
    """A frame and its face, in pixels of the upright source picture; None where there is none.

    ``faces_seen`` is how many faces the detector saw, None where it did not look.
    """

    shown: ShownFrame
    face: Detection | None
    faces_seen: int | None = None


def track(
    frames: Iterable[ShownFrame], detector: Detector, settings: TrackingSettings
) -> Iterator[FaceFrame]:
    """Find the face in every frame.

    Parameters
    ----------
    frames : iterable of ShownFrame
    detector : Detector
    settings : TrackingSettings

    Yields
    ------
    FaceFrame
        One for every frame, in order; at most ``detect_every`` frames are held at a time.
    """
    look = _Look(detector, settings)
    held: list[ShownFrame] = []
    previous: Detection | None = None
    thumbnail: NDArray[np.int16] | None = None
    doubt = True
    for shown in frames:
        held.append(shown)
        now = _thumbnail(shown)
        if thumbnail is not None and np.abs(now - thumbnail).mean() > _ABRUPT_CHANGE:
            doubt = True
        thumbnail = now
        if len(held) < settings.detect_every and not doubt:
            continue
        yield from _resolve(held, previous, look, doubt)
        previous = look.last
        held, doubt = [], False
    if held:
        yield from _resolve(held, previous, look, doubt)


class _Look:
    """Runs the detector and keeps to the face it saw last."""

    def __init__(self, detector: Detector, settings: TrackingSettings) -> None:
        self._detector = detector
        self._settings = settings
        self.last: Detection | None = None
        self.faces_seen = 0

    def at(self, shown: ShownFrame, near: Detection | None) -> Detection | None:
        small, scale = small_rgb(shown.frame.picture, self._settings.detector_width)
        faces = [
            Detection(x / scale, y / scale, w / scale, h / scale, min(max(confidence, 0.0), 1.0))
            for x, y, w, h, confidence in self._detector.detect(small)
            if confidence >= self._settings.least_confidence and w > 0 and h > 0
        ]
        self.faces_seen = len(faces)
        same = [face for face in faces if near and _overlap(face, near) >= _SAME_FACE_OVERLAP]
        self.last = max(same or faces, key=lambda face: face.width * face.height, default=None)
        return self.last


def _resolve(
    held: list[ShownFrame], before: Detection | None, look: _Look, doubt: bool
) -> Iterator[FaceFrame]:
    """Faces of the held frames; the detector looks at the last of them, at all if in doubt."""
    last = look.at(held[-1], before)
    seen_last = look.faces_seen
    moved = before is not None and last is not None
    moved = moved and _overlap(before, last) < _HARDLY_MOVED_OVERLAP  # type: ignore[arg-type]
    if doubt or moved or (before is None) != (last is None):
        near = before
        for shown in held[:-1]:
            face = look.at(shown, near)
            near = face or near
            yield FaceFrame(shown, face, look.faces_seen)
        look.last = last
    else:
        for position, shown in enumerate(held[:-1], start=1):
            yield FaceFrame(shown, _between(before, last, position / len(held)))
    yield FaceFrame(held[-1], last, seen_last)


def _between(before: Detection | None, after: Detection | None, share: float) -> Detection | None:
    if before is None or after is None:
        return None
    mixed = (b + share * (a - b) for b, a in zip(before, after, strict=True))
    return Detection(*mixed)


def _overlap(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    common = max(across, 0.0) * max(down, 0.0)
    total = a.width * a.height + b.width * b.height - common
    return common / total if total > 0 else 0.0


def _thumbnail(shown: ShownFrame) -> NDArray[np.int16]:
    width, height = _THUMBNAIL
    grey = shown.frame.picture.reformat(width=width, height=height, format="gray")
    return np.asarray(grey.to_ndarray(), np.int16)
