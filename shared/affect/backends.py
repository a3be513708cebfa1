"""What runs the network: PyTorch or OpenVINO behind one small interface.

Both give the same numbers to about 1e-5 in float32, so which one ran is no part of a recording's
provenance; a lower precision is.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

if TYPE_CHECKING:
    from shared.affect.weights import StoredNetwork

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "Backend",
    "BackendName",
    "Precision",
    "choose_backend",
    "torch_backend",
]

Backend = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps pictures (n, size, size, 3), 0 to 255, to the network's raw outputs (n, num_outputs).

The channels are in the order the network takes them. Bytes, as pictures come: turning them into
floats in numpy costs half of what the network costs.
"""

BackendName = Literal["auto", "openvino", "torch"]
BACKENDS: Final[tuple[BackendName, ...]] = get_args(BackendName)

Precision = Literal["f32", "bf16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
"""float32 throughout, or bfloat16 (8 significant bits) inside the network."""


def choose_backend(
    stored: "StoredNetwork", name: str = "auto", threads: int = 1, precision: str = "f32"
) -> Backend:
    """Back end by name.

    Parameters
    ----------
    stored : StoredNetwork
    name : {"auto", "openvino", "torch"}
        "auto" is OpenVINO in float32 where it is installed, otherwise PyTorch.
    threads : int, default 1
        Streams of OpenVINO, >= 1. PyTorch's threads are a setting of the whole process
        (``shared.affect.threads``) and stay as they are.
    precision : {"f32", "bf16"}
        bf16 is for OpenVINO on a CPU that computes with it.

    Raises
    ------
    InputError
        When there is no such back end or precision, or OpenVINO is asked and cannot be imported.
    """
    if name not in BACKENDS:
        raise InputError(f"back end {name} asked; one of {', '.join(BACKENDS)} is possible")
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision} asked; {' or '.join(PRECISIONS)} is possible")
    if name == "torch":
        if precision != "f32":
            raise InputError(f"precision {precision} asked with torch; use openvino, or f32")
        return torch_backend(stored)
    from shared.affect.openvino_backend import openvino_backend

    try:
        return openvino_backend(stored, threads=threads, precision=precision)
    except ImportError as error:
        if name == "auto" and precision == "f32":
            return torch_backend(stored)
        raise InputError(
            f"back end openvino asked; it cannot be imported ({error}): install it with "
            "`pip install openvino`, or use torch"
        ) from None


def torch_backend(stored: "StoredNetwork", device: str = "cpu") -> Backend:
    """PyTorch, normalisation folded, channels last.

    Parameters
    ----------
    stored : StoredNetwork
    device : str, default "cpu"
        "cuda" runs on a GPU, in full float32.
    """
    import torch

    from shared.affect.folding import folded

    network = folded(stored.network).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        # TF32, the default of convolutions on a GPU, keeps 10 bits of a number.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            # (n, height, width, channel) seen as (n, channel, height, width) is channels last.
            batch = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255
            result: NDArray[np.float32] = network(batch).cpu().numpy()
        return result

    return run
