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


SMALL = """
name = "small"
steps = 2
batch_size = 8
stages = [{ side = 32, share = 1.0 }]
[[data]]
kind = "ferplus"
"""


@pytest.fixture
def config(tmp_path):
    def write(text=SMALL):
        path = tmp_path / "small.toml"
        path.write_text(text)
        return path

    return write


def test_training_writes_weights_that_evaluation_reads(run, archive, config, tmp_path):
    out = tmp_path / "run"
    given = ("cnn", "train", config(), "--data", archive, "--out", out, "--threads", 1)
    code, printed, progress = run(*given)
    assert code == 0
    assert "ferplus: 24 faces" in progress
    assert "training multi" in progress
    assert "faces/s" not in printed
    stored = load_weights(out / "small.safetensors")
    assert stored.preprocessing.size == 32
    assert stored.preprocessing.crop_margin == 0.08
    assert 0.2 <= stored.temperature <= 5
    assert stored.card["data"][0]["faces"] == 24
    assert stored.card["training"]["steps"] == 2
    assert stored.card["metrics"]["majority"]["faces"] == 6
    assert "weak" in stored.card["labels"]["action_units"]
    assert str(tmp_path) not in json.dumps(stored.card)
    code, printed, _ = run(
        *("cnn", "evaluate", "--data", archive, "--weights", out / "small.safetensors"),
        *("--json", "--threads", 1),
    )
    assert code == 0
    measured = json.loads(printed)
    assert measured["sha256"] == stored.sha256
    assert measured["metrics"] == stored.card["metrics"]
    code, _, error = run(*given)
    assert code == 2
    assert "--resume" in error
    assert run(*given, "--resume")[0] == 0
    assert load_weights(out / "small.safetensors").temperature == stored.temperature


def test_training_mixes_voted_and_rendered_faces(run, archive, config, tmp_path, reference_data):
    text = SMALL + '[[data]]\nkind = "rendered"\nn = 9\nside = 40\npictures_per_person = 3\n'
    code, _, progress = run(
        *("cnn", "train", config(text), "--data", archive, "--out", tmp_path / "run"),
        *("--facekit", reference_data / "ict_facekit" / "ict_facekit.npz", "--threads", 1),
        *("--cache", tmp_path / "cache"),
    )
    assert code == 0
    assert "making rendered" in progress
    assert "rendered: 9 faces; labels: expression 0, valence_arousal 0, action_units 9" in progress
    assert len(list((tmp_path / "cache").glob("rendered-*/pictures.u8"))) == 1
    card = load_weights(tmp_path / "run" / "small.safetensors").card
    assert [data["set"] for data in card["data"]] == ["ferplus", "rendered"]


def test_single_tasks_make_four_networks(run, archive, config, tmp_path):
    text = 'tasks = "single"\n' + SMALL
    out = tmp_path / "run"
    code, _, _ = run("cnn", "train", config(text), "--data", archive, "--out", out, "--threads", 1)
    assert code == 0
    found = sorted(path.parent.name for path in out.glob("*/small.safetensors"))
    assert found == ["action_units", "arousal", "expression", "valence"]


def test_skipped_pictures_are_reported(run, config, tmp_path):
    rows = [(i, "Training", " ".join([str(i % 250)] * 2304)) for i in range(12)]
    rows += [(12, "PublicTest", "1 2"), (13, "PublicTest", rows[3][2]), (14, "PrivateTest", "7")]
    rows += [(15, "PrivateTest", " ".join(["251"] * 2304))]
    faces, votes = ["emotion,pixels,Usage"], ["Usage,Image name,neutral,happiness,surprise"]
    votes[0] += ",sadness,anger,disgust,fear,contempt,unknown,NF"
    for number, part, pixels in rows:
        faces.append(f"0,{pixels},{part}")
        votes.append(f"{part},fer{number}.png,8,2,0,0,0,0,0,0,0,0")
    (tmp_path / "fer2013.csv").write_text("\n".join(faces))
    (tmp_path / "fer2013new.csv").write_text("\n".join(votes))
    out = tmp_path / "run"
    code, _, progress = run(
        "cnn", "train", config(), "--data", tmp_path, "--out", out, "--threads", 1
    )
    assert code == 0
    assert "ferplus: 11 faces" in progress
    assert "2 pictures skipped: 2 not a 48 x 48 picture" in progress
    table = (out / "skipped.csv").read_text().splitlines()
    assert len(table) == 3
    assert table[1].endswith('line 14",not a 48 x 48 picture')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cnn", "train", "small.toml", "--out", "x"], "--data FILE"),
        (["cnn", "evaluate"], "--data"),
        (
            ["cnn", "train", "small.toml", "--data", "none.npz", "--out", "x"],
            "none.npz: no such file",
        ),
        (["cnn", "train", "eesp-224.toml", "--out", "x"], "--data FILE"),
        (["cnn", "train", "none.toml", "--out", "x"], "none.toml: no such file"),
        (["cnn", "train", "small.toml"], "--out"),
        (["cnn", "train", "small.toml", "--out", __file__], "is a file"),
        (["cnn", "train", "small.toml", "--out", "x", "--device", "tpu"], "--device tpu"),
        (["cnn", "evaluate", "--data", "a", "--weights", "b"], "b: no such weights file"),
        (["cnn", "summary", "--csv"], "--csv"),
    ],
)
def test_bad_options_are_named_and_exit_with_2(
    run, config, tmp_path, monkeypatch, arguments, message
):
    config()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDAFFECT_FERPLUS", raising=False)
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error
