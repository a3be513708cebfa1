import ast
import json
import os
import pickle
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from server.pretraining.affspec import AFFSPEC_PREPROCESSING, load_affspec
from server.pretraining.affspec_check import differences, read_whole_picture
from shared.affect.network import UNITS, AffectNetwork
from shared.affect.reader import AffectReader
from shared.affect.weights import load_weights
from shared.channels import ACTION_UNITS, EXPRESSIONS
from shared.errors import InputError

LISTS = {"eesp": "esp", "mobilenet": "mob", "bottleneck": "res"}


def published_shapes(unit):
    """Entries of the published checkpoint: from the key list where there is one, else our own."""
    folder = os.environ.get("FEDAFFECT_DATA")
    listed = Path(folder or ".").parent / "facts" / "affspec-keys" / f"{LISTS[unit]}.txt"
    if folder and listed.is_file():
        lines = (line.split("\t") for line in listed.read_text().splitlines())
        return {key: ast.literal_eval(shape) for key, shape in lines}
    return {key: tuple(value.shape) for key, value in AffectNetwork(unit).state_dict().items()}


def state_dict(unit):
    generator = torch.Generator().manual_seed(4)
    state = {}
    for key, shape in published_shapes(unit).items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            state[key] = 0.5 + torch.rand(shape, generator=generator)
        else:
            state[key] = 0.1 * torch.randn(shape, generator=generator)
    return state


@pytest.fixture
def write(tmp_path):
    def write(content, name="model.pth"):
        path = tmp_path / name
        torch.save(content, path)
        return path

    return write


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from server.cli import main

    def call(*arguments):
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(sys, "argv", ["fedaffect-server", "cnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


@pytest.fixture
def picture(tmp_path):
    """Function that writes a picture of that name and returns its path and RGB pixels."""

    def paint(name, height=180, width=260):
        rng = np.random.default_rng(5)
        rough = rng.integers(0, 256, (9, 13, 3), np.uint8)
        rgb = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
        path = tmp_path / name
        cv2.imwrite(str(path), rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
        return path, cv2.imread(str(path))[:, :, ::-1]

    return paint


@pytest.mark.parametrize("unit", UNITS)
def test_a_published_checkpoint_becomes_weights_with_the_same_outputs(run, write, tmp_path, unit):
    state = state_dict(unit)
    checkpoint, out = write(state, f"model_{LISTS[unit]}.pth"), tmp_path / "imported.safetensors"
    code, printed, _ = run("import", checkpoint, "--unit", unit, "--out", out)
    assert code == 0
    assert "MIT" in printed
    direct = AffectNetwork(unit)
    direct.load_state_dict(state, strict=True)
    imported = load_weights(out)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(imported.network(pictures), direct.eval()(pictures))
    assert imported.network.unit == unit
    assert imported.preprocessing == AFFSPEC_PREPROCESSING
    assert imported.temperature == 1
    assert imported.card["checkpoint"]["file"] == checkpoint.name
    assert imported.card["checkpoint"]["sha256"] == load_affspec(checkpoint).sha256
    assert imported.card["licence"].startswith("MIT")
    assert "Li et al., ICIP 2019" in imported.card["origin"]


def test_the_preprocessing_is_the_authors():
    wanted = AFFSPEC_PREPROCESSING
    assert (wanted.size, wanted.crop_margin, wanted.channel_order) == (224, 0.3, "BGR")
    assert (wanted.colour, wanted.detail) == ("colour", None)


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_known_from_the_names(write, unit):
    assert load_affspec(write(state_dict(unit))).network.unit == unit


def test_missing_and_unexpected_entries_are_named(write):
    state = state_dict("mobilenet")
    for key in ("classifier.bias", "level1.act.weight"):
        del state[key]
    state["extra.weight"] = torch.zeros(1)
    with pytest.raises(InputError) as refused:
        load_affspec(write(state))
    message = str(refused.value)
    assert "2 missing (level1.act.weight, classifier.bias)" in message
    assert "1 unexpected (extra.weight)" in message
    assert "of 317 entries" in message


def test_only_the_first_of_many_are_named(write):
    wrapped = {f"module.{key}": value for key, value in state_dict("eesp").items()}
    with pytest.raises(InputError) as refused:
        load_affspec(write(wrapped), "eesp")
    message = str(refused.value)
    assert "487 missing (level1.conv.weight, level1.bn.weight, level1.bn.bias, …)" in message
    assert "487 unexpected (module.level1.conv.weight, " in message
    assert len(message) < 500


def test_a_checkpoint_of_another_unit_says_which(write):
    with pytest.raises(InputError, match="use --unit bottleneck"):
        load_affspec(write(state_dict("bottleneck")), "eesp")


def test_shapes_and_values_are_checked(write):
    state = state_dict("mobilenet")
    other = {**state, "classifier.bias": torch.zeros(8)}
    with pytest.raises(InputError, match=r"classifier.bias has shape \(8,\); \(22,\) is needed"):
        load_affspec(write(other))
    broken = {**state, "classifier.bias": torch.full((22,), torch.nan)}
    with pytest.raises(InputError, match="not finite"):
        load_affspec(write(broken))


class Harmful:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(pickle.dumps(Harmful(tmp_path / "made"), protocol=2))
    with pytest.raises(InputError, match="not a PyTorch checkpoint of plain tensors"):
        load_affspec(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no checkpoint", "not a PyTorch checkpoint of plain tensors"),
        (b"", "not a PyTorch checkpoint of plain tensors"),
        ([torch.zeros(1)], "no state dict"),
        ({}, "no state dict"),
        ({"state_dict": {"a": torch.zeros(1)}}, "'state_dict' is no tensor"),
    ],
)
def test_other_files_are_refused(write, tmp_path, content, message):
    if isinstance(content, bytes):
        path = tmp_path / "file.pth"
        path.write_bytes(content)
    else:
        path = write(content)
    with pytest.raises(InputError, match=message):
        load_affspec(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "none.pth", "--out", "x.safetensors"], "none.pth: no such file"),
        (["import", "none.pth", "--out", "x.pth"], "--out x.pth asked"),
        (["import", "none.pth", "--out", "folder.safetensors"], "is a folder"),
        (["import", "none.pth"], "--out"),
        (["import", "a", "--out", "x.safetensors", "--unit", "vgg"], "--unit vgg asked"),
        (["check-affspec", "none.pth", "p.jpg"], "none.pth: no such file"),
        (["check-affspec", "none.pth"], "Missing argument"),
    ],
)
def test_bad_options_are_named_and_exit_with_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.safetensors").mkdir()
    code, _, error = run(*arguments)
    assert code == 2
    assert message in error
    assert not (tmp_path / "x.safetensors").exists()


