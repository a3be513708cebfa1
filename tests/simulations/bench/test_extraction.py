import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner
from video_making import encode, face, wall

from shared.affect.network import AffectNetwork
from shared.affect.openvino_backend import has_native_bf16
from shared.affect.weights import Preprocessing, load_weights, save_weights
from shared.errors import FedaffectError, InputError
from simulations.bench import command_run, extraction
from simulations.bench.authors_way import AuthorsCost, AuthorsWay
from simulations.bench.clip import ClipShape, make_clips
from simulations.bench.command_run import CommandRun
from simulations.bench.extraction import Runner, on_cores, open_runners, time_extraction
from simulations.bench.extraction_stages import time_network, time_stages
from simulations.commands.bench_extraction import extraction_command

FRAMES = 48
PRECISIONS = ["f32", *(["bf16"] if has_native_bf16() else [])]

app = Typer()
app.command()(extraction_command)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small input, a short clip with a drawn face, recordings made from it."""
    folder = tmp_path_factory.mktemp("extraction")
    torch.manual_seed(0)
    save_weights(
        folder / "small.safetensors",
        AffectNetwork("eesp").eval(),
        preprocessing=Preprocessing(size=32, detail=24),
        temperature=1.0,
        card={},
    )
    for name, picture in (("face", face()), ("wall", wall())):
        encode(folder / f"{name}.mp4", [picture] * 4)
        make_clips(folder / f"{name}.mp4", {folder / f"{name}48.mp4": FRAMES}, ClipShape(320, 180))
    return folder


@pytest.fixture(scope="module")
def runners(folder: Path) -> Iterator[list[Runner]]:
    before = torch.get_num_threads()
    yield open_runners(folder / "small.safetensors", 1)
    torch.set_num_threads(before)


class Authors(AuthorsWay):
    """Costs a known time, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def measure(self, video: Path, *, first: int, frames: int, read: int) -> AuthorsCost:
        self.asked.append((first, frames, read))
        return AuthorsCost(1.0, 500.0 + len(self.asked), 2.0, 30.0, frames, read, read)


def test_stages_see_the_whole_recording(folder: Path, runners: list[Runner]) -> None:
    stages = time_stages(runners[0].extractor, runners[0].stored, folder / "face48.mp4")
    assert (stages.frames, stages.faces) == (FRAMES, FRAMES)
    assert 0 < stages.looks < FRAMES
    assert stages.network_inputs.shape == (6, 32, 32, 3)
    assert np.ptp(stages.network_inputs, axis=(1, 2, 3)).min() > 50
    shown: list[np.ndarray] = []

    def backend(pictures: np.ndarray) -> np.ndarray:
        shown.append(pictures)
        return np.zeros((len(pictures), 22), np.float32)

    assert time_network(backend, stages) >= 0
    assert shown[0] is stages.network_inputs


def test_no_face_is_an_error(folder: Path, runners: list[Runner]) -> None:
    with pytest.raises(InputError, match="no face was found in it"):
        time_extraction(folder / "wall48.mp4", runners, None)


def test_all_take_turns(
    folder: Path, runners: list[Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    authors = Authors()
    turns: list[str] = []
    monkeypatch.setattr(extraction, "cpu_s", iter(np.arange(0, 1000, 4.8)).__next__)
    monkeypatch.setattr(extraction, "time_network", lambda backend, stages: 60.0)
    timings = time_extraction(
        folder / "face48.mp4", runners, authors, rounds=3, authors_frames=6, report=turns.append
    )
    each = ["steps alone", *PRECISIONS, "the authors' way"]
    assert turns[1:] == [f"round {n} of 3: {name}" for n in (1, 2, 3) for name in each]
    assert authors.asked == [(0, 16, 2), (16, 16, 2), (32, 16, 2)]
    assert timings.authors == AuthorsCost(1, 502, 2, 30, 48, 6, 6)
    assert (timings.frames, timings.faces) == (FRAMES, FRAMES)
    assert [own.precision for own in timings.pipelines] == PRECISIONS
    for own in timings.pipelines:
        assert own.cpu_ms == pytest.approx(100)
        assert own.authors_over_ours == pytest.approx(5.35)
        steps = (own.decode_ms, own.detect_ms, own.crop_ms, own.network_ms)
        assert own.rest_ms == pytest.approx(100 - sum(steps))
        # The median of three ratios, not the ratio of the medians: decoding differs by round.
        assert own.over_floor == pytest.approx(100 / (60 + own.decode_ms), rel=0.05)
        assert 0 < own.frames_per_s <= own.best_frames_per_s


def test_without_the_authors_way(folder: Path, runners: list[Runner]) -> None:
    timings = time_extraction(folder / "face48.mp4", runners[:1], None, rounds=1)
    assert timings.authors is None
    assert timings.pipelines[0].authors_over_ours is None
    assert timings.pipelines[0].cpu_ms > 0


def test_bf16_only_where_the_cpu_has_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "has_native_bf16", lambda: False)
    monkeypatch.setattr(extraction.ExtractorRecipe, "open", lambda recipe: recipe)
    (runner,) = open_runners(folder / "small.safetensors", 1)
    assert runner.precision == "f32"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with on_cores(1) as pinned:
        assert pinned
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with on_cores(1) as pinned:
        assert not pinned


@pytest.fixture
def threads_kept() -> Iterator[None]:
    """The command sets PyTorch's threads; it usually has a process of its own."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def dlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that finds nothing."""
    stand_in: Any = SimpleNamespace(get_frontal_face_detector=lambda: lambda picture, times: [])
    monkeypatch.setitem(sys.modules, "dlib", stand_in)


def bench(folder: Path, *more: str) -> Result:
    given = ["--clip", str(folder / "face.mp4"), "--weights", str(folder / "small.safetensors")]
    given += ["--frames", "48", "--height", "180", "--size", "40", "--cores", "1", *more]
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, given)


