"""RGB pixels of a part of a YUV frame, upright.

Boxes are given in the upright picture, as a viewer sees it; frames are stored with a rotation flag.
Only the crop is converted: its luminance and the chroma beneath it, with the matrix and range that
the stream declares (BT.709 from 720 lines on and BT.601 below, if it does not).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["crop_rgb", "face_in_crop", "small_rgb", "upright_size"]

_PLANAR_YUV: Final = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
)
_BT709: Final = 1
_UNSPECIFIED: Final = 2
_FULL_RANGE: Final = 2
"""Codes of ITU-T H.273 as FFmpeg reports them."""


def _quarter_turns(frame: Any) -> int:
    """Counter-clockwise quarter turns that make the stored picture upright."""
    return round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4


def upright_size(frame: Any) -> tuple[int, int]:
    """Width and height of the upright picture, pixels."""
    turned = _quarter_turns(frame) % 2
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


def small_rgb(frame: Any, longest: int) -> tuple[NDArray[np.uint8], float]:
    """Upright picture with its longer side at most ``longest`` pixels, and the scale applied.

    Returns
    -------
    picture : ndarray, shape (height, width, 3), uint8, RGB
    scale : float
        Pixels of the small picture per source pixel, at most 1.
    """
    scale = min(1.0, longest / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, _quarter_turns(frame))), scale


def crop_rgb(
    frame: Any, box: tuple[float, float, float, float], margin: float
) -> NDArray[np.uint8]:
    """Face crop: the box enlarged by ``margin`` of its size on each side, cut at the borders.

    Parameters
    ----------
    frame : av.VideoFrame
    box : tuple of float
        x, y, width, height in pixels of the upright picture.
    margin : float
        Share of width and height added on each side.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8, RGB, upright
        At least 2 x 2 pixels.
    """
    width, height = upright_size(frame)
    x, y, w, h = box
    left, right = _span(x - margin * w, x + w + margin * w, width)
    top, bottom = _span(y - margin * h, y + h + margin * h, height)
    turns = _quarter_turns(frame)
    stored = _as_stored((left, top, right, bottom), width, height, turns)
    pixels = _yuv_to_rgb(frame, stored)
    return np.ascontiguousarray(np.rot90(pixels, turns))


def face_in_crop(
    frame: Any, box: tuple[float, float, float, float], margin: float
) -> tuple[slice, slice]:
    """Rows and columns that the box itself has in ``crop_rgb(frame, box, margin)``."""
    width, height = upright_size(frame)
    x, y, w, h = box
    left, _ = _span(x - margin * w, x + w + margin * w, width)
    top, _ = _span(y - margin * h, y + h + margin * h, height)
    (x0, x1), (y0, y1) = _span(x, x + w, width), _span(y, y + h, height)
    return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Whole-pixel span inside 0..size, at least two pixels if the picture has them."""
    start = min(max(int(low), 0), max(size - 2, 0))
    stop = max(min(int(high), size), min(start + 2, size))
    return start, stop


def _as_stored(
    span: tuple[int, int, int, int], width: int, height: int, turns: int
) -> tuple[int, int, int, int]:
    """The same rectangle in the stored picture, which is turned ``turns`` times to be upright."""
    left, top, right, bottom = span
    if turns == 1:
        return height - bottom, left, height - top, right
    if turns == 2:
        return width - right, height - bottom, width - left, height - top
    if turns == 3:
        return top, width - right, bottom, width - left
    return span


def _plane(plane: Any) -> NDArray[np.uint8]:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _yuv_to_rgb(frame: Any, span: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    import cv2

    if frame.format.name not in _PLANAR_YUV:
        # Ten-bit, packed or RGB sources are rare; they pay for one whole-frame conversion.
        frame = frame.reformat(format="yuv444p")
    left, top, right, bottom = span
    luma = _plane(frame.planes[0])
    chroma = [_plane(plane) for plane in frame.planes[1:3]]
    across = 1 if chroma[0].shape[1] == luma.shape[1] else 2
    down = 1 if chroma[0].shape[0] == luma.shape[0] else 2
    # Whole chroma samples first, so that colour and luminance stay aligned; then the exact cut.
    x0, y0 = left // across, top // down
    x1, y1 = -(-right // across), -(-bottom // down)
    y = luma[y0 * down : y1 * down, x0 * across : x1 * across]
    size = (y.shape[1], y.shape[0])
    u, v = (
        cv2.resize(plane[y0:y1, x0:x1], size, interpolation=cv2.INTER_LINEAR) for plane in chroma
    )
    rgb = cv2.transform(cv2.merge([np.ascontiguousarray(y), u, v]), _matrix(frame))
    cut: NDArray[np.uint8] = rgb[
        top - y0 * down : bottom - y0 * down, left - x0 * across : right - x0 * across
    ]
    return cut


def _matrix(frame: Any) -> NDArray[np.float64]:
    """3 x 4 matrix from 8-bit YCbCr to RGB (ITU-R BT.601-7, BT.709-6)."""
    code = int(frame.colorspace)
    lines = min(frame.width, frame.height)
    wide = code == _BT709 or (code in (0, _UNSPECIFIED) and lines >= 720)
    red, blue = (0.2126, 0.0722) if wide else (0.299, 0.114)
    green = 1 - red - blue
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    luma_gain, luma_zero = (1.0, 0.0) if full else (255 / 219, 16.0)
    chroma_gain = 1.0 if full else 255 / 224
    to_rgb = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    ) * np.array([luma_gain, chroma_gain, chroma_gain])
    zero = np.array([luma_zero, 128.0, 128.0])
    return np.hstack([to_rgb, -(to_rgb @ zero)[:, None]])
