import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from client.extraction.detector import Detection
from client.look.subject import Subject
from shared.attributes import AttributeSeries
from shared.channels import CHANNELS
from shared.files import sha256_of


class SquaresDetector:
    """Finds every white square, each with the confidence it is asked to give."""

    identity = "white squares 1"

    def __init__(self, confidence=0.9) -> None:
        self.confidence = confidence
        self.blind = False

    def detect(self, picture):
        if self.blind:
            return []
        white = (picture.min(axis=2) > 180).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(white)
        return [
            Detection(*map(float, row[:4]), self.confidence) for row in stats[1:] if row[4] >= 16
        ]


@pytest.fixture
def squares() -> SquaresDetector:
    return SquaresDetector()


@pytest.fixture(scope="session")
def series_of():
    """Function that makes a series from one box a tick; None where the face is lost."""

    def make(boxes, *, participant="P01", values=None, frame=None, provenance=None):
        n = len(boxes)
        found = np.array([box is not None for box in boxes])
        box = np.array([box or (np.nan,) * 4 for box in boxes], np.float32).reshape(n, 4)
        if values is None:
            values = np.full((n, len(CHANNELS)), 0.1, np.float32)
            values[:, 1] = 0.3
        values = np.where(found[:, None], values, np.nan).astype(np.float32)
        return AttributeSeries(
            participant=participant,
            time_s=np.arange(n) / 24,
            frame=np.arange(n) if frame is None else np.asarray(frame),
            face_found=found,
            face_confidence=found * np.float32(0.87),
            box=box,
            values=values,
            provenance=provenance or {},
        )

    return make


@pytest.fixture(scope="session")
def provenance_of():
    """Function that makes the provenance an undamaged video has after extraction."""

    def make(video: Path, frames: int, width=160, height=120):
        source = {"frames": frames, "damaged_packets": 0, "width": width, "height": height}
        return {
            "video_sha256": sha256_of(video),
            "weights_sha256": "5" * 64,
            "software": "fedaffect test",
            "source": json.dumps(source),
        }

    return make


@pytest.fixture(scope="session")
def boxes():
    """A face that moves to the right, is lost for 12 ticks, and comes back; 60 ticks."""
    return [None if 30 <= i < 42 else (20 + i, 40, 40, 40) for i in range(60)]


@pytest.fixture(scope="session")
def subject(tmp_path_factory, write_video, scene, series_of, provenance_of, boxes) -> Subject:
    """The recording of ``boxes``; the face is there even where it is lost in the series."""
    pictures = [scene((20 + i, 40, 40, 40)) for i in range(60)]
    video = write_video(tmp_path_factory.mktemp("look") / "P01.mp4", pictures)
    return Subject(series_of(boxes, provenance=provenance_of(video, 60)), video)
