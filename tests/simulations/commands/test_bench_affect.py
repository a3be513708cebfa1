import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from shared.affect import openvino_backend
from shared.affect.network import AffectNetwork
from shared.affect.openvino_backend import has_native_bf16
from shared.affect.weights import Preprocessing, StoredNetwork
from simulations.bench import affect
from simulations.bench.affect import time_affect


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulations.cli", "bench", "affect", *arguments],
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def stored() -> StoredNetwork:
    torch.manual_seed(0)
    return StoredNetwork(AffectNetwork("eesp").eval(), Preprocessing(size=32), 1.0, {}, "")


def test_a_row_for_each_runner_and_the_machine() -> None:
    done = bench("--size", "32", "--rounds", "1", "--unit", "mobilenet")
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if line.startswith("│")
    ]
    assert [row[0] for row in rows] == [
        "PyTorch eager",
        "OpenVINO f32, as exported",
        "the same, batch of one",
        "OpenVINO f32, rewritten",
        *(["OpenVINO bf16, rewritten"] if has_native_bf16() else []),
    ]
    assert rows[1][3] == "1.00"
    assert all(float(row[1]) > 0 for row in rows)
    said = " ".join(done.stdout.split())
    assert "mobilenet units, 32 x 32 pixels, random weights" in said
    assert ("(computes with bf16)" in said) is has_native_bf16()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unit", "vgg"), "--unit vgg asked"),
        (("--weights", "none.safetensors"), "none.safetensors: no such weights file"),
        (("--size", "9"), "--size"),
    ],
)
def test_bad_options_exit_with_2(arguments: tuple[str, ...], message: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_runners_take_turns_and_compute_the_same(
    stored: StoredNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    outputs = {}
    real = affect._runners

    def watched(network: StoredNetwork, pictures):
        def watch(name, run):
            def call():
                turns.append(name)
                outputs[name] = np.asarray(run()).reshape(len(pictures), -1)

            return call

        return {name: watch(name, run) for name, run in real(network, pictures).items()}

    monkeypatch.setattr(affect, "_runners", watched)
    rounds: list[int] = []
    timings = time_affect(stored, rounds=2, calls=1, report=rounds.append)
    names = [timing.runner for timing in timings]
    assert turns == names * 3  # once to warm up
    assert rounds == [1, 2]
    for timing in timings:
        assert 0 < timing.frames_per_s <= timing.best_frames_per_s
    for name, values in outputs.items():
        tolerance = 1e-2 if "bf16" in name else 1e-5
        assert abs(values - outputs["PyTorch eager"]).max() <= tolerance, name


def test_bf16_is_not_timed_where_the_cpu_lacks_it(
    stored: StoredNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert not openvino_backend.has_native_bf16()
    timings = time_affect(stored, rounds=1, calls=1)
    assert [timing.runner for timing in timings if "bf16" in timing.runner] == []


def test_threads_of_torch_are_given_back(stored: StoredNetwork) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        time_affect(stored, rounds=1, calls=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
