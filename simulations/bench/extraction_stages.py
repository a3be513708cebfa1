"""What the steps of extraction cost alone, in the product's own functions, one after the other.

In a run they work side by side in threads, where no clock can tell them apart. What a run costs
beyond their sum is the price of passing work from one to the next.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.extraction.clock import ShownFrame
from client.extraction.detector import Detection, Detector
from client.extraction.extract import Extractor
from client.extraction.recording import SourceFrame
from client.extraction.rows import Rows
from client.extraction.tracking import Tracker
from shared.affect.backends import Backend
from shared.affect.reader import AffectReader
from shared.affect.weights import StoredNetwork
from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.errors import InputError

__all__ = ["StageTiming", "cpu_s", "time_network", "time_stages"]

_CHUNK: Final = 48
"""Frames that go through a step before they go through the next."""


class StageTiming(NamedTuple):
    """One recording, step by step; CPU milliseconds for one frame.

    Attributes
    ----------
    frames, faces, looks : int
        Frames, those with a face, pictures shown to the detector.
    decode_ms : float
        PyAV on one thread, pictures left in YUV.
    detect_ms : float
        Finding the face: the detector, reducing what it is shown, tracking in between.
    crop_ms : float
        All that is done with a face but the network: cutting it out, measuring it, bringing it to
        the network's size, collecting rows.
    network_inputs : ndarray, shape (n, size, size, 3), uint8
        Some of the faces, evenly spread, as the network gets them.
    """

    frames: int
    faces: int
    looks: int
    decode_ms: float
    detect_ms: float
    crop_ms: float
    network_inputs: NDArray[np.uint8]


def cpu_s() -> float:
    """CPU seconds of this process so far, all of its threads."""
    return time.process_time()


def time_stages(extractor: Extractor, stored: StoredNetwork, video: Path) -> StageTiming:
    """Time decoding alone, then detection and cropping in turns on a second pass.

    Parameters
    ----------
    extractor : Extractor
    stored : StoredNetwork
        What its reader was made of.
    video : Path
        At 24 Hz, so that its frames stand on the clock one by one.

    Raises
    ------
    InputError
        When no face is found in the recording.
    """
    started = cpu_s()
    frames = sum(1 for _ in _decoded(video))
    decode_s = cpu_s() - started
    detector = _Counting(extractor.detector)
    tracker = Tracker(detector, extractor.settings)
    inputs: list[NDArray[np.uint8]] = []
    detect_s = crop_s = 0.0

    def no_network(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        inputs.append(pictures[0])
        return np.zeros((len(pictures), len(CHANNELS)), np.float32)

    with Rows(AffectReader(stored, no_network)) as rows:
        for first, chunk in _chunks(video):
            started = cpu_s()
            found = [item for shown in chunk for item in tracker.push(shown)]
            if first + len(chunk) == frames:
                found += tracker.finish()
            detected = cpu_s()
            for item in found:
                rows.add(item)
            rows.take("benchmark", {}, first)
            crop_s += cpu_s() - detected
            detect_s += detected - started
        faces = rows.faces
    if not faces:
        raise InputError(f"{video}: no face was found in it; name a clip with a face with --clip")
    per_frame = 1000 / frames
    return StageTiming(
        frames=frames,
        faces=faces,
        looks=detector.looks,
        decode_ms=decode_s * per_frame,
        detect_ms=detect_s * per_frame,
        crop_ms=crop_s * per_frame,
        network_inputs=np.stack(inputs),
    )


def time_network(backend: Backend, stages: StageTiming) -> float:
    """CPU milliseconds of the network for one frame of the recording, on ready inputs."""
    started = cpu_s()
    backend(stages.network_inputs)
    seconds = (cpu_s() - started) / len(stages.network_inputs)
    return 1000 * seconds * stages.faces / stages.frames


class _Counting:
    """A detector that counts its looks."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.looks = 0

    @property
    def identity(self) -> str:
        return self._detector.identity

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        self.looks += 1
        return self._detector.detect(picture)


def _decoded(video: Path) -> Iterator[Any]:
    import av

    with av.open(str(video)) as container:
        container.streams.video[0].thread_type = "NONE"
        yield from container.decode(video=0)


def _chunks(video: Path) -> Iterator[tuple[int, list[ShownFrame]]]:
    """Decoded frames as they stand on the clock, some at a time, with the number of the first."""
    chunk: list[ShownFrame] = []
    for index, picture in enumerate(_decoded(video)):
        if len(chunk) == _CHUNK:
            yield index - _CHUNK, chunk
            chunk = []
        chunk.append(ShownFrame(SourceFrame(index, index / FRAME_RATE_HZ, picture), 1))
    if chunk:
        yield index + 1 - len(chunk), chunk
