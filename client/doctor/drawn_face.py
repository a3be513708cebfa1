"""A drawn face that face detectors take for one: ellipses, no picture of any person.

Both detectors find it at any height from 30 pixels on (confidence 0.8 and more), so a computer's
detector and the whole way from recording to attributes can be tried without a recording.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_face", "face_box"]

_SKIN: Final = (205, 160, 135)
_SHADE: Final = (170, 122, 100)
_DARK: Final = (60, 40, 32)
_SIDES: Final = (-1, 1)
_ELLIPSES: Final = (
    # Centre and half axes in heights of the face, from the middle between eyes and nose; RGB.
    (0, 1.05, 0.75, 0.40, (60, 80, 110)),  # shoulders
    (0, 0.60, 0.17, 0.30, _SHADE),  # neck
    (0, -0.12, 0.43, 0.52, _DARK),  # hair
    (0, 0.03, 0.37, 0.50, _SKIN),
    *((side * 0.155, -0.07, 0.105, 0.060, _SHADE) for side in _SIDES),
    *((side * 0.155, -0.065, 0.080, 0.035, (240, 236, 230)) for side in _SIDES),
    *((side * 0.155, -0.065, 0.034, 0.034, _DARK) for side in _SIDES),
    *((side * 0.155, -0.15, 0.100, 0.020, _DARK) for side in _SIDES),  # brows
    (0, 0.125, 0.07, 0.040, _SHADE),  # nose
    (0, 0.105, 0.05, 0.035, _SKIN),
    (0, 0.27, 0.13, 0.035, (165, 82, 82)),  # mouth
)
_BLUR: Final = 0.012
"""Standard deviation in heights of the face: edges as a camera sees them."""
_FRACTION_BITS: Final = 4


def draw_face(
    picture: NDArray[np.uint8], centre: tuple[float, float], height: float
) -> NDArray[np.uint8]:
    """Draw the face, with hair and shoulders, over a picture.

    Parameters
    ----------
    picture : ndarray, shape (rows, columns, 3), uint8, RGB
        Not changed.
    centre : tuple of float
        x and y, pixels.
    height : float
        From forehead to chin, pixels.

    Returns
    -------
    ndarray, shape (rows, columns, 3), uint8, RGB
    """
    import cv2

    drawn = picture.copy()
    fine = 1 << _FRACTION_BITS
    for x, y, across, down, colour in _ELLIPSES:
        middle = (
            round((centre[0] + x * height) * fine),
            round((centre[1] + y * height) * fine),
        )
        axes = (round(across * height * fine), round(down * height * fine))
        cv2.ellipse(drawn, middle, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, _FRACTION_BITS)
    softened: NDArray[np.uint8] = cv2.GaussianBlur(drawn, (0, 0), max(_BLUR * height, 0.3))
    return softened


def face_box(centre: tuple[float, float], height: float) -> tuple[float, float, float, float]:
    """What detectors take for the face: x, y, width and height of its box, pixels."""
    return centre[0] - 0.37 * height, centre[1] - 0.47 * height, 0.74 * height, height
