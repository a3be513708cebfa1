"""Faces made unrecognisable for good, and the whole picture hidden when in doubt.

Of a covered region nothing remains: the mosaic drawn over it is made up. A mosaic of the region's
own colours would look alike and protect less: networks recognise people in mosaics of 8 x 8 cells
(McPherson, Shokri and Shmatikov 2016, arXiv:1609.00408), and a clip would show many different
mosaics of one moving face, which together are a sharp one.

The law of this file, fail closed: a picture is shown only if the child's face was found at its
tick and at all ticks a quarter of a second before and after, and the detector, looking again, sees
a face there. Then every face is covered, the child's and all others seen in that picture or just
before and after. Otherwise the whole picture is hidden.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.extraction.child_face import overlap
from client.extraction.detector import Detection, Detector
from client.look.frames import upright_frames
from client.look.subject import Subject
from shared.attributes import AttributeSeries

__all__ = ["Shown", "cover", "covered_pictures", "faces_to_cover", "pictures_as_they_are"]

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are not part of it."""

_AROUND_TICKS: Final = 6
"""A quarter of a second: next to a lost face, a face may be half there."""
_ENLARGED: Final = 0.4
"""Share of the box added on each side: hair, ears and chin are covered as well."""
_LEAST_CONFIDENCE: Final = 0.2
"""A face that is hardly one is covered as well; too much costs nothing here."""
_WIDTHS: Final = (320, 640)
"""Longer sides of the pictures the detector sees: near faces in the small one, far in the other."""
_SAME_FACE_OVERLAP: Final = 0.3
"""Intersection over union."""
_CELLS: Final = 8
_GREYS: Final = (118, 170)
"""Darkest and lightest of the made-up cells."""


class Shown(NamedTuple):
    """The picture at one tick; ``hidden`` when nothing of it may be seen."""

    tick: int
    picture: NDArray[np.uint8]
    hidden: bool = False


def pictures_as_they_are(
    subject: Subject, ticks: Iterable[int], *, report: Callable[[int, int], None] | None = None
) -> Iterator[Shown]:
    """The picture at each tick, in order of time, with the faces in it.

    Parameters
    ----------
    subject : Subject
    ticks : iterable of int
    report : callable, optional
        Called with frames done, and frames in all.
    """
    ticks = sorted(ticks)
    frames = _frames(subject, subject.series.frame[ticks].tolist(), report)
    yield from (Shown(tick, picture) for tick, picture in _at_ticks(subject, ticks, frames))


def covered_pictures(
    subject: Subject,
    ticks: Iterable[int],
    detector: Detector,
    *,
    report: Callable[[int, int], None] | None = None,
) -> Iterator[Shown]:
    """The picture at each tick, in order of time, with every face covered or wholly hidden.

    Parameters
    ----------
    subject : Subject
    ticks : iterable of int
    detector : Detector
    report : callable, optional
        Called with frames done, and frames in all.
    """
    ticks = sorted(ticks)
    frame_of, n = subject.series.frame, len(subject.series.time_s)
    half = _AROUND_TICKS // 2
    looked = {
        int(frame_of[tick + step])
        for tick in ticks
        for step in range(-_AROUND_TICKS, _AROUND_TICKS + 1, half)
        if 0 <= tick + step < n
    }
    total = len(looked) + len(set(frame_of[ticks].tolist()))

    def looking(done: int) -> None:
        if report is not None:
            report(done, total)

    def showing(done: int, _: int) -> None:
        if report is not None:
            report(len(looked) + done, total)

    provenance = subject.series.provenance
    seen = {
        index: _faces(picture, detector)
        for index, picture in upright_frames(subject.video, looked, provenance, report=looking)
    }
    frames = _frames(subject, frame_of[ticks].tolist(), showing)
    for tick, picture in _at_ticks(subject, ticks, frames):
        height, width = picture.shape[:2]
        faces = faces_to_cover(subject.series, tick, seen, (width, height))
        if faces is None:
            yield Shown(tick, cover(picture, [(0, 0, width, height)]), hidden=True)
        else:
            yield Shown(tick, cover(picture, faces))


