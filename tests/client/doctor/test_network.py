import dataclasses
import shutil

import numpy as np
import pytest

from client.doctor import network as module
from client.doctor.network import check_network, check_weights
from client.doctor.reference import reference_outputs, reference_pictures
from shared.affect.backends import torch_backend
from shared.affect.weights import DEFAULT_WEIGHTS, load_weights
from shared.errors import InputError


@pytest.fixture(scope="module")
def stored():
    return load_weights()


def test_the_shipped_weights_are_verified_and_named(stored):
    found = check_weights()
    assert found.status == "passed"
    assert stored.card["name"] in found.text
    assert str(DEFAULT_WEIGHTS.parent / "README.md") in found.text
    assert found.numbers["sha256"] == stored.sha256


def test_changed_weights_are_refused(tmp_path):
    for file in DEFAULT_WEIGHTS.parent.glob(f"{DEFAULT_WEIGHTS.stem}.*"):
        shutil.copy(file, tmp_path)
    copied = tmp_path / DEFAULT_WEIGHTS.name
    assert str(copied) in check_weights(copied).text
    content = bytearray(copied.read_bytes())
    content[-1] ^= 1
    copied.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        check_weights(copied)


def test_outputs_are_stored_for_the_shipped_weights(stored):
    """Whoever ships new weights makes them anew; client/doctor/reference.py says how."""
    known = reference_outputs(stored.sha256)
    assert known is not None
    here = torch_backend(stored)(reference_pictures(stored.preprocessing.size))
    np.testing.assert_allclose(here, known, atol=1e-4)
    assert here.std(axis=0).max() > 0.1


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_both_back_ends_compute_what_they_should(stored, backend):
    found = check_network(stored, backend=backend, threads=1)
    assert found.status == "passed"
    assert found.numbers["difference_to_torch"] <= 1e-4
    assert found.numbers["difference_to_stored"] <= 1e-3
    assert found.text.startswith("OpenVINO" if backend == "openvino" else "PyTorch")


def test_weights_without_stored_outputs_are_only_compared_with_torch(stored):
    found = check_network(dataclasses.replace(stored, sha256="0" * 64), threads=1)
    assert found.status == "passed"
    assert "no outputs are stored for these weights" in found.text


@pytest.mark.parametrize(
    ("shift", "said"),
    [(0.01, "two ways to run the network differ by 1.0e-02"), (np.nan, "numbers that are none")],
)
def test_a_back_end_that_computes_wrongly_fails(monkeypatch, stored, shift, said):
    run = torch_backend(stored)
    monkeypatch.setattr(module, "choose_backend", lambda *_: lambda pictures: run(pictures) + shift)
    found = check_network(stored)
    assert found.status == "failed"
    assert said in found.text


def test_a_computer_on_which_everything_is_wrong_fails(monkeypatch, stored):
    known = reference_outputs(stored.sha256)
    monkeypatch.setattr(module, "reference_outputs", lambda _: known + 0.01)
    found = check_network(stored, threads=1)
    assert found.status == "failed"
    assert "differ from the stored ones by 1.0e-02" in found.text
