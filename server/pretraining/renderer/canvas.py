"""The flat canvas on which skin and wrinkles are painted, and the brushes for it.

The canvas unrolls a cylinder around the head: one unit is about a centimetre, x runs along the arc
to the person's left, y up. Images are (rows, columns) with the person's left on the right.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.mesh import canvas_place, canvas_share

__all__ = ["SIDE", "blurred", "coordinates", "line", "lines", "noise", "points", "region", "rise"]

SIDE: Final = 320
"""Pixels of the square canvas; a pixel is .08 of a centimetre, as in a face 200 pixels high."""

_EXTENT: Final = 26.0
_SUBPIXEL: Final = 4

Image = NDArray[np.float32]


def coordinates() -> tuple[Image, Image]:
    """x, shape (1, side), and y, shape (side, 1), of the canvas pixels in centimetres."""
    ends = canvas_share(np.array([[0.0, 0.0], [1.0, 1.0]], np.float32))
    per_cm = ends[1] - ends[0]
    share = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    return ((share - ends[0, 0]) / per_cm[0])[None], ((share - ends[0, 1]) / per_cm[1])[:, None]


def points(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Canvas centimetres, shape (n, 2), of points of the neutral head, shape (n, 3)."""
    return canvas_place(vertices)


def _pixels(places: NDArray[np.float32]) -> NDArray[np.int32]:
    pixels = canvas_share(np.asarray(places, np.float32)) * SIDE - 0.5
    return np.round(pixels * 2**_SUBPIXEL).astype(np.int32)


def line(image: Image, places: NDArray[np.float32], width_cm: float, value: float = 1.0) -> None:
    """Draw an open line through ``places``, shape (n, 2), into ``image``, in place."""
    lines(image, places[None], width_cm, value)


def lines(image: Image, places: NDArray[np.float32], width_cm: float, value: float = 1.0) -> None:
    """Draw many open lines, ``places`` of shape (lines, n, 2), into ``image``, in place."""
    thickness = max(1, round(width_cm * SIDE / _EXTENT))
    pixels = _pixels(places.reshape(-1, 2)).reshape(places.shape)
    cv2.polylines(image, list(pixels), False, value, thickness, cv2.LINE_AA, _SUBPIXEL)


def region(places: NDArray[np.float32], blur_cm: float = 0.0) -> Image:
    """1 inside the polygon ``places``, shape (n, 2), 0 outside, softened."""
    image = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(image, [_pixels(places)], 1.0, cv2.LINE_8, _SUBPIXEL)
    return blurred(image, blur_cm)


def blurred(image: Image, sigma_cm: float) -> Image:
    """Gaussian blur."""
    if sigma_cm <= 0:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_cm * SIDE / _EXTENT), np.float32)


def noise(rng: np.random.Generator, cell_cm: float, stretch: float = 1.0) -> Image:
    """Smooth noise of mean 0 and sd about 1; ``stretch`` > 1 makes its cells that much taller."""
    across = max(2, round(_EXTENT / cell_cm))
    down = max(2, round(_EXTENT / cell_cm / stretch))
    grid = rng.standard_normal((down, across)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


def rise(values: NDArray[np.floating[Any]], start: float, end: float) -> Image:
    """0 up to ``start``, 1 from ``end`` on, smooth between; the two may be in either order."""
    share = np.clip((values - start) / (end - start), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
