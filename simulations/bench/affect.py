"""Pictures a second that one CPU core reads with the affect network, by what runs it.

Every runner gets one thread. Time is the CPU time of this process, so waiting for a busy core does
not count; caches and clocks shared with other work still do, which is why all runners take turns in
short rounds and the median of each counts: what disturbs one disturbs all.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shared.affect.openvino_backend import has_native_bf16, openvino_backend
from shared.affect.openvino_graph import build_model
from shared.affect.openvino_import import openvino_core
from shared.affect.weights import StoredNetwork

__all__ = ["AffectTiming", "time_affect"]

_PICTURES: Final = 8
"""In one call; PyTorch takes them as one batch, near its best size."""

_EXPORTED: Final = "OpenVINO f32, as exported"


class AffectTiming(NamedTuple):
    """Speed of one runner on one core.

    Attributes
    ----------
    runner : str
    frames_per_s : float
        Pictures per second of CPU time, median over rounds.
    best_frames_per_s : float
        The same in the fastest round.
    ratio : float
        Median over rounds of the speed divided by that of the network as exported.
    """

    runner: str
    frames_per_s: float
    best_frames_per_s: float
    ratio: float


def time_affect(
    stored: StoredNetwork,
    *,
    rounds: int = 15,
    calls: int = 4,
    report: Callable[[int], None] | None = None,
) -> list[AffectTiming]:
    """Time all runners of one network in turns.

    Parameters
    ----------
    stored : StoredNetwork
        Pictures have the size of its preprocessing.
    rounds : int, default 15
        How often each runner has its turn.
    calls : int, default 4
        Calls with 8 pictures in one turn.
    report : callable, optional
        Called with the number of finished rounds.

    Returns
    -------
    list of AffectTiming
        PyTorch eager; OpenVINO as exported (PReLU of its own, open batch size); the same with the
        batch fixed to one picture; rewritten in f32; and in bf16 where the CPU computes with it.
    """
    size = stored.preprocessing.size
    shape = (_PICTURES, size, size, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with _one_torch_thread():
        runners = _runners(stored, pictures)
        for run in runners.values():
            run()  # memory is allocated in the first call
        speeds: dict[str, list[float]] = {name: [] for name in runners}
        for number in range(rounds):
            for name, run in runners.items():
                started = time.process_time()
                for _ in range(calls):
                    run()
                seconds = time.process_time() - started
                speeds[name].append(calls * _PICTURES / seconds)
            if report is not None:
                report(number + 1)
    exported = speeds[_EXPORTED]
    return [
        AffectTiming(
            runner=name,
            frames_per_s=statistics.median(measured),
            best_frames_per_s=max(measured),
            ratio=statistics.median(
                own / other for own, other in zip(measured, exported, strict=True)
            ),
        )
        for name, measured in speeds.items()
    ]


def _runners(
    stored: StoredNetwork, pictures: NDArray[np.uint8]
) -> Mapping[str, Callable[[], object]]:
    floats = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    rewritten = openvino_backend(stored)
    runners: dict[str, Callable[[], object]] = {
        "PyTorch eager": _eager(stored, floats),
        _EXPORTED: _unchanged(stored, floats, batch=-1),
        "the same, batch of one": _unchanged(stored, floats, batch=1),
        "OpenVINO f32, rewritten": lambda: rewritten(pictures),
    }
    if has_native_bf16():
        half = openvino_backend(stored, precision="bf16")
        runners["OpenVINO bf16, rewritten"] = lambda: half(pictures)
    return runners


def _eager(stored: StoredNetwork, pictures: NDArray[np.float32]) -> Callable[[], object]:
    """The network as it is trained: nothing folded, channels first."""

    def run() -> object:
        with torch.inference_mode():
            return stored.network(torch.from_numpy(pictures)).numpy()

    return run


def _unchanged(
    stored: StoredNetwork, pictures: NDArray[np.float32], batch: int
) -> Callable[[], object]:
    """OpenVINO on the network as its ONNX export has it, one picture an inference."""
    model = build_model(stored.network, batch=batch, size=stored.preprocessing.size, rewrite=False)
    options = {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    request = openvino_core().compile_model(model, "CPU", options).create_infer_request()

    def run() -> object:
        return [request.infer([picture[None]])[0].copy() for picture in pictures]

    return run


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
