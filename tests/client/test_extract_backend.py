import sys
import warnings

import numpy as np
import pytest

from client.extraction.extract import Extractor
from client.extraction.tracking import TrackingSettings
from shared.affect import reader as reading
from shared.affect.backends import torch_backend
from shared.affect.openvino_backend import openvino_backend
from shared.affect.reader import AffectReader
from shared.affect.weights import load_weights


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from client.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, " ".join(printed.err.split())

    return call


def test_an_unknown_back_end_is_refused(run, tmp_path):
    code, error = run("extract", tmp_path, "--out", tmp_path / "out", "--backend", "tpu")
    assert code == 2
    assert "--backend tpu asked; one of auto, openvino, torch is possible" in error


@pytest.mark.usefixtures("in_process_workers")
@pytest.mark.parametrize("name", ["auto", "openvino", "torch"])
def test_the_asked_back_end_is_built_with_the_asked_threads(run, tmp_path, monkeypatch, name):
    asked = []

    def choose(stored, name, threads, precision):
        asked.append((name, threads))
        return torch_backend(stored)

    monkeypatch.setattr(reading, "choose_backend", choose)
    video = tmp_path / "bad.mp4"
    video.write_bytes(b"no video")
    run("extract", video, "--out", tmp_path / "out", "--backend", name, "--threads", 1)
    assert asked == [(name, 1)]


def test_equal_provenance_means_equal_attributes(tmp_path, write_video, scene, detector):
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(20):
        picture = scene()
        picture[30:70, 60:100] = rng.integers(205, 256, (40, 40, 3), np.uint8)
        pictures.append(picture)
    video = write_video(tmp_path / "P01.mp4", pictures)
    weights = load_weights()
    series = [
        Extractor(AffectReader(weights, run), detector, TrackingSettings(), "test")
        .extract(video, "P01")
        .series
        for run in (openvino_backend(weights, threads=2), torch_backend(weights))
    ]
    assert series[0].provenance == series[1].provenance
    assert series[0].face_found.all()
    assert series[0].values.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(series[0].values, series[1].values, rtol=0, atol=1e-5)
