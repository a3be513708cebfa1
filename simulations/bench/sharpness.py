"""What the sharpness of the quality report is for faces whose blur is known.

The limits of that report rest on these figures (``client/quality/limits.py``). A face in a sharp
picture is made smaller, as if it were farther away, and blurred by a Gaussian whose standard
deviation is a share of the face's width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.extraction.detector import Detector
from client.extraction.face_measures import FACE_SIDE, measure_face
from client.extraction.picture import box_luminance
from shared.errors import InputError

__all__ = ["BLURS", "WIDTHS", "FaceSharpness", "measure_sharpness"]

WIDTHS: Final = (48, 64, 80, 112, 160, 224, 320)
"""Widths to which a face is reduced, pixels."""
BLURS: Final = (0.01, 0.02, 0.03, 0.05, 0.08)
"""Standard deviations of the blur, in widths of the face."""

_DETECTOR_SIDE: Final = 640
_LEAST_CONFIDENCE: Final = 0.6


class FaceSharpness(NamedTuple):
    """One face.

    Attributes
    ----------
    source : str
        Name of the file.
    width : int
        Of the face in it, pixels.
    as_it_is : float
    reduced : dict of int to float
        By width in pixels; only widths below its own.
    blurred : dict of float to float
        By blur in widths of the face, at its own width.
    """

    source: str
    width: int
    as_it_is: float
    reduced: dict[int, float]
    blurred: dict[float, float]


def measure_sharpness(files: Sequence[Path], detector: Detector) -> list[FaceSharpness]:
    """Sharpness of every face in some pictures.

    Parameters
    ----------
    files : sequence of Path
        Pictures, or videos, of which the middle frame is taken.
    detector : Detector

    Returns
    -------
    list of FaceSharpness
        From left to right in each picture.

    Raises
    ------
    InputError
        When a file is no picture or video, or shows no face.
    """
    measured = []
    for file in files:
        faces = _faces(_middle_frame(file), detector)
        if not faces:
            raise InputError(f"{file}: no face was found in it; name pictures that show one")
        measured += [_measured(file.name, face) for face in faces]
    return measured


def _middle_frame(file: Path) -> NDArray[np.uint8]:
    """RGB picture, shape (height, width, 3)."""
    import av

    try:
        with av.open(str(file)) as container:
            count = sum(1 for _ in container.decode(video=0))
        with av.open(str(file)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number == count // 2:
                    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (OSError, ValueError, IndexError, av.FFmpegError):
        pass
    raise InputError(f"{file}: not a picture or video that can be read")


def _faces(picture: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.uint8]]:
    """What every face box shows, RGB, from left to right."""
    import cv2

    height, width = picture.shape[:2]
    scale = min(1.0, _DETECTOR_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = sorted(face for face in detector.detect(small) if face.confidence >= _LEAST_CONFIDENCE)
    faces = []
    for face in found:
        left, top = max(int(face.x / scale), 0), max(int(face.y / scale), 0)
        right, bottom = int((face.x + face.width) / scale), int((face.y + face.height) / scale)
        cut = picture[top:bottom, left:right]
        if min(cut.shape[:2]) >= 2:
            faces.append(cut)
    return faces


def _measured(source: str, face: NDArray[np.uint8]) -> FaceSharpness:
    import cv2

    height, width = face.shape[:2]
    reduced = {}
    for narrow in WIDTHS:
        if narrow < width:
            size = (narrow, max(2, round(height * narrow / width)))
            small = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.uint8)
            reduced[narrow] = _sharpness(small)
    blurred = {}
    for share in BLURS:
        soft = np.asarray(cv2.GaussianBlur(face, (0, 0), share * width), np.uint8)
        blurred[share] = _sharpness(soft)
    return FaceSharpness(source, width, _sharpness(face), reduced, blurred)


def _sharpness(face: NDArray[np.uint8]) -> float:
    """Of a face that fills its picture, in the way a recording's frames are measured."""
    import av

    height, width = face.shape[:2]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(face), format="rgb24")
    frame = frame.reformat(format="yuv444p")
    return measure_face(box_luminance(frame, (0, 0, width, height), FACE_SIDE)).sharpness
