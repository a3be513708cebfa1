import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.affect import openvino_backend as module
from shared.affect.backends import torch_backend
from shared.affect.network import UNITS, AffectNetwork
from shared.affect.openvino_backend import has_native_bf16, openvino_backend
from shared.affect.openvino_graph import build_model
from shared.affect.openvino_import import openvino_core
from shared.affect.reader import AffectReader
from shared.affect.weights import Preprocessing, StoredNetwork, load_weights
from shared.errors import InputError

ROOT = Path(__file__).parents[3]


def trained_looking(unit, size):
    """Statistics and slopes as after training: every slope differs, some lie outside [0, 1]."""
    torch.manual_seed(3)
    network = AffectNetwork(unit)
    for layer in network.modules():
        if isinstance(layer, torch.nn.PReLU):
            torch.nn.init.uniform_(layer.weight, -0.5, 1.2)
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias, std=0.2)
    network.classifier.weight.data.normal_(std=0.1)
    with torch.no_grad():
        for _ in range(40):  # running statistics settle, and activations stay of order one
            network.train()(torch.rand(4, 3, size, size))
    return StoredNetwork(network.eval(), Preprocessing(size=size), 1.0, {}, "0" * 64)


@pytest.fixture(scope="module", params=UNITS)
def stored(request):
    return trained_looking(request.param, 64)


@pytest.fixture(scope="module")
def small():
    return trained_looking("eesp", 32)


def pictures(n, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)


@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (2, 3)])
def test_equals_torch_for_every_unit(stored, threads, batch):
    crops = pictures(7, 64)
    expected = torch_backend(stored)(crops)
    result = openvino_backend(stored, threads=threads, batch=batch)(crops)
    assert expected.std(axis=0).min() > 1e-3  # crops are told apart, so a mix-up would be seen
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_the_shipped_weights_read_alike_with_both():
    weights = load_weights()
    crops = np.random.default_rng(1).integers(0, 256, (6, 120, 100, 3), np.uint8)
    ours = AffectReader(weights, openvino_backend(weights)).read(crops).values()
    torchs = AffectReader(weights, torch_backend(weights)).read(crops).values()
    np.testing.assert_allclose(ours, torchs, rtol=0, atol=1e-5)


def test_the_comparison_graph_computes_the_same(small):
    model = build_model(small.network, batch=-1, size=32, rewrite=False)
    crops = pictures(3, 32)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    floats = crops.transpose(0, 3, 1, 2).astype(np.float32) / 255
    result = openvino_core().compile_model(model, "CPU", options)([floats])[0]
    np.testing.assert_allclose(result, torch_backend(small)(crops), rtol=0, atol=1e-5)


def test_the_rewritten_graph_has_one_pyramid_and_no_prelu(small):
    def count(rewrite):
        model = build_model(small.network, batch=1, size=32, rewrite=rewrite)
        kinds = [node.get_type_name() for node in model.get_ops()]
        return kinds.count("AvgPool"), kinds.count("PRelu")

    assert count(rewrite=True) == (4 + 4, 0)  # one pyramid of four, and one pool a down-sampler
    assert count(rewrite=False) == (2 + 3 + 4 + 4, 57)


@given(n=st.integers(0, 9), batch=st.integers(1, 4), threads=st.integers(1, 2))
@settings(max_examples=8)
def test_every_picture_gets_its_own_row_however_many_there_are(small, n, batch, threads):
    crops = pictures(n, 32, seed=n)
    run = openvino_backend(small, threads=threads, batch=batch)
    together = run(crops)
    assert together.shape == (n, 22)
    singly = [run(crop[None])[0] for crop in crops]
    np.testing.assert_array_equal(together, np.array(singly, np.float32).reshape(n, 22))


def test_results_stay_what_they_are_after_the_next_call(small):
    run = openvino_backend(small, threads=2)
    first = run(pictures(4, 32))
    before = first.copy()
    run(pictures(4, 32, seed=1))
    np.testing.assert_array_equal(first, before)


