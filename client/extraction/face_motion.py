"""How a face moved from one frame to the next, from its pixels and not from the detector.

The detector's box trembles by one to four hundredths of the face, the more so the smaller the
picture it sees; pixels tell the movement ten times as exactly, but their errors add up. Together
they give a box that is steady and stays in its place, see ``tracking``.
"""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from client.extraction.detector import Detection
from client.extraction.picture import upright_luminance

__all__ = ["moved_along"]

_SIDES: Final = (10, 20, 40)
"""Pixels across of what is compared, round after round: coarse for far moves, then fine."""
_COVER: Final = 1.1
"""Size of what is compared, in boxes."""
_OUTLIER: Final = 25.0
_REACH: Final = 2.0
"""Differences above this, grey levels and what a move by so many pixels explains, count as this: a
hand, a blink."""
_FARTHEST: Final = 0.25
_LARGEST: Final = 0.15
"""A move by more than this share of the face, or growth by more, is not believed."""


def moved_along(face: Detection, before: Any, now: Any) -> Detection:
    """The box of ``face`` in the next frame: moved and scaled as its pixels were.

    Least squares over shift and scale of a small grey picture, Gauss-Newton steps with the
    gradients of the first frame (Lucas and Kanade 1981; Baker and Matthews, IJCV 2004). What
    stands in the middle counts most: the background stays when the face moves.

    Parameters
    ----------
    face : Detection
        In ``before``, pixels of the upright picture.
    before, now : av.VideoFrame

    Returns
    -------
    Detection
        Same confidence; ``face`` itself if nothing fits, as at a cut.
    """

    width, height = _COVER * face.width, _COVER * face.height
    x, y = face.x + face.width / 2, face.y + face.height / 2
    region = (x - width / 2, y - height / 2, width, height)
    finest = (max(_SIDES),) * 2
    old, (left, top, right, bottom) = upright_luminance(before, region, finest)
    new, _ = upright_luminance(now, region, finest)
    # Shift in shares of the region, and growth of the picture in it.
    shift_x = shift_y = growth = 0.0
    for side in _SIDES:
        here, there = _reduced(old, side), _reduced(new, side)
        step = _step(here, _warped(there, shift_x, shift_y, growth))
        shift_x, shift_y, growth = shift_x - step[0], shift_y - step[1], growth - step[2]
    near = max(abs(shift_x), abs(shift_y)) <= _FARTHEST and abs(growth) <= _LARGEST
    if not near or _unlike(old, _warped(new, shift_x, shift_y, growth)) > _unlike(old, new):
        return face
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    x = middle_x + shift_x * (right - left) + (1 + growth) * (x - middle_x)
    y = middle_y + shift_y * (bottom - top) + (1 + growth) * (y - middle_y)
    width, height = (1 + growth) * face.width, (1 + growth) * face.height
    return Detection(x - width / 2, y - height / 2, width, height, face.confidence)


def _reduced(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    if side == len(picture):
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))


def _warped(
    picture: NDArray[np.uint8], shift_x: float, shift_y: float, growth: float
) -> NDArray[np.uint8]:
    import cv2

    if shift_x == shift_y == growth == 0:
        return picture
    side = len(picture)
    rest = -growth * (side - 1) / 2
    affine = np.array(
        [[1 + growth, 0, shift_x * side + rest], [0, 1 + growth, shift_y * side + rest]]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, affine, (side, side), flags=how, borderMode=border))


def _step(here: NDArray[np.uint8], there: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shift (x and y, shares of the side) and growth that ``there`` has too little, negative."""
    import cv2

    side = len(here)
    across, down, weight, least = _constants(side)
    slopes = np.empty((3, side, side), np.float32)
    cv2.Sobel(here, cv2.CV_32F, 1, 0, dst=slopes[0], ksize=3, scale=0.125)
    cv2.Sobel(here, cv2.CV_32F, 0, 1, dst=slopes[1], ksize=3, scale=0.125)
    most = _OUTLIER + _REACH * (np.abs(slopes[0]) + np.abs(slopes[1]))
    np.multiply(slopes[0], across, out=slopes[2])
    slopes[2] += slopes[1] * down
    miss = cv2.subtract(there, here, dtype=cv2.CV_32F)
    # The mean is the change of the light.
    miss -= np.vdot(miss, weight) / weight.sum()
    believed = np.minimum(np.maximum(miss, -most), most)
    weighted = (slopes * weight).reshape(3, -1)
    normal = weighted @ slopes.reshape(3, -1).T + least
    step = np.linalg.solve(normal, weighted @ believed.ravel())
    return np.asarray(step / (side, side, 1), np.float64)


def _unlike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    import cv2

    _, _, weight, _ = _constants(len(a))
    return float(np.vdot(cv2.absdiff(a, b).astype(np.float32), weight))


@lru_cache
def _constants(side: int) -> tuple[NDArray[np.float32], ...]:
    """Coordinates from the middle, weights, and what keeps a patch without slopes in place."""
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    across, down = np.meshgrid(line, line)
    weight = np.outer(*[np.cos(np.pi * line / side)] * 2)
    least = np.diag([1.0, 1.0, side**2 / 4])
    return across, down, weight.astype(np.float32), least.astype(np.float32)
