"""Run the affect network on the CPU with OpenVINO, several times faster than PyTorch does.

Pictures go through one-thread streams, as many at a time as threads are allowed: several
inferences side by side use a busy machine's cores better than one inference spread over them.
Results do not depend on which pictures are read together. Nothing is written to disk: the compiled
model lives as long as the back end.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.affect.backends import PRECISIONS
from shared.affect.openvino_import import import_openvino, openvino_core
from shared.errors import InputError

if TYPE_CHECKING:
    from shared.affect.weights import StoredNetwork

__all__ = ["has_native_bf16", "openvino_backend"]

_LARGEST_BATCH: Final = 4
"""With more pictures the activations of one inference leave the second-level cache."""


def openvino_backend(
    stored: "StoredNetwork", *, threads: int = 1, batch: int = 1, precision: str = "f32"
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Compile a stored network.

    Parameters
    ----------
    stored : StoredNetwork
        The back end takes pictures of the size of its preprocessing.
    threads : int, default 1
        One-thread streams, >= 1.
    batch : int, default 1
        Pictures per inference, 1 to 4. The last inference of a call is filled up with zeros.
    precision : {"f32", "bf16"}
        "f32" agrees with PyTorch to about 1e-5. "bf16" is faster, keeps 8 bits of a number, and
        runs only where the CPU computes with it.

    Returns
    -------
    callable
        A ``shared.affect.backends.Backend``.
        Not to be called by two threads at a time.

    Raises
    ------
    ImportError
        When OpenVINO is not installed.
    InputError
        When bf16 is asked and the CPU has no instructions for it.
    """
    if threads < 1 or not 1 <= batch <= _LARGEST_BATCH:
        raise ValueError(
            f"threads {threads}, batch {batch} asked; threads >= 1 and batch 1 to {_LARGEST_BATCH} "
            "are possible"
        )
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision} asked; {' or '.join(PRECISIONS)} is possible")
    if precision == "bf16" and not has_native_bf16():
        raise InputError(
            "precision bf16 asked; this CPU has no bf16 instructions and would only be slower: "
            "use f32"
        )
    ov = import_openvino()
    from shared.affect.openvino_graph import build_model

    size = stored.preprocessing.size
    compiled = openvino_core().compile_model(
        _taking_bytes(build_model(stored.network, batch=batch, size=size)),
        "CPU",
        {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Always said: some CPUs would take bf16 or f16 by default.
            "INFERENCE_PRECISION_HINT": precision,
            # A pinned thread waits for its core even while another one is idle.
            "ENABLE_CPU_PINNING": False,
        },
    )
    queue = ov.AsyncInferQueue(compiled, threads)
    queue.set_callback(_store)
    shape = (batch, size, size, 3)

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        if pictures.shape[1:] != shape[1:] or pictures.dtype != np.uint8:
            raise ValueError(
                f"pictures {pictures.shape} of {pictures.dtype} given; "
                f"(n, {', '.join(map(str, shape[1:]))}) of uint8 were compiled"
            )
        outputs = np.empty((len(pictures), stored.network.num_outputs), np.float32)
        for first in range(0, len(pictures), batch):
            chunk = pictures[first : first + batch]
            if len(chunk) < batch:
                filled = np.zeros(shape, np.uint8)
                filled[: len(chunk)] = chunk
                chunk = filled
            # Copies the chunk, and waits while all streams are busy: memory stays bounded.
            queue.start_async({0: chunk}, outputs[first : first + batch])
        queue.wait_all()
        return outputs

    return run


def has_native_bf16() -> bool:
    """Whether the CPU multiplies bf16 numbers itself (AVX512_BF16, AMX, Arm BF16).

    OpenVINO's own list of capabilities also names bf16 on CPUs that have to emulate it.
    """
    import torch

    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def _taking_bytes(model: Any) -> Any:
    """The model with bytes 0 to 255 in, channels last, in place of floats 0 to 1."""
    ov = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    return steps.build()


def _store(request: Any, rows: NDArray[np.float32]) -> None:
    """Copy the outputs of one inference into their rows; runs in the stream's thread."""
    rows[:] = request.get_output_tensor(0).data[: len(rows)]
