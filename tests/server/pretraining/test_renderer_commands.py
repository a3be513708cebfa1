import functools
import sys
import warnings

import cv2
import numpy as np
import pytest

from server.pretraining.renderer import contact_sheet
from server.pretraining.renderer.files import read_faces
from server.pretraining.renderer_commands import render_command
from shared.attributes import AttributeSeries, write_attributes
from shared.channels import CHANNELS
from shared.console import run_command


@pytest.fixture
def facekit(reference_data):
    return reference_data / "ict_facekit" / "ict_facekit.npz"


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(render_command)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["render", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command(app)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, printed.out, " ".join(printed.err.split())

    return call


def test_faces_and_their_sheet(run, facekit, tmp_path):
    common = ("--facekit", facekit, "--n", 5, "--size", 40, "--pictures-per-person", 2)
    code, out, err = run(
        *common, "--out", tmp_path / "faces.npz", "--preview", tmp_path / "sheet.png"
    )
    assert code == 0
    assert "5 faces of 3 people, 40 pixels, part train, seed 0" in out
    assert "AU43" in out
    assert "rendering" in err
    assert len(read_faces(tmp_path / "faces.npz")) == 5
    # Three people, filled up to nine columns.
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (40, 360, 3)

    code, out, _ = run(*common, "--out", tmp_path / "folder", "--part", "held_out")
    assert code == 0
    assert len(list((tmp_path / "folder").iterdir())) == 6


def test_the_sheet_of_units(run, facekit, tmp_path, monkeypatch):
    small = functools.partial(contact_sheet.unit_sheet, people=1, size=40)
    monkeypatch.setattr(contact_sheet, "unit_sheet", small)
    code, out, _ = run("--facekit", facekit, "--units", tmp_path / "units.png", "--seed", 3)
    assert code == 0
    assert "units.png" in out
    assert cv2.imread(str(tmp_path / "units.png")).shape == (12 * 40, 3 * 40, 3)


def test_a_series_becomes_a_video(run, facekit, tmp_path):
    series = AttributeSeries(
        participant="p",
        time_s=np.arange(2) / 24,
        frame=np.arange(2),
        face_found=np.ones(2, bool),
        face_confidence=np.ones(2, np.float32),
        box=np.ones((2, 4), np.float32),
        values=np.zeros((2, len(CHANNELS)), np.float32),
    )
    write_attributes(tmp_path / "p.parquet", series)
    code, out, _ = run(
        *("--facekit", facekit, "--series", tmp_path / "p.parquet"),
        *("--video", tmp_path / "p.mp4"),
    )
    assert code == 0
    assert "p.mp4" in out
    assert (tmp_path / "p.mp4").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to write; name --out, --preview, --units or --video"),
        (("--video", "a.mp4"), "--series and --video belong together"),
        (("--preview", "a.jpg"), "--preview a.jpg asked; name a picture to write ....png"),
        (("--out", "a.npz", "--part", "test"), "--part test asked; train or held_out"),
        (("--out", "a.npz", "--n", "0"), "--n 0 asked"),
        (("--out", "a.npz"), "none.npz: no such file; give ICT-FaceKit with --facekit FILE"),
    ],
)
def test_mistakes_are_explained(run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("--facekit", tmp_path / "none.npz", *arguments)
    assert code == 2
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_out_is_an_archive_or_a_folder(run, tmp_path):
    (tmp_path / "file.txt").touch()
    (tmp_path / "folder.npz").mkdir()
    for out, said in (("file.txt", "is a file"), ("folder.npz", "is a folder")):
        code, _, err = run("--facekit", tmp_path / "none.npz", "--out", tmp_path / out)
        assert code == 2
        assert said in err
