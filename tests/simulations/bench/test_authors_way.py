import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from video_making import encode

from shared.errors import InputError
from simulations.bench.authors_way import AuthorsWay


class Rectangle:
    """As dlib's: right and bottom belong to it."""

    def __init__(self, left: int, top: int, width: int, height: int) -> None:
        self._box = (left, top, width, height)

    def left(self) -> int:
        return self._box[0]

    def top(self) -> int:
        return self._box[1]

    def width(self) -> int:
        return self._box[2]

    def height(self) -> int:
        return self._box[3]

    def right(self) -> int:
        return self._box[0] + self._box[2] - 1

    def bottom(self) -> int:
        return self._box[1] + self._box[3] - 1


class Network(torch.nn.Module):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        assert torch.get_num_threads() == cv2.getNumThreads() == 1
        assert torch.is_inference_mode_enabled()
        self.seen.append(pictures)
        return pictures.mean(dim=(2, 3))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Rectangle]:
    """What the stand-in for dlib finds in every picture."""
    boxes: list[Rectangle] = []

    def detect(picture: np.ndarray, upsample: int) -> list[Rectangle]:
        assert picture.shape == (120, 160, 3)
        assert upsample == 1
        return boxes

    stand_in: Any = SimpleNamespace(get_frontal_face_detector=lambda: detect)
    monkeypatch.setitem(sys.modules, "dlib", stand_in)
    return boxes


def ramp(i: int) -> np.ndarray:
    """Red grows to the right, green downwards, blue with time."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[..., 0] = np.arange(160)
    picture[..., 1] = np.arange(120)[:, None]
    picture[..., 2] = 20 * i
    return picture


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.avi"
    encode(path, [ramp(i) for i in range(10)], codec="ffv1", pixels="bgr0")
    return path


def seen(network: Network) -> list[np.ndarray]:
    """Network inputs as pictures, channels last, in levels of 255."""
    return [255 * batch[0].permute(1, 2, 0).numpy() for batch in network.seen]


def test_decodes_all_and_reads_a_spread(video: Path, found: list[Rectangle]) -> None:
    found.append(Rectangle(60, 40, 40, 40))
    network = Network()
    cost = AuthorsWay(network, 32).measure(video, first=2, frames=7, read=3)
    assert (cost.frames_decoded, cost.frames_read, cost.faces) == (7, 3, 3)
    # Blue comes first, and counts the frames: the first, the middle and the last of the stretch.
    assert [round(float(p[..., 0].mean())) for p in seen(network)] == [40, 100, 160]
    assert min(cost.decode_ms, cost.detect_ms, cost.crop_ms, cost.network_ms) >= 0
    steps = (cost.decode_ms, cost.detect_ms, cost.crop_ms, cost.network_ms)
    assert cost.whole_ms == pytest.approx(sum(steps))
    assert cost.network_ms > 0


@pytest.mark.parametrize(
    ("boxes", "left", "top", "right", "bottom"),
    [
        ([(60, 40, 40, 20)], 48, 34, 111, 65),
        ([(0, 0, 40, 40)], 0, 0, 51, 51),
        ([(130, 90, 40, 40)], 118, 78, 159, 119),
        ([(60, 40, 20, 20), (60, 40, 40, 20), (60, 40, 10, 10)], 48, 34, 111, 65),
        ([], 0, 0, 159, 119),
    ],
    ids=["inside", "top left", "bottom right", "the largest", "no face: the whole picture"],
)
def test_the_crop_is_the_box_and_30_per_cent(
    video: Path,
    found: list[Rectangle],
    boxes: list[tuple[int, int, int, int]],
    left: int,
    top: int,
    right: int,
    bottom: int,
) -> None:
    found.extend(Rectangle(*box) for box in boxes)
    network = Network()
    cost = AuthorsWay(network, 32).measure(video, first=0, frames=1, read=1)
    assert cost.faces == bool(boxes)
    (crop,) = seen(network)
    assert crop.shape == (32, 32, 3)
    assert crop[..., 2].mean() == pytest.approx((left + right - 1) / 2, abs=1)
    assert crop[..., 1].mean() == pytest.approx((top + bottom - 1) / 2, abs=1)
    assert np.ptp(crop[..., 2]) == pytest.approx((right - left) * 31 / 32, abs=2)


def test_a_stretch_beyond_the_end(video: Path, found: list[Rectangle]) -> None:
    with pytest.raises(InputError, match="fewer than 12 frames"):
        AuthorsWay(Network(), 32).measure(video, first=4, frames=8, read=1)


def test_threads_are_given_back(video: Path, found: list[Rectangle]) -> None:
    setters: list[Callable[[int], None]] = [torch.set_num_threads, cv2.setNumThreads]
    before = (torch.get_num_threads(), cv2.getNumThreads())
    try:
        for setter in setters:
            setter(2)
        AuthorsWay(Network(), 32).measure(video, first=0, frames=1, read=1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        for setter, count in zip(setters, before, strict=True):
            setter(count)


def test_without_dlib_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(InputError, match=r"`pip install dlib-bin`.*--without-authors"):
        AuthorsWay(Network(), 32)
