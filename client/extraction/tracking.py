"""Where the child's face is in every frame, while the detector looks now and then.

Frames are held back until the next look. If the face is found at both ends of such a stretch, and
is where its pixels went, boxes in between follow from both; if it is found at neither end, there is
none in between. Everything else is doubt - found at one end only, a jump, another face that comes
or goes while the child's is lost, a picture that changes abruptly, as at a cut - and then every
frame of the stretch is looked at, so that a lost face is lost at the right frame.

A look is cheap: the detector sees the surroundings of the last face, reduced so far that a face
always has about the same size there. The whole picture is looked at once a second, for other faces,
and whenever the near look does not settle the matter. The box always comes from the near look, so
boxes do not jump between two ways of looking.

A detector's box trembles by some hundredths of the face, which would tremble on in everything that
is read from the crop. Between looks the box therefore goes with the pixels of the face, and a look
corrects it: slowly if it differs a little, as the mean of many looks, at once if it differs much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.extraction.child_face import ChildFace, Patience, Place, overlap
from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection, Detector
from client.extraction.face_motion import moved_along
from client.extraction.picture import Region, region_rgb, small_rgb, thumbnail
from shared.errors import InputError

__all__ = ["FaceFrame", "Tracker", "TrackerState", "TrackingSettings"]

_SAME_FACE_OVERLAP: Final = 0.3
_HARDLY_WRONG_OVERLAP: Final = 0.6
"""Intersection over union of two boxes."""

_ABRUPT_CHANGE: Final = 12.0
"""Mean absolute change of the thumbnail, grey levels of 255."""

_NEAR: Final = 1.45
"""Side of the square that a near look covers, in longer sides of the face's box."""
_NEAR_FACE: Final = 64
"""Longer side of a face as a near look shows it, pixels. The square then has 93, and detectors that
work on multiples of 32 are cheap up to 96."""
_SHIFT: Final = 0.12
_SPREAD: Final = (0.7548776662, 0.5698402910)
"""Looks stand differently to the face, by up to half of ``_SHIFT`` of its longer side, so that
errors that come from the detector's grid average out. Powers of 1 / 1.3247179572 spread evenly over
the square (Roberts 2018, "R2 sequence")."""

_STEADY_S: Final = 1.0
"""Time constant with which a followed box gives in to small differences."""
_NEW_S: Final = 0.5
"""A face that was just found is looked at in every frame for so long, to know its box well."""
_BELIEVED: Final = 0.1
"""A difference of this many sizes of the face is half believed at once."""

