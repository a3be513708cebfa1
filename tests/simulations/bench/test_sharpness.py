from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_face import draw_face
from typer import Typer
from typer.testing import CliRunner
from video_making import encode, wall

from client.extraction.detector import Detection
from shared.errors import InputError
from simulations.bench.sharpness import BLURS, measure_sharpness
from simulations.commands.bench_sharpness import sharpness_command

app = Typer()
app.command()(sharpness_command)


class Boxes:
    """Finds the same boxes, in shares of the picture, in every picture."""

    identity = "boxes"

    def __init__(self, *boxes: tuple[float, float, float, float, float]) -> None:
        self._boxes = boxes

    def detect(self, picture: np.ndarray) -> list[Detection]:
        height, width = picture.shape[:2]
        return [
            Detection(x * width, y * height, w * width, h * height, c)
            for x, y, w, h, c in self._boxes
        ]


def textured(width: int = 1280, height: int = 720) -> np.ndarray:
    """Detail of every size."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width))
    for cell in (2, 4, 8, 16, 32):
        part = rng.normal(size=(height // cell, width // cell))
        total += cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(128 + 20 * total, 0, 255).astype(np.uint8)
    return np.repeat(picture[..., None], 3, axis=2)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), textured())
    return path


def test_blur_lowers_it_step_by_step_and_narrow_widths_are_reached(picture: Path) -> None:
    (face,) = measure_sharpness([picture], Boxes((0.25, 0.25, 0.1875, 0.4, 0.9)))
    assert (face.source, face.width) == ("picture.png", 240)
    assert sorted(face.reduced) == [48, 64, 80, 112, 160, 224]
    assert list(face.blurred) == list(BLURS)
    steps = [face.as_it_is, *face.blurred.values()]
    assert all(sharper > softer for sharper, softer in pairwise(steps))
    assert steps[-1] < 0.01 * steps[0]


def test_faces_from_left_to_right_without_the_doubtful(picture: Path) -> None:
    boxes = Boxes((0.6, 0.1, 0.2, 0.2, 0.9), (0.3, 0.1, 0.2, 0.2, 0.5), (0.1, 0.1, 0.1, 0.2, 0.7))
    assert [face.width for face in measure_sharpness([picture], boxes)] == [128, 256]


def test_the_middle_frame_of_a_video(tmp_path: Path) -> None:
    path = tmp_path / "video.avi"
    flat = np.full((72, 128, 3), 100, np.uint8)
    pictures = [flat, flat, textured(128, 72), flat, flat]
    encode(path, pictures, codec="ffv1", pixels="bgr0")
    (face,) = measure_sharpness([path], Boxes((0, 0, 1, 1, 1)))
    assert face.as_it_is > 100


def test_what_cannot_be_measured(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(InputError, match=r"picture\.png: no face was found"):
        measure_sharpness([picture], Boxes())
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("text.jpg", "missing.jpg"):
        with pytest.raises(InputError, match=f"{name}: not a picture or video"):
            measure_sharpness([tmp_path / name], Boxes())


def test_command_on_a_drawn_face(tmp_path: Path) -> None:
    for name, drawn in (("face.png", draw_face(size=1.5)), ("wall.png", wall())):
        cv2.imwrite(str(tmp_path / name), drawn[..., ::-1])
    done = CliRunner().invoke(app, ["--picture", str(tmp_path / "face.png")])
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if "│ median" in line]
    assert len(rows) == 2
    done = CliRunner().invoke(app, ["--picture", str(tmp_path / "wall.png")])
    assert isinstance(done.exception, InputError)


def test_command_without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEDAFFECT_DATA", raising=False)
    done = CliRunner().invoke(app, [])
    assert isinstance(done.exception, InputError)
    assert "--picture" in str(done.exception)


def test_figures_behind_the_limits(reference_data: Path) -> None:
    """As the docstring of ``client/quality/limits.py`` has them."""
    from client.extraction.detector import open_detector

    names = ("single_face.jpg", "multi_face.jpg", "single_face.mp4")
    faces = measure_sharpness([reference_data / "media" / name for name in names], open_detector())
    medians = [np.median([face.blurred[blur] for face in faces]) for blur in BLURS]
    assert medians == pytest.approx([75, 16, 7, 4, 3], rel=0.15)
    for width, usual in ((48, 100), (64, 170), (80, 250), (112, 385)):
        reduced = [face.reduced[width] for face in faces if width in face.reduced]
        assert np.median(reduced) == pytest.approx(usual, rel=0.15)
