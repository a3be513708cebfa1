"""How well one face can be seen: brightness and sharpness from its pixels, in well under 0.1 ms.

The face is brought to one size first. So the sharpness of a face far away and of one close by mean
the same, detail that reaches the network, and the cost does not grow with the recording's size.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACE_SIDE", "FaceMeasures", "measure_face"]

FACE_SIDE: Final = 112
"""Width and height at which a face is measured, pixels: half of what the network sees."""


class FaceMeasures(NamedTuple):
    """Brightness 0 to 255, sharpness in grey levels squared, 0 and more."""

    brightness: float
    sharpness: float


def measure_face(face: NDArray[np.uint8]) -> FaceMeasures:
    """Mean luminance, and variance of its Laplacian (Pech-Pacheco et al., ICPR 2000).

    Parameters
    ----------
    face : ndarray, shape (height, width, 3), uint8, RGB
        The face box alone: what stands around it may be brighter and sharper.

    Returns
    -------
    FaceMeasures
        Luminance is that of ITU-R BT.601.
    """
    import cv2

    luminance = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    # Area averaging does not let fine detail turn into false detail when a face is made smaller.
    way = cv2.INTER_AREA if min(luminance.shape) >= FACE_SIDE else cv2.INTER_LINEAR
    luminance = cv2.resize(luminance, (FACE_SIDE, FACE_SIDE), interpolation=way)
    _, spread = cv2.meanStdDev(cv2.Laplacian(luminance, cv2.CV_16S))
    return FaceMeasures(float(cv2.mean(luminance)[0]), float(spread[0, 0]) ** 2)
