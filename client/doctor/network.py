"""Are the weights the recorded ones, and does the network compute here what it should?"""

from pathlib import Path
from typing import Final

import numpy as np

from client.doctor.ladder import Found
from client.doctor.reference import reference_outputs, reference_pictures
from shared.affect.backends import choose_backend, torch_backend
from shared.affect.reader import AffectReader
from shared.affect.weights import DEFAULT_WEIGHTS, StoredNetwork, load_weights

__all__ = ["check_network", "check_weights"]

_SAME: Final = {"f32": 1e-4, "bf16": 0.3}
"""Largest difference between two ways to compute the outputs, by precision.

Outputs lie within about 10. In float32 two back ends differ by less than 1e-5.
"""
_SAME_AS_STORED: Final = 1e-3
"""Stored outputs were computed on another processor."""

_INSTALL: Final = "install the program again: `make install` in its folder"


def check_weights(path: Path | None = None) -> Found:
    """Load weights whose size and SHA-256 are those of their note.

    Raises
    ------
    InputError
        As ``load_weights``.
    """
    file = path or DEFAULT_WEIGHTS
    stored = load_weights(file)
    name = str(stored.card.get("name") or file.stem)
    origin = "they come with the program" if path is None else f"given: {file}"
    card = file.parent / "README.md"
    described = f"; their card: {card}" if card.is_file() else ""
    return Found(
        f"{name}, SHA-256 {stored.sha256[:12]}… is the recorded one; {origin}{described}",
        numbers={"name": name, "sha256": stored.sha256, "file": str(file)},
        value=stored,
    )


def check_network(
    stored: StoredNetwork, *, backend: str = "auto", threads: int = 2, precision: str = "f32"
) -> Found:
    """Compare what the network gives here with PyTorch and with the stored outputs.

    Raises
    ------
    InputError
        When the back end is not there.
    """
    run = choose_backend(stored, backend, threads, precision)
    pictures = reference_pictures(stored.preprocessing.size)
    here, by_torch = run(pictures), torch_backend(stored)(pictures)
    numbers: dict[str, object] = {"precision": precision}
    if not np.isfinite(here).all():
        return Found("the network gives numbers that are none", "failed", _INSTALL, numbers)
    difference = float(np.abs(here - by_torch).max())
    numbers["difference_to_torch"] = difference
    if difference > _SAME[precision]:
        return Found(
            f"two ways to run the network differ by {difference:.1e}",
            "failed",
            f"{_INSTALL}; until then give `--backend torch` to `extract`",
            numbers,
        )
    coarser = f" in {precision}" if precision != "f32" else ""
    text = f"{_runs_on(run)}{coarser} and PyTorch agree to {difference:.0e}"
    known = reference_outputs(stored.sha256)
    if known is None:
        text += "; no outputs are stored for these weights"
    else:
        distance = float(np.abs(by_torch - known).max())
        numbers["difference_to_stored"] = distance
        if distance > _SAME_AS_STORED:
            return Found(
                f"the network's outputs differ from the stored ones by {distance:.1e}",
                "failed",
                _INSTALL,
                numbers,
            )
        text += f", and with the stored outputs to {distance:.0e}"
    reader = AffectReader(stored, run, precision)
    return Found(text, numbers=numbers, value=reader)


def _runs_on(run: object) -> str:
    return "OpenVINO" if "openvino" in getattr(run, "__module__", "") else "PyTorch"