@pytest.mark.usefixtures("dlib", "threads_kept")
def test_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []

    def alone(module: str, arguments: Sequence[str]) -> CommandRun:
        assert module == "client.cli"
        weights = Path(arguments[arguments.index("--weights") + 1])
        assert load_weights(weights).preprocessing == Preprocessing(size=40)
        asked.append(arguments)
        return CommandRun(10.0, 5.0, 2**30)

    monkeypatch.setattr(command_run, "run_command_alone", alone)
    out = tmp_path / "out.json"
    options = ("--rounds", "1", "--authors-frames", "2", "--full", "--json", str(out))
    done = bench(folder, *options)
    assert done.exit_code == 0, done.output
    assert [row.split("┃")[1].strip() for row in done.output.splitlines() if "┃" in row] == [
        "CPU ms a frame",
        "figure",
    ]
    lengths = (48, 144, 9575)
    assert [Path(words[1]).name for words in asked] == [
        f"{frames}-frames.mp4" for _ in PRECISIONS for frames in lengths
    ]
    assert [words[words.index("--precision") + 1] for words in asked] == [
        precision for precision in PRECISIONS for _ in lengths
    ]
    said = " ".join(done.output.split())
    assert "48 frames of 320 x 180 at 24 Hz" in said
    assert "small.safetensors, 40 x 40 pixels (trained at 32)" in said
    assert "Speed, not accuracy" in said
    assert "2 frames read, spread over the recording, a face in 0." in said
    assert f"Written: {out}" in said
    found = json.loads(out.read_text())
    assert found["timings"]["authors"]["frames_decoded"] == 48
    assert found["timings"]["authors"]["whole_ms"] > 0
    assert [own["precision"] for own in found["timings"]["pipelines"]] == PRECISIONS
    assert found["runs"]["f32"][2] == {
        "frames": 9575,
        "wall_s": 10.0,
        "cpu_s": 5.0,
        "peak_bytes": 2**30,
    }
    assert found["recording"]["bits_per_s"] > 0
    assert found["machine"]["cpu"]
    assert found["software"]["openvino"]


@pytest.mark.usefixtures("threads_kept")
def test_command_without_dlib(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    done = bench(folder)
    assert isinstance(done.exception, InputError)
    assert "`pip install dlib-bin`" in str(done.exception)


@pytest.mark.usefixtures("threads_kept")
def test_command_without_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEDAFFECT_DATA", raising=False)
    done = CliRunner().invoke(app, [])
    assert isinstance(done.exception, InputError)
    assert "--clip" in str(done.exception)


@pytest.mark.usefixtures("threads_kept")
def test_the_command_it_measures_understands_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = command_run.run_command_alone
    runs: list[CommandRun] = []

    def alone(module: str, arguments: Sequence[str]) -> CommandRun:
        if runs:
            raise FedaffectError("stopped")
        runs.append(real(module, arguments))
        return runs[0]

    monkeypatch.setattr(command_run, "run_command_alone", alone)
    done = bench(folder, "--rounds", "1", "--without-authors")
    assert runs[0].cpu_s > 0
    assert str(done.exception) == "stopped"