def faces_to_cover(
    series: AttributeSeries,
    tick: int,
    seen: Mapping[int, Sequence[Detection]],
    size: tuple[int, int],
) -> list[Rectangle] | None:
    """Parts of the picture at ``tick`` that may hold a face, none of them overlapping another.

    Parameters
    ----------
    series : AttributeSeries
    tick : int
    seen : mapping of int to sequence of Detection
        Faces by source frame, in the picture's pixels; the frame of ``tick`` must be among them.
    size : tuple of int
        Width and height of the picture.

    Returns
    -------
    list of tuple or None
        None when the whole picture must be hidden.
    """
    around = slice(max(tick - _AROUND_TICKS, 0), tick + _AROUND_TICKS + 1)
    if not series.face_found[around].all():
        return None
    x, y, width, height = series.box[tick].tolist()
    child = Detection(x, y, width, height, 1.0)
    if not any(overlap(child, face) >= _SAME_FACE_OVERLAP for face in seen[series.frame[tick]]):
        return None
    faces = [Detection(x, y, w, h, 1.0) for x, y, w, h in series.box[around].tolist()]
    for frame in np.unique(series.frame[around]).tolist():
        faces += seen.get(frame, ())
    return _merged([_enlarged(face, size) for face in faces])


def cover(picture: NDArray[np.uint8], rectangles: Iterable[Rectangle]) -> NDArray[np.uint8]:
    """A copy of the picture with a made-up mosaic in each rectangle.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
    rectangles : iterable of tuple

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        Inside the rectangles it depends on nothing but their size.
    """
    covered = picture.copy()
    greys = np.random.default_rng(0).integers(*_GREYS, (_CELLS, _CELLS, 1), np.uint8)
    for left, top, right, bottom in rectangles:
        cell = max(1, ceil(max(right - left, bottom - top) / _CELLS))
        rows, columns = np.arange(bottom - top) // cell, np.arange(right - left) // cell
        covered[top:bottom, left:right] = greys[rows[:, None], columns[None, :]]
    return covered


def _frames(
    subject: Subject, wanted: list[int], report: Callable[[int, int], None] | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    total = len(set(wanted))

    def done(count: int) -> None:
        if report is not None:
            report(count, total)

    return upright_frames(subject.video, wanted, subject.series.provenance, report=done)


def _at_ticks(
    subject: Subject, ticks: list[int], frames: Iterator[tuple[int, NDArray[np.uint8]]]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Repeat a frame at every tick at which it is shown."""
    index = -1
    for tick in ticks:
        while index < subject.series.frame[tick]:
            index, picture = next(frames)
        yield tick, picture


def _faces(picture: NDArray[np.uint8], detector: Detector) -> list[Detection]:
    """Every face in the picture, also the doubtful ones, in its pixels."""
    import cv2

    height, width = picture.shape[:2]
    faces = []
    for longest in _WIDTHS:
        scale = min(1.0, longest / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        faces += [
            Detection(x / scale, y / scale, w / scale, h / scale, confidence)
            for x, y, w, h, confidence in detector.detect(small)
            if confidence >= _LEAST_CONFIDENCE and w > 0 and h > 0
        ]
    return faces


def _enlarged(face: Detection, size: tuple[int, int]) -> Rectangle:
    """The face and its surroundings inside the picture; empty if it lies wholly outside."""
    width, height = size
    more_x, more_y = _ENLARGED * face.width, _ENLARGED * face.height
    return (
        max(int(face.x - more_x), 0),
        max(int(face.y - more_y), 0),
        min(ceil(face.x + face.width + more_x), width),
        min(ceil(face.y + face.height + more_y), height),
    )


def _merged(rectangles: Iterable[Rectangle]) -> list[Rectangle]:
    """Those that are not empty; overlapping ones become the rectangle around them."""
    merged: list[Rectangle] = []
    for rectangle in rectangles:
        if rectangle[0] >= rectangle[2] or rectangle[1] >= rectangle[3]:
            continue
        while touching := [other for other in merged if _touch(rectangle, other)]:
            merged = [other for other in merged if other not in touching]
            lefts, tops, rights, bottoms = zip(rectangle, *touching, strict=True)
            rectangle = (min(lefts), min(tops), max(rights), max(bottoms))
        merged.append(rectangle)
    return merged


def _touch(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
