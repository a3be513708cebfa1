import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from client.extraction.detector import Detection
from client.extraction.extract import Extractor
from client.extraction.tracking import TrackingSettings
from shared.affect.network import AffectNetwork
from shared.affect.reader import AffectReader
from shared.affect.weights import Preprocessing, StoredNetwork

TICK = 15360


@pytest.fixture(scope="session")
def media() -> Path:
    folder = os.environ.get("FEDAFFECT_DATA")
    if not folder:
        pytest.skip("FEDAFFECT_DATA is not set: no real recordings")
    return Path(folder) / "media"


@pytest.fixture(scope="session")
def write_video():
    """Function that writes frames (RGB arrays) shown at given times, seconds."""

    def write(
        path: Path,
        pictures,
        *,
        rate: float = 24,
        times=None,
        pixel_format="yuv420p",
        codec="libx264",
        options=None,
        end_s=None,
    ) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pixel_format
            stream.time_base = Fraction(1, TICK)
            stream.codec_context.time_base = Fraction(1, TICK)
            stream.options = {"crf": "10", "bf": "0", **(options or {})}
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                time_s = index / rate if times is None else times[index]
                frame.pts, frame.time_base = round(time_s * TICK), Fraction(1, TICK)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def scene():
    """Function that paints a dark picture with a white square, the "face", or without one."""

    def paint(face=(60, 30, 40, 40), width=160, height=120) -> np.ndarray:
        picture = np.full((height, width, 3), 40, np.uint8)
        if face is not None:
            x, y, w, h = face
            picture[y : y + h, x : x + w] = 250
        return picture

    return paint


class WhiteSquareDetector:
    """Finds the bounding box of everything white; counts how often it looked."""

    identity = "white square 1"

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, picture):
        self.looks += 1
        rows, columns = np.nonzero(picture.min(axis=2) > 200)
        if not rows.size:
            return []
        x, y = columns.min(), rows.min()
        return [Detection(x, y, columns.max() + 1 - x, rows.max() + 1 - y, 0.9)]


@pytest.fixture
def detector() -> WhiteSquareDetector:
    return WhiteSquareDetector()


@pytest.fixture(scope="session")
def reader() -> AffectReader:
    torch.manual_seed(0)
    network = AffectNetwork("eesp").eval()
    network.classifier.weight.data.normal_(std=0.3)
    return AffectReader(StoredNetwork(network, Preprocessing(size=32), 1.0, {}, "5" * 64))


@pytest.fixture
def extractor(reader, detector) -> Extractor:
    return Extractor(reader, detector, TrackingSettings(), "fedaffect test")


@pytest.fixture
def in_process_workers(monkeypatch):
    """Recordings are read in this process; for tests that are not about processes."""
    from in_process_pool import InProcessPool

    from client.extraction import batch

    monkeypatch.setattr(batch, "WorkerPool", InProcessPool)
