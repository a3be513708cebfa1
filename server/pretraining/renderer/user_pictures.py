"""Pictures of the user's that stand behind rendered faces."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["read_pictures"]

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_LONGEST: Final = 512
_AT_MOST: Final = 1000
"""They are kept in memory: 1000 pictures of this size take half a gigabyte."""


def read_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Read the pictures of a folder, reduced to 512 pixels; unreadable ones are left out.

    Parameters
    ----------
    folder : Path
        Its first 1000 files by name that end as pictures do.

    Returns
    -------
    list of ndarray, shape (h, w, 3), uint8, RGB

    Raises
    ------
    InputError
        When the folder is missing or holds no readable picture.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of background pictures")
    names = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    read = (_read(path) for path in names[:_AT_MOST])
    pictures = [picture for picture in read if picture is not None]
    if not pictures:
        endings = ", ".join(sorted(_SUFFIXES))
        raise InputError(f"{folder}: no readable picture ({endings}) is in this folder")
    return pictures


def _read(path: Path) -> NDArray[np.uint8] | None:
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    picture: Any = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if picture is None:
        return None
    scale = min(1.0, _LONGEST / max(picture.shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[:, :, ::-1])
