import json
import sys
import warnings

import numpy as np
import pytest

from server.pretraining.summary import network_sizes
from shared.affect.weights import load_weights

PUBLISHED = {
    ("eesp", "multi"): (2_422_726, 294_451_284),
    ("eesp", "single"): (9_657_046, 1_177_771_344),
    ("mobilenet", "multi"): (6_212_190, 778_574_420),
    ("mobilenet", "single"): (24_814_902, 3_114_263_888),
    ("bottleneck", "multi"): (6_474_862, 852_082_260),
    ("bottleneck", "single"): (25_865_590, 3_408_295_248),
}


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from server.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-server", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture
def archive(tmp_path):
    rng = np.random.default_rng(0)
    parts = ["Training"] * 24 + ["PublicTest"] * 6 + ["PrivateTest"] * 6
    votes = np.zeros((36, 10), np.uint8)
    votes[np.arange(36), rng.integers(0, 8, 36)] = 10
    path = tmp_path / "ferplus.npz"
    np.savez(
        path,
        images=rng.integers(0, 256, (36, 48, 48), np.uint8),
        votes=votes,
        vote_columns=np.array(
            [
                *("neutral", "happiness", "surprise", "sadness", "anger"),
                *("disgust", "fear", "contempt", "unknown", "NF"),
            ]
        ),
        usage=np.array(parts),
    )
    return path


def test_summary_has_the_published_sizes(run):
    code, printed, _ = run("cnn", "summary", "--json")
    assert code == 0
    rows = {(row["unit"], row["tasks"]): row for row in json.loads(printed)}
    assert {key: (row["parameters"], row["macs"]) for key, row in rows.items()} == PUBLISHED
    assert len(network_sizes()) == 6


def test_training_writes_weights_that_evaluation_reads(run, archive, tmp_path):
    out = tmp_path / "run"
    small = ("--size", 32, "--epochs", 1, "--batch-size", 8, "--threads", 1)
    code, printed, _ = run("cnn", "train", "--data", archive, "--out", out, *small)
    assert code == 0
    assert "24 different training faces" in printed
    stored = load_weights(out / "weights.safetensors")
    assert stored.preprocessing.size == 32
    assert stored.preprocessing.colour == "grey"
    assert 0.2 <= stored.temperature <= 5
    assert stored.card["data"]["faces"] == 24
    assert stored.card["training"]["epochs"] == 1
    assert stored.card["metrics"]["majority"]["faces"] == 6
    assert stored.card["labels"]["action_units"].startswith("weak")
    code, printed, _ = run(
        "cnn", "evaluate", "--data", archive, "--weights", out / "weights.safetensors", "--json"
    )
    assert code == 0
    measured = json.loads(printed)
    assert measured["sha256"] == stored.sha256
    assert measured["metrics"] == stored.card["metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cnn", "train", "--out", "x"], "--data FILE"),
        (["cnn", "evaluate"], "--data"),
        (["cnn", "train", "--data", "none.npz", "--out", "x"], "none.npz: no such file"),
        (["cnn", "train", "--data", "a", "--out", "x", "--unit", "vgg"], "--unit vgg"),
        (["cnn", "train", "--data", "a", "--out", "x", "--size", "7"], "--size 7"),
        (["cnn", "train", "--data", "a"], "--out"),
        (["cnn", "train", "--data", "a", "--out", __file__], "is a file"),
        (["cnn", "evaluate", "--data", "a", "--weights", "b"], "b: no such weights file"),
        (["cnn", "summary", "--csv"], "--csv"),
    ],
)
def test_bad_options_are_named_and_exit_with_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDAFFECT_FERPLUS", raising=False)
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error
