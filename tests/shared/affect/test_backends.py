import sys

import numpy as np
import pytest
import torch

from shared.affect import backends
from shared.affect.backends import choose_backend, torch_backend
from shared.affect.network import AffectNetwork
from shared.affect.reader import AffectReader
from shared.affect.weights import Preprocessing, StoredNetwork
from shared.errors import InputError


@pytest.fixture(scope="module")
def stored():
    torch.manual_seed(0)
    network = AffectNetwork("eesp").eval()
    network.classifier.weight.data.normal_(std=0.3)
    return StoredNetwork(network, Preprocessing(size=32), 1.0, {}, "0" * 64)


@pytest.fixture
def without_openvino(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openvino", None)


@pytest.fixture
def chosen(monkeypatch):
    """Names of the back ends that were built."""
    from shared.affect import openvino_backend

    names = []
    monkeypatch.setattr(backends, "torch_backend", lambda stored: names.append("torch"))
    monkeypatch.setattr(
        openvino_backend,
        "openvino_backend",
        lambda stored, threads, precision: names.append(f"openvino x {threads} {precision}"),
    )
    return names


def test_auto_is_openvino_where_it_is_installed(stored, chosen):
    choose_backend(stored)
    choose_backend(stored, "auto", threads=2)
    choose_backend(stored, "openvino", threads=3, precision="bf16")
    choose_backend(stored, "torch", threads=3)
    AffectReader(stored)
    assert chosen == [
        "openvino x 1 f32",
        "openvino x 2 f32",
        "openvino x 3 bf16",
        "torch",
        "openvino x 1 f32",
    ]


@pytest.mark.usefixtures("without_openvino")
def test_without_openvino_auto_is_torch_and_openvino_says_how_to_get_it(stored):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(
        choose_backend(stored, "auto")(pictures), torch_backend(stored)(pictures)
    )
    with pytest.raises(InputError, match="pip install openvino"):
        choose_backend(stored, "openvino")


def test_an_unknown_back_end_is_refused(stored):
    with pytest.raises(InputError, match="back end onnx asked; one of auto, openvino, torch"):
        choose_backend(stored, "onnx")


@pytest.mark.parametrize(
    ("name", "precision", "reason"),
    [("auto", "f16", "f32 or bf16 is possible"), ("torch", "bf16", "use openvino, or f32")],
)
def test_a_precision_that_cannot_be_is_refused(stored, name, precision, reason):
    with pytest.raises(InputError, match=reason):
        choose_backend(stored, name, precision=precision)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_numbers(stored):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(
        torch_backend(stored, "cuda")(pictures), torch_backend(stored)(pictures), atol=1e-5
    )
