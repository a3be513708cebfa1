"""RGB pixels of a part of a YUV frame, upright.

Boxes are given in the upright picture, as a viewer sees it; frames are stored with a rotation flag.
Only the crop is converted: its luminance and the chroma beneath it, with the matrix and range that
the stream declares (BT.709 from 720 lines on and BT.601 below, if it does not). A crop that will be
reduced anyway is reduced first, plane by plane: the conversion is linear, so the order changes
nothing but the cost.
"""

import functools
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.affect.resampling import reduced

__all__ = [
    "Region",
    "box_luminance",
    "crop_rgb",
    "region_rgb",
    "small_rgb",
    "thumbnail",
    "upright_luminance",
    "upright_size",
]

_PLANAR_YUV: Final = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
)
_THUMBNAIL: Final = (32, 18)
_BT709: Final = 1
_UNSPECIFIED: Final = 2
_BT601: Final = 6
_FULL_RANGE: Final = 2
"""Codes of ITU-T H.273 as FFmpeg reports them."""
_LUMA_WEIGHTS: Final = {
    _BT709: (0.2126, 0.0722),
    _BT601: (0.299, 0.114),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Share of red and of blue in the luminance, by matrix code; 9 and 10 are BT.2020, as iPads use
for HDR. High dynamic range itself is not undone: such faces look paler than they were."""


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
    width, height = upright_size(frame)
    return region_rgb(frame, (0, 0, width, height), scale).picture, scale


class Region(NamedTuple):
    """A part of the upright picture, reduced; its pixel (i, j) stands at left + i * across, ...

    Attributes
    ----------
    picture : ndarray, shape (height, width, 3), uint8, RGB
    left, top : int
        Its corner in the source, pixels.
    across, down : float
        Source pixels per pixel of ``picture``.
    """

    picture: NDArray[np.uint8]
    left: int
    top: int
    across: float
    down: float


def region_rgb(frame: Any, region: tuple[float, float, float, float], scale: float) -> Region:
    """A part of the picture for the face detector, cut at the borders of the picture.

    Each plane is reduced before it is converted, by 2 x 2 averages of bilinear samples: nearly as
    free of false detail as averages over whole areas, at a tenth of their cost.

    Parameters
    ----------
    frame : av.VideoFrame
    region : tuple of float
        x, y, width, height in pixels of the upright picture; widened to whole chroma samples.
    scale : float
        Pixels of the result per source pixel, at most 1.

    Returns
    -------
    Region
    """
    import cv2

    width, height = upright_size(frame)
    x, y, w, h = region
    left, right = _span(x, x + w, width)
    top, bottom = _span(y, y + h, height)
    left, top = left // 2 * 2, top // 2 * 2
    right, bottom = min(-(-right // 2) * 2, width), min(-(-bottom // 2) * 2, height)
    turns = _quarter_turns(frame)
    x0, y0, x1, y1 = _as_stored((left, top, right, bottom), width, height, turns)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    frame = _planar(frame)
    luma, *chroma = (_plane(plane) for plane in frame.planes[:3])
    across = 1 if chroma[0].shape[1] == luma.shape[1] else 2
    down = 1 if chroma[0].shape[0] == luma.shape[0] else 2
    planes = [_sampled(luma[y0:y1, x0:x1], size)]
    for plane in chroma:
        part = plane[y0 // down : -(-y1 // down), x0 // across : -(-x1 // across)]
        planes.append(_sampled(part, size))
    pixels = np.rot90(cv2.transform(cv2.merge(planes), _matrix(frame)), turns)
    rows, columns = pixels.shape[:2]
    picture = np.ascontiguousarray(pixels)
    return Region(picture, left, top, (right - left) / columns, (bottom - top) / rows)


def _sampled(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    twice = (2 * size[0], 2 * size[1])
    if plane.shape[1] > twice[0] and plane.shape[0] > twice[1]:
        return np.asarray(cv2.resize(cv2.resize(plane, twice), size, interpolation=cv2.INTER_AREA))
    shrinks = plane.shape[1] > size[0] or plane.shape[0] > size[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=way))


def upright_luminance(
    frame: Any, region: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """Luminance of a part of the picture in a given size, for comparison with another frame.

    In the range that the stream has: levels of 16 to 235 are not stretched.

    Parameters
    ----------
    frame : av.VideoFrame
    region : tuple of float
        x, y, width, height in pixels of the upright picture; cut at its borders.
    size : tuple of int
        Width and height of the result.

    Returns
    -------
    luminance : ndarray, shape (size[1], size[0]), uint8, upright
    span : tuple of int
        Left, top, right and bottom of what it shows, pixels.
    """
    width, height = upright_size(frame)
    x, y, w, h = region
    left, right = _span(x, x + w, width)
    top, bottom = _span(y, y + h, height)
    turns = _quarter_turns(frame)
    x0, y0, x1, y1 = _as_stored((left, top, right, bottom), width, height, turns)
    if frame.format.name not in _PLANAR_YUV:
        frame = frame.reformat(format="gray")
    small = _sampled(_plane(frame.planes[0])[y0:y1, x0:x1], size[::-1] if turns % 2 else size)
    return np.ascontiguousarray(np.rot90(small, turns)), (left, top, right, bottom)


def thumbnail(frame: Any) -> NDArray[np.int16]:
    """Luminance of the stored picture at 32 x 18 places, each the mean of 4 x 4 samples.

    For the comparison with the next frame; samples are enough for that, and cost 0.01 ms where
    reducing the whole frame costs 0.2 ms.

    Returns
    -------
    ndarray, shape (18, 32), int16
    """
    import cv2

    if frame.format.name not in _PLANAR_YUV:
        grey = frame.reformat(width=_THUMBNAIL[0], height=_THUMBNAIL[1], format="gray")
        return np.asarray(grey.to_ndarray(), np.int16)
    samples = (4 * _THUMBNAIL[0], 4 * _THUMBNAIL[1])
    few = cv2.resize(_plane(frame.planes[0]), samples, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(few, _THUMBNAIL, interpolation=cv2.INTER_AREA), np.int16)


def crop_rgb(
    frame: Any,
    box: tuple[float, float, float, float],
    margin: float,
    at_most: int | None = None,
) -> NDArray[np.uint8]:
    """Face crop: the box enlarged by ``margin`` of its size on each side, cut at the borders.

    Parameters
    ----------
    frame : av.VideoFrame
    box : tuple of float
        x, y, width, height in pixels of the upright picture.
    margin : float
        Share of width and height added on each side.
    at_most : int, optional
        Largest width and largest height of the result, each by itself; a longer side is reduced
        to it, and then the cut may be one pixel wider on each side.

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
    pixels = _yuv_to_rgb(frame, stored, at_most)
    return np.ascontiguousarray(np.rot90(pixels, turns))


def box_luminance(
    frame: Any, box: tuple[float, float, float, float], at_most: int | None = None
) -> NDArray[np.uint8]:
    """Luminance inside a box, 0 (black) to 255, as the recording has it.

    Parameters
    ----------
    frame : av.VideoFrame
    box : tuple of float
        x, y, width, height in pixels of the upright picture.
    at_most : int, optional
        Largest width and largest height of the result, each by itself; by area averaging.

    Returns
    -------
    ndarray, shape (height, width), uint8
        As stored, not turned upright; at least 2 x 2 pixels.
    """
    import cv2

    width, height = upright_size(frame)
    x, y, w, h = box
    (x0, x1), (y0, y1) = _span(x, x + w, width), _span(y, y + h, height)
    left, top, right, bottom = _as_stored((x0, y0, x1, y1), width, height, _quarter_turns(frame))
    frame = _planar(frame)
    luma = np.ascontiguousarray(_plane(frame.planes[0])[top:bottom, left:right])
    if at_most is not None and max(luma.shape) > at_most:
        size = (min(luma.shape[1], at_most), min(luma.shape[0], at_most))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    gain, zero = _luma_range(frame)
    levels = np.clip((np.arange(256) - zero) * gain, 0, 255).round().astype(np.uint8)
    stretched: NDArray[np.uint8] = cv2.LUT(luma, levels)
    return stretched


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


def _planar(frame: Any) -> Any:
    """The frame in eight-bit planes; ten-bit, packed or RGB sources pay for a conversion."""
    return frame if frame.format.name in _PLANAR_YUV else frame.reformat(format="yuv444p")


def _yuv_to_rgb(
    frame: Any, span: tuple[int, int, int, int], at_most: int | None
) -> NDArray[np.uint8]:
    import cv2

    frame = _planar(frame)
    left, top, right, bottom = span
    luma = _plane(frame.planes[0])
    chroma = [_plane(plane) for plane in frame.planes[1:3]]
    across = 1 if chroma[0].shape[1] == luma.shape[1] else 2
    down = 1 if chroma[0].shape[0] == luma.shape[0] else 2
    # Whole chroma samples first, so that colour and luminance stay aligned; then the exact cut.
    x0, y0 = left // across, top // down
    x1, y1 = -(-right // across), -(-bottom // down)
    y = luma[y0 * down : y1 * down, x0 * across : x1 * across]
    u, v = (plane[y0:y1, x0:x1] for plane in chroma)
    if at_most is not None and max(right - left, bottom - top) > at_most:
        width, height = min(right - left, at_most), min(bottom - top, at_most)
        planes = [_resized(plane, width, height) for plane in (y, u, v)]
        small: NDArray[np.uint8] = cv2.transform(cv2.merge(planes), _matrix(frame))
        return small
    height, width = y.shape
    planes = [np.ascontiguousarray(y), *(_resized(plane, width, height) for plane in (u, v))]
    rgb = cv2.transform(cv2.merge(planes), _matrix(frame))
    cut: NDArray[np.uint8] = rgb[
        top - y0 * down : bottom - y0 * down, left - x0 * across : right - x0 * across
    ]
    return cut


def _resized(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Reduced as far as it is too large, then enlarged as far as it is too small."""
    import cv2

    small = reduced(plane, min(width, plane.shape[1]), min(height, plane.shape[0]))
    result: NDArray[np.uint8] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def _luma_range(frame: Any) -> tuple[float, float]:
    """Gain and zero of the luminance, from the stream's range to 0 to 255."""
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return (1.0, 0.0) if full else (255 / 219, 16.0)


def _matrix(frame: Any) -> NDArray[np.float64]:
    """3 x 4 matrix from 8-bit YCbCr to RGB (ITU-R BT.601-7, BT.709-6, BT.2020-2)."""
    code = int(frame.colorspace)
    lines = min(frame.width, frame.height)
    if code in (0, _UNSPECIFIED):
        code = _BT709 if lines >= 720 else _BT601
    return _matrix_of(_LUMA_WEIGHTS.get(code, _LUMA_WEIGHTS[_BT601]), *_luma_range(frame))


@functools.cache
def _matrix_of(
    weights: tuple[float, float], luma_gain: float, luma_zero: float
) -> NDArray[np.float64]:
    red, blue = weights
    green = 1 - red - blue
    chroma_gain = 1.0 if luma_zero == 0 else 255 / 224
    to_rgb = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    ) * np.array([luma_gain, chroma_gain, chroma_gain])
    zero = np.array([luma_zero, 128.0, 128.0])
    return np.hstack([to_rgb, -(to_rgb @ zero)[:, None]])
