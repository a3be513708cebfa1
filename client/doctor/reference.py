"""What the shipped weights give for two pictures, so that a computer that computes wrongly shows.

The pictures are made by integer arithmetic, the same on every computer; they show nothing. The
outputs stand in ``reference_outputs.json`` under the SHA-256 of their weights and were made with
PyTorch. When the shipped weights change:

    python -m client.doctor.reference > new.json && mv new.json client/doctor/reference_outputs.json
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.affect.weights import StoredNetwork

__all__ = ["reference_outputs", "reference_pictures"]

_FILE: Final = Path(__file__).with_name("reference_outputs.json")


def reference_pictures(size: int) -> NDArray[np.uint8]:
    """Two pictures as the network takes them, shape (2, size, size, 3)."""
    row, column, channel = np.meshgrid(
        np.arange(size), np.arange(size), np.arange(3), indexing="ij"
    )
    ramp = (row * 3 + column * 2 + channel * 40) % 256
    rings = ((row - size // 2) ** 2 + (column - size // 3) ** 2) // 8 % 256
    return np.stack([ramp, rings]).astype(np.uint8)


def reference_outputs(sha256: str) -> NDArray[np.float32] | None:
    """Raw outputs of the weights with this hash for both pictures, shape (2, 22); None if unknown.

    Raises
    ------
    OSError, ValueError
        When the file is missing or damaged.
    """
    known = json.loads(_FILE.read_text(encoding="ascii"))
    return np.array(known[sha256], np.float32) if sha256 in known else None


def _made(stored: "StoredNetwork") -> dict[str, list[list[float]]]:
    from shared.affect.backends import torch_backend

    outputs = torch_backend(stored)(reference_pictures(stored.preprocessing.size))
    return {stored.sha256: [[round(float(value), 6) for value in row] for row in outputs]}


if __name__ == "__main__":
    from shared.affect.weights import load_weights

    print(json.dumps(_made(load_weights())))