def test_the_network_is_left_as_it_was_and_not_needed_afterwards(small):
    before = {key: value.clone() for key, value in small.network.state_dict().items()}
    run = openvino_backend(small)
    expected = run(pictures(1, 32))
    for key, value in small.network.state_dict().items():
        assert torch.equal(value, before[key])
    with torch.no_grad():
        small.network.classifier.bias.add_(1)
        after = run(pictures(1, 32))
        small.network.classifier.bias.sub_(1)
    np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize(
    "options", [{"threads": 0}, {"batch": 0}, {"batch": 5}, {"precision": "f8"}]
)
def test_impossible_settings_are_refused(small, options):
    with pytest.raises(ValueError, match="asked"):
        openvino_backend(small, **options)


def test_pictures_of_another_size_are_refused(small):
    with pytest.raises(ValueError, match="were compiled"):
        openvino_backend(small)(pictures(1, 64))
    with pytest.raises(ValueError, match="of float32 given"):
        openvino_backend(small)(pictures(1, 32).astype(np.float32))


def test_bf16_is_refused_where_the_cpu_lacks_it(small, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    with pytest.raises(InputError, match="no bf16 instructions"):
        openvino_backend(small, precision="bf16")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({"avx512_bf16": False, "avx512_f": True}, False),
        ({}, False),
    ],
)
def test_native_bf16_follows_the_instructions(monkeypatch, capabilities, native):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_native_bf16() is native


def test_bf16_is_used_only_when_asked(small, monkeypatch):
    asked = []

    class Core:
        def compile_model(self, model, device, options):
            asked.append((device, options))
            return openvino_core().compile_model(
                model, device, {**options, "INFERENCE_PRECISION_HINT": "f32"}
            )

    monkeypatch.setattr(module, "openvino_core", Core)
    monkeypatch.setattr(module, "has_native_bf16", lambda: True)
    openvino_backend(small, threads=2)
    openvino_backend(small, precision="bf16")
    assert [device for device, _ in asked] == ["CPU", "CPU"]
    assert [o["INFERENCE_PRECISION_HINT"] for _, o in asked] == ["f32", "bf16"]
    assert [(o["NUM_STREAMS"], o["INFERENCE_NUM_THREADS"]) for _, o in asked] == [(2, 2), (1, 1)]
    assert not any("CACHE_DIR" in options for _, options in asked)


CTRL_C = """
import gc, signal
from shared.affect.network import AffectNetwork
from shared.affect.openvino_backend import openvino_backend
from shared.affect.weights import Preprocessing, StoredNetwork

stored = StoredNetwork(AffectNetwork().eval(), Preprocessing(size=32), 1.0, {}, "")
first, second = openvino_backend(stored), openvino_backend(stored)
for name in ("first", "second"):
    del globals()[name]
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_is_taken_after_back_ends_came_and_went():
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "stopped"), done.stderr


OFFLINE = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        sys.stderr.write(f"NETWORK {event} {arguments[1:]}\\n")
        raise OSError("no network in this test")

sys.addaudithook(watch)
"""


def python(program, home):
    # A clean environment: OpenVINO keeps quiet by itself where it believes to run in CI.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", OFFLINE + program],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_nothing_is_sent_and_nothing_is_left_behind(tmp_path):
    program = """
import numpy as np
from shared.affect.reader import AffectReader
reader = AffectReader.from_file(backend="openvino")
print(reader.read(np.zeros((1, 50, 40, 3), np.uint8)).values().shape)
loaded = [name for name in sys.modules if name.partition(".")[0] == "openvino_telemetry"]
assert loaded == ["openvino_telemetry"] and sys.modules[loaded[0]] is None, loaded
import openvino.tools.ovc
assert "telemetry_stub" in type(openvino.tools.ovc.telemetry).__module__
"""
    done = python(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 22)"
    assert "NETWORK" not in done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_the_watch_on_the_network_works(tmp_path):
    done = python("import socket; socket.create_connection(('127.0.0.1', 9))", tmp_path)
    assert done.returncode != 0
    assert "NETWORK" in done.stderr
