"""Start the EESP network from ESPNetv2 weights that were trained on ImageNet.

The segmentation checkpoints of EdgeNets (Mehta et al., MIT licence) hold the same levels 1 to 4
under ``base_net.``. They expect RGB with ImageNet's mean and standard deviation; ours takes plain
0 to 1, so that normalisation is folded into the convolutions that see the picture.
"""

import pickle
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from shared.affect.network import AffectNetwork
from shared.errors import InputError

__all__ = ["start_from_espnetv2"]

_PREFIX: Final = "base_net."
_FITTING_ENTRIES: Final = 361
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
_SEES_PICTURE: Final = ("level1", *(f"level{level}_0.inp_reinf.0" for level in (2, 3, 4)))


def start_from_espnetv2(network: AffectNetwork, path: Path) -> int:
    """Copy levels 1 to 4 from an EdgeNets checkpoint into ``network``.

    Parameters
    ----------
    network : AffectNetwork
        With EESP units; changed in place.
    path : Path
        State dict of an ESPNetv2 (scale 2) segmentation network.

    Returns
    -------
    int
        Number of entries copied.

    Raises
    ------
    InputError
        When the file is missing, is no state dict, or does not hold these levels.
    """
    if network.unit != "eesp":
        raise InputError(f"--init fits EESP units only; {network.unit} units were asked for")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; --init names an ESPNetv2 checkpoint") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, OSError):
        raise InputError(f"{path}: not a PyTorch checkpoint of plain tensors") from None
    own = network.state_dict()
    entries: dict[str, Tensor] = {}
    if isinstance(loaded, dict):
        for key, value in loaded.items():
            name = str(key).removeprefix(_PREFIX)
            if str(key).startswith(_PREFIX) and isinstance(value, Tensor) and name in own:
                if own[name].shape != value.shape:
                    raise InputError(
                        f"{path}: {key} has shape {tuple(value.shape)}; "
                        f"{tuple(own[name].shape)} is needed (ESPNetv2 at scale 2)"
                    )
                entries[name] = value
    if len(entries) != _FITTING_ENTRIES:
        raise InputError(
            f"{path}: {len(entries)} of the {_FITTING_ENTRIES} entries of levels 1 to 4 found "
            f"under `{_PREFIX}`; an EdgeNets ESPNetv2 (scale 2) checkpoint is needed"
        )
    mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
    for layer in _SEES_PICTURE:
        weight = entries[f"{layer}.conv.weight"] / std[None, :, None, None]
        entries[f"{layer}.conv.weight"] = weight
        shift = (weight * mean[None, :, None, None]).sum((1, 2, 3))
        entries[f"{layer}.bn.running_mean"] = entries[f"{layer}.bn.running_mean"] + shift
    network.load_state_dict({**own, **entries})
    return len(entries)