_UNSETTLED_S: Final = 0.2
"""The whole picture is looked at so often while it is not settled which face is the child's."""
_EARLY_S: Final = 0.001
_NO_ERRORS: Final[tuple[float, ...]] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class TrackingSettings:
    """How faces are looked for; times are seconds of the recording.

    Attributes
    ----------
    detect_every : int
        The detector looks at every n-th frame of the 24 Hz clock.
    detector_width : int
        Longer side of the whole picture as the detector sees it, pixels.
    least_confidence : float
        Detections below this are no face, 0 to 1.
    whole_every_s : float
        The whole picture is looked at so often, for other faces; 0 is at every look.
    reference_s : float
        Over so long the usual place and size of the child's face are averaged.
    give_up_s : float
        If the child is lost, and another face stays for so long, that face is taken.
    """

    detect_every: int = 5
    detector_width: int = 320
    least_confidence: float = 0.6
    whole_every_s: float = 1.0
    reference_s: float = 5.0
    give_up_s: float = 3.0

    def __post_init__(self) -> None:
        limits = {
            "detect_every": (1, 240),
            "detector_width": (64, 4096),
            "least_confidence": (0.0, 1.0),
            "whole_every_s": (0.0, 60.0),
            "reference_s": (0.1, 600.0),
            "give_up_s": (0.0, 600.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} {value} asked; {low:g} to {high:g} are possible")


class FaceFrame(NamedTuple):
    """A frame and the child's face, in pixels of the upright source picture; None if it is lost.

    ``faces_seen`` is how many faces the whole picture shows, None where only a part was looked at.
    """

    shown: ShownFrame
    face: Detection | None
    faces_seen: int | None = None


@dataclass(frozen=True)
class TrackerState:
    """What a tracker knows after the last decided frame; numbers only.

    ``dataclasses.asdict`` makes it fit for JSON, and ``from_json`` gives the equal state back.

    Attributes
    ----------
    face : Detection or None
        The child's face in the last decided frame.
    followed_s : float
        For how long it was followed without a break.
    errors : tuple of float
        How wrong its expected box was at the last look: x and y of the centre, width and height,
        in sizes of the face.
    whole_s : float or None
        When the whole picture was looked at last, seconds of the recording.
    child : ChildFace
    """

    face: Detection | None = None
    followed_s: float = 0.0
    errors: tuple[float, ...] = _NO_ERRORS
    whole_s: float | None = None
    child: ChildFace = field(default_factory=ChildFace)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "TrackerState":
        """From what ``dataclasses.asdict`` and JSON made of a state.

        Raises
        ------
        KeyError, TypeError, ValueError
            When ``content`` is something else.
        """
        face, whole_s = content["face"], content["whole_s"]
        return cls(
            face=None if face is None else Detection(*map(float, face)),
            followed_s=float(content["followed_s"]),
            errors=tuple(map(float, content["errors"])),
            whole_s=None if whole_s is None else float(whole_s),
            child=ChildFace.from_json(content["child"]),
        )


class Tracker:
    """Finds the child's face in the frames of one recording, given one after the other.

    Parameters
    ----------
    detector : Detector
    settings : TrackingSettings
    state : TrackerState, optional
        Where an earlier tracker stopped. With ``remember(last decided frame)`` this one continues
        as that one would have, bit for bit.
    """

    def __init__(
        self,
        detector: Detector,
        settings: TrackingSettings,
        state: TrackerState = TrackerState(),
    ) -> None:
        self._settings = settings
        self._looks = _Looks(detector, settings)
        self._state = state
        self._decided: ShownFrame | None = None
        self._held: list[ShownFrame] = []
        self._thumbnail: NDArray[np.int16] | None = None

    @property
    def state(self) -> TrackerState | None:
        """What is known after the last decided frame; None while frames are held back."""
        return None if self._held else self._state

    def remember(self, shown: ShownFrame) -> None:
        """Note the last frame that was decided earlier, to compare the next one with it."""
        self._decided = shown
        self._thumbnail = thumbnail(shown.frame.picture)

    def push(self, shown: ShownFrame) -> list[FaceFrame]:
        """Take the next frame.

        Returns
        -------
        list of FaceFrame
            All frames that are decided now, in order; may be empty. Frames of at most
            ``detect_every`` ticks are held back.
        """
        before, self._thumbnail = self._thumbnail, thumbnail(shown.frame.picture)
        abrupt = before is None or np.abs(self._thumbnail - before).mean() > _ABRUPT_CHANGE
        self._held.append(shown)
        new = self._state.face is not None and self._state.followed_s < _NEW_S
        waited = sum(held.ticks for held in self._held) >= self._settings.detect_every
        return self._decide(abrupt) if abrupt or new or waited else []

    def finish(self) -> list[FaceFrame]:
        """Decide the frames that are still held back; there is no next one."""
        return self._decide(abrupt=False) if self._held else []

    def _decide(self, abrupt: bool) -> list[FaceFrame]:
        held, start = self._held, self._state
        decided = [] if abrupt else self._look_at_last(held, start)
        if not decided:
            for shown in held:
                decided.append(self._look_at(shown, cut=abrupt and shown is held[-1]))
        self._decided, self._held = held[-1], []
        return decided

    def _look_at_last(self, held: list[ShownFrame], start: TrackerState) -> list[FaceFrame]:
        """All held frames from a look at the last one; none of them if in doubt."""
        expected = _followed(start.face, self._decided, held)
        look = self._looks.at(held[-1], start, expected[-1])
        if len(held) > 1 and _in_doubt(start, expected[-1], look.state):
            return []
        self._state = look.state
        decided = [
            FaceFrame(shown, _on_the_way(face, expected[-1], look.state.face, number / len(held)))
            for number, (shown, face) in enumerate(zip(held, expected, strict=True), start=1)
        ]
        return [*decided[:-1], FaceFrame(held[-1], look.state.face, look.faces_seen)]

    def _look_at(self, shown: ShownFrame, cut: bool) -> FaceFrame:
        expected = self._state.face
        if not cut:
            (expected,) = _followed(expected, self._decided, [shown])
        look = self._looks.at(shown, self._state, expected, whole=cut)
        self._state, self._decided = look.state, shown
        return FaceFrame(shown, look.state.face, look.faces_seen)


def _followed(
    face: Detection | None, decided: ShownFrame | None, held: list[ShownFrame]
) -> list[Detection | None]:
    """Where the pixels of the face in the last decided frame went, in each held frame.

    Every other frame is compared, the last one always; the others are half way.
    """
    if face is None or decided is None:
        return [face] * len(held)
    expected: list[Detection | None] = []
    for number, shown in enumerate(held, start=1):
        if (len(held) - number) % 2:
            continue
        there = moved_along(face, decided.frame.picture, shown.frame.picture)
        if len(expected) < number - 1:
            expected.append(_between(face, there, 0.5))
        expected.append(there)
        face, decided = there, shown
    return expected


def _in_doubt(before: TrackerState, expected: Detection | None, after: TrackerState) -> bool:
    if expected is not None and after.face is not None:
        return overlap(expected, after.face) < _HARDLY_WRONG_OVERLAP
    stranger_came_or_went = (before.child.stranger is None) != (after.child.stranger is None)
    return expected is not after.face or stranger_came_or_went


def _on_the_way(
    here: Detection | None, expected: Detection | None, seen: Detection | None, share: float
) -> Detection | None:
    """``here`` and a share of what the look at the end of the stretch corrects."""
    if here is None or expected is None or seen is None:
        return None
    both = zip(here, expected, seen, strict=True)
    return Detection(*(h + share * (s - e) for h, e, s in both))


def _between(a: Detection, b: Detection, share: float) -> Detection:
    return Detection(*(x + share * (y - x) for x, y in zip(a, b, strict=True)))


def _corrected(
    expected: Detection, seen: Detection, before: TrackerState, seconds: float
) -> tuple[Detection, tuple[float, ...]]:
    """``expected`` moved towards ``seen``, and how wrong it was, in sizes of the face.

    Centre, width and height are corrected each by themselves.
    """
    size = Place.of(expected).size
    # The mean of all looks at first.
    least = max(1 - exp(-seconds / _STEADY_S), seconds / (before.followed_s + 2 * seconds))
    old = _centred(expected)
    errors = tuple((new - o) / size for o, new in zip(old, _centred(seen), strict=True))
    corrected = []
    for o, error, earlier in zip(old, errors, before.errors, strict=True):
        # Detectors err grossly now and then, but not twice in the same way.
        sure = min(abs(error), abs(earlier)) if error * earlier > 0 else 0.0
        share = max(least, sure**4 / (_BELIEVED**4 + sure**4))
        corrected.append(o + share * error * size)
    x, y, width, height = corrected
    return Detection(x - width / 2, y - height / 2, width, height, seen.confidence), errors


def _centred(face: Detection) -> tuple[float, float, float, float]:
    return face.x + face.width / 2, face.y + face.height / 2, face.width, face.height


class _Look(NamedTuple):
    """What is known after a look; ``faces_seen`` None if it was a near one only."""

    state: TrackerState
    faces_seen: int | None


class _Looks:
    """Looks at single frames; the outcome follows from what ``at`` is given alone."""

    def __init__(self, detector: Detector, settings: TrackingSettings) -> None:
        self._detector = detector
        self._settings = settings
        self._patience = Patience(settings.reference_s, settings.give_up_s)
        self._whole: tuple[ShownFrame, list[Detection]] | None = None

    def at(
        self,
        shown: ShownFrame,
        before: TrackerState,
        expected: Detection | None,
        whole: bool = False,
    ) -> _Look:
        """Look for the child's face, at the whole picture if it is time, asked for, or needed."""
        time_s, child = shown.frame.time_s, before.child
        near = [] if expected is None else self._near(shown, expected)
        face = child.among(near, expected)
        whole_s, faces_seen = before.whole_s, None
        if whole or face is None or self._whole_is_due(before, time_s):
            everything = self._in_whole(shown)
            # Near looks find faces that are too small for the look at the whole.
            everything += [] if face is None or _nearest(everything, face) else [face]
            chosen, child = child.in_whole(everything, expected, time_s, self._patience)
            face = chosen and self._precise(shown, chosen, near)
            whole_s, faces_seen = time_s, len(everything)
        if face is None:
            return _Look(TrackerState(whole_s=whole_s, child=child), faces_seen)
        seconds = time_s - child.last_s
        child = child.seen(face, expected, time_s, self._patience)
        followed_s, errors = 0.0, _NO_ERRORS
        if expected is not None and seconds > 0 and overlap(expected, face) >= _SAME_FACE_OVERLAP:
            face, errors = _corrected(expected, face, before, seconds)
            followed_s = before.followed_s + seconds
        return _Look(TrackerState(face, followed_s, errors, whole_s, child), faces_seen)

    def _whole_is_due(self, before: TrackerState, time_s: float) -> bool:
        if before.whole_s is None:
            return True
        every_s = self._settings.whole_every_s
        if not before.child.settled:
            every_s = min(every_s, _UNSETTLED_S)
        return time_s - before.whole_s >= every_s - _EARLY_S

    def _precise(self, shown: ShownFrame, face: Detection, near: list[Detection]) -> Detection:
        """The same face as a near look sees it; as it is if that does not find it."""
        return _nearest(near, face) or _nearest(self._near(shown, face), face) or face

    def _in_whole(self, shown: ShownFrame) -> list[Detection]:
        if self._whole is None or self._whole[0] is not shown:
            picture, scale = small_rgb(shown.frame.picture, self._settings.detector_width)
            self._whole = shown, self._faces(Region(picture, 0, 0, 1 / scale, 1 / scale))
        return list(self._whole[1])

    def _near(self, shown: ShownFrame, face: Detection) -> list[Detection]:
        longer = max(face.width, face.height)
        right, down = (shown.frame.index * step % 1.0 - 0.5 for step in _SPREAD)
        side = _NEAR * longer
        x = face.x + face.width / 2 - side / 2 + _SHIFT * right * longer
        y = face.y + face.height / 2 - side / 2 + _SHIFT * down * longer
        scale = min(1.0, _NEAR_FACE / longer)
        return self._faces(region_rgb(shown.frame.picture, (x, y, side, side), scale))

    def _faces(self, region: Region) -> list[Detection]:
        found = [_in_source(face, region) for face in self._detector.detect(region.picture)]
        least = self._settings.least_confidence
        return [f for f in found if f.confidence >= least and f.width > 0 and f.height > 0]


def _in_source(face: Detection, region: Region) -> Detection:
    return Detection(
        float(region.left + face.x * region.across),
        float(region.top + face.y * region.down),
        float(face.width * region.across),
        float(face.height * region.down),
        float(min(max(face.confidence, 0.0), 1.0)),
    )


def _nearest(faces: list[Detection], face: Detection) -> Detection | None:
    """The one that overlaps most with ``face``, if any is the same."""
    best = max(faces, key=lambda other: overlap(other, face), default=None)
    return best if best is not None and overlap(best, face) >= _SAME_FACE_OVERLAP else None
