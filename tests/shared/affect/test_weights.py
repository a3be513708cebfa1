import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from shared.affect.network import AffectNetwork
from shared.affect.reader import AffectReader
from shared.affect.weights import (
    DEFAULT_WEIGHTS,
    Preprocessing,
    load_weights,
    note_path,
    save_weights,
)
from shared.errors import InputError
from shared.files import sha256_of


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(3)
    return AffectNetwork("eesp").eval()


@pytest.fixture
def stored(tmp_path, original):
    path = tmp_path / "w.safetensors"
    save_weights(
        path,
        original,
        preprocessing=Preprocessing(size=64, crop_margin=0.1, colour="grey", detail=48),
        temperature=1.5,
        card={"name": "test"},
    )
    return path


def vouch(path):
    note_path(path).write_text(
        json.dumps({"bytes": path.stat().st_size, "sha256": sha256_of(path)})
    )


def test_stored_weights_come_back_in_half_precision(stored, original):
    read = load_weights(stored)
    assert read.preprocessing == Preprocessing(64, 0.1, "RGB", "grey", 48)
    assert read.temperature == 1.5
    assert read.card == {"name": "test"}
    assert read.sha256 == sha256_of(stored)
    assert not read.network.training
    for key, value in original.state_dict().items():
        half = value.half().float() if value.is_floating_point() else value
        assert torch.equal(read.network.state_dict()[key], half), key


def test_weights_stored_in_full_precision_come_back_as_they_were(tmp_path, original):
    path = tmp_path / "w.safetensors"
    described = {"preprocessing": Preprocessing(), "temperature": 1.0, "card": {}}
    save_weights(path, original, **described, precision="float32")
    read = load_weights(path).network.state_dict()
    for key, value in original.state_dict().items():
        assert torch.equal(read[key], value), key


def test_a_variance_beyond_half_precision_survives(tmp_path, original):
    network = AffectNetwork("eesp")
    network.load_state_dict(original.state_dict())
    network.level1.bn.running_var[0] = 1e6
    path = tmp_path / "w.safetensors"
    save_weights(path, network, preprocessing=Preprocessing(), temperature=1.0, card={})
    assert float(load_weights(path).network.level1.bn.running_var[0]) == 1e6


def test_truncated_and_changed_files_are_refused(stored):
    content = stored.read_bytes()
    stored.write_bytes(content[:-1000])
    with pytest.raises(InputError, match="truncated"):
        load_weights(stored)
    flipped = bytearray(content)
    flipped[-5] ^= 1
    stored.write_bytes(bytes(flipped))
    with pytest.raises(InputError, match="SHA-256"):
        load_weights(stored)


def test_missing_files_and_notes_are_refused(stored, tmp_path):
    with pytest.raises(InputError, match="no such weights file"):
        load_weights(tmp_path / "other.safetensors")
    note_path(stored).write_text("[]")
    with pytest.raises(InputError, match="not a note"):
        load_weights(stored)
    note_path(stored).unlink()
    with pytest.raises(InputError, match="missing beside it"):
        load_weights(stored)


def test_a_vouched_file_of_another_kind_is_refused(stored, tmp_path):
    stored.write_bytes(b"text, not tensors" * 10)
    vouch(stored)
    with pytest.raises(InputError, match="not a safetensors file"):
        load_weights(stored)
    save_file({"a": torch.zeros(2)}, stored)
    vouch(stored)
    with pytest.raises(InputError, match="does not say what"):
        load_weights(stored)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "newer than this version"),
        ({"unit": "vgg"}, "vgg units"),
        ({"unit": "mobilenet"}, "do not fit"),
        ({"num_outputs": 8}, "8 outputs"),
        ({"preprocessing": {"size": 8}}, "not possible"),
        ({"preprocessing": {"colour": "infrared"}}, "not known"),
        ({"preprocessing": {"rotation": 3}}, "newer"),
        ({"temperature": "warm"}, "does not say"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(stored, changes, message):
    from safetensors import safe_open

    with safe_open(stored, framework="pt") as archive:
        header = json.loads(archive.metadata()["fedaffect"])
    save_file(load_file(stored), stored, {"fedaffect": json.dumps(header | changes)})
    vouch(stored)
    with pytest.raises(InputError, match=message):
        load_weights(stored)


def test_the_shipped_weights_say_what_they_are():
    stored = load_weights()
    assert stored.network.unit == "eesp"
    assert DEFAULT_WEIGHTS.stat().st_size < 5_100_000
    assert "weak" in stored.card["labels"]["valence_arousal"]
    assert "weak" in stored.card["labels"]["action_units"]
    clean = stored.card["metrics"]["majority_without_copies"]
    assert clean["faces"] == 2492
    assert stored.card["metrics"]["majority"]["faces"] == 2729
    readings = AffectReader(stored).read(np.zeros((1, 50, 40, 3), np.uint8))
    assert np.isfinite(readings.values()).all()
