"""The state of a running training in one file, written whole or not at all.

All randomness follows from seed and step, so the step stands for the state of every generator. A
checkpoint also says which configuration, data and start it belongs to; with others it is refused.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from shared.errors import InputError
from shared.files import atomic_path

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

_FORMAT: Final = 1
_NAMES: Final = {
    "config": "configuration",
    "data": "data",
    "start": "start (--init)",
    "task": "task",
    "world": "number of processes",
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State after ``step`` steps.

    Attributes
    ----------
    belongs_to : mapping of str to str
        Digests of configuration, data and start, the task and the number of processes.
    step : int
        Steps done; the next one has this number.
    network, mean : mapping of str to Tensor
        Weights, and their exponential mean.
    optimiser, scaler : mapping
        States of the optimiser and of the gradient scaler of mixed precision.
    """

    belongs_to: Mapping[str, str]
    step: int
    network: Mapping[str, Tensor]
    mean: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    scaler: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at ``path``; a power cut leaves the old one or the new one."""
    with atomic_path(path) as temporary:
        torch.save({"format": _FORMAT, **vars(checkpoint)}, temporary)


def read_checkpoint(path: Path, belongs_to: Mapping[str, str]) -> Checkpoint:
    """Read a checkpoint that belongs to this run.

    Raises
    ------
    InputError
        When the file is damaged, or was written with another configuration, other data, another
        start or another number of processes.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != _FORMAT:
            raise InputError(f"{path}: written by another version of fedaffect; start anew")
        checkpoint = Checkpoint(**content)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ):
        raise InputError(
            f"{path}: not a readable checkpoint; remove it to start the training anew"
        ) from None
    for name, wanted in belongs_to.items():
        found = checkpoint.belongs_to.get(name)
        if found != wanted:
            raise InputError(
                f"{path}: was written with another {_NAMES.get(name, name)} ({str(found)[:12]}; "
                f"now {wanted[:12]}); resume with the same one, or name another --out"
            )
    return checkpoint