def test_a_whole_picture_is_read_in_bgr_and_resized_as_pillow_does(write, picture):
    from PIL import Image

    stored = load_affspec(write(state_dict("eesp")))
    path, rgb = picture("whole.jpg")
    reading = read_whole_picture(stored, path)
    bgr = Image.fromarray(np.ascontiguousarray(rgb[:, :, ::-1]))
    resized = np.asarray(bgr.resize((224, 224), Image.Resampling.BILINEAR), np.float32) / 255
    with torch.inference_mode():
        raw = stored.network(torch.from_numpy(resized).permute(2, 0, 1)[None])[0]
    probabilities = torch.softmax(raw[:8], 0)
    assert reading.expression == EXPRESSIONS[int(probabilities.argmax())]
    assert reading.probability == pytest.approx(float(probabilities.max()), abs=1e-3)
    assert reading.valence == pytest.approx(float(raw[8].clamp(-1, 1)), abs=1e-3)
    assert reading.arousal == pytest.approx(float(raw[9].clamp(-1, 1)), abs=1e-3)
    units = dict(zip(ACTION_UNITS, torch.sigmoid(raw[10:]).tolist(), strict=True))
    assert reading.action_units == pytest.approx(units, abs=1e-3)
    assert reading.active == tuple(unit for unit, value in units.items() if value > 0.5)
    assert differences(stored, path, reading) is None  # nothing is published for this name


def answering(unit, expression, probability, valence, arousal, active):
    """A checkpoint whose network says this of any picture."""
    bias = torch.full((22,), 0.0)
    share = (1 - probability) / 7
    bias[:8] = torch.tensor(share).log()
    bias[EXPRESSIONS.index(expression)] = torch.tensor(probability).log()
    bias[8], bias[9] = valence, arousal
    bias[10:] = torch.tensor([2.0 if unit in active else -2.0 for unit in ACTION_UNITS])
    state = state_dict(unit)
    return {**state, "classifier.weight": torch.zeros(22, 512), "classifier.bias": bias}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("beibin.jpg", ("joy", 0.932, 0.477, 0.072, (2, 6, 9, 12, 17, 43))),
        ("no_face.jpg", ("surprise", 0.628, -0.055, 0.56, (1, 2, 5, 6, 9, 12, 17, 25, 26, 43))),
    ],
)
def test_published_values_agree_or_differ(run, write, picture, name, published):
    path, _ = picture(name)
    expression, probability, valence, arousal, active = published
    near = (expression, probability + 0.009, valence - 0.009, arousal, active)
    code, printed, _ = run("check-affspec", write(answering("eesp", *near)), path)
    assert (code, "agrees" in printed) == (0, True)
    assert f"{expression} {probability + 0.009:.3f}" in printed
    far = (expression, probability, valence + 0.012, arousal, active[1:])
    code, printed, _ = run("check-affspec", write(answering("eesp", *far)), path)
    assert code == 1
    assert f"{name}: valence {valence + 0.012:.3f}, published {valence:.3f}" in printed
    assert f"{name}: action unit {active[0]} 0.119, published as active" in printed
    assert "probability" not in printed
    code, printed, _ = run(
        "check-affspec", write(answering("eesp", "anger", *near[1:4], (*active, 20))), path
    )
    assert code == 1
    assert f"expression anger, published {expression}" in printed
    assert "action unit 20 0.881, published as not active" in printed


def test_nothing_is_published_for_the_other_units(run, write, picture):
    path, _ = picture("beibin.jpg")
    checkpoint = write(answering("mobilenet", "fear", 0.5, 0.0, 0.0, ()))
    code, printed, _ = run("check-affspec", checkpoint, path)
    assert code == 0
    assert "mobilenet units" in printed
    assert "fear 0.500" in printed
    assert "agrees" not in printed


def test_what_is_no_picture_is_refused(run, write, tmp_path):
    checkpoint = write(state_dict("eesp"))
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    assert "not a picture" in run("check-affspec", checkpoint, text)[2]
    assert "no such picture" in run("check-affspec", checkpoint, tmp_path / "none.jpg")[2]


def test_imported_weights_read_faces(run, write, tmp_path):
    out = tmp_path / "imported.safetensors"
    run("import", write(state_dict("eesp")), "--out", out)
    crops = np.random.default_rng(0).integers(0, 256, (2, 60, 50, 3), np.uint8)
    values = AffectReader.from_file(out).read(crops).values()
    assert values.shape == (2, 22)
    assert np.isfinite(values).all()
    assert json.loads(out.with_suffix(".json").read_text())["file"] == out.name
