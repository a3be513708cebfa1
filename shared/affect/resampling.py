"""Make a picture smaller without false detail, at the cost of a copy rather than of a network.

Area averaging by any factor costs OpenCV ten times what halving does. So a picture is halved, each
pixel the mean of four, while it is at least twice too large, and the rest, less than a factor of
two, is bilinear.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["reduced"]


def reduced(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture at another size, each side made smaller or left as it is.

    Parameters
    ----------
    picture : ndarray, shape (h, w) or (h, w, channels), uint8
    width, height : int
        At most w and h.

    Returns
    -------
    ndarray, shape (height, width) or (height, width, channels), uint8
    """
    import cv2

    out: Any = picture
    while out.shape[1] >= 2 * width and out.shape[0] >= 2 * height:
        half_height, half_width = out.shape[0] // 2, out.shape[1] // 2
        even = out[: 2 * half_height, : 2 * half_width]
        out = cv2.resize(even, (half_width, half_height), interpolation=cv2.INTER_AREA)
    if out.shape[1] >= 2 * width or out.shape[0] >= 2 * height:
        # Only one side is far too large: a strange crop, which may cost more.
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA)
    elif out.shape[:2] != (height, width):
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(out, np.uint8)
