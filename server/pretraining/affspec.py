"""Read the checkpoints that the authors of the poster published (AffSpec; MIT licence).

``model_esp.pth``, ``model_mob.pth`` and ``model_res.pth`` are plain state dicts whose entries carry
the names of our networks, so they load strictly or not at all. The product ships none of them; a
user names a file. Source: Li et al., ICIP 2019, github.com/BeibinLi/affspec.
"""

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from shared.affect.network import UNITS, AffectNetwork, Unit
from shared.affect.weights import Preprocessing, StoredNetwork
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["AFFSPEC_PREPROCESSING", "load_affspec"]

AFFSPEC_PREPROCESSING: Final = Preprocessing(size=224, crop_margin=0.3, channel_order="BGR")
"""As the authors ran their networks: the box and 30 % on each side, in OpenCV's channel order."""

_NAMED_IN_ERRORS: Final = 3


def load_affspec(path: Path, unit: str | None = None) -> StoredNetwork:
    """Load a published checkpoint strictly by key.

    Parameters
    ----------
    path : Path
        The user's file. It is read as plain tensors; code in it is never run.
    unit : {"eesp", "mobilenet", "bottleneck"}, optional
        If not given, the unit whose entries the file's names resemble most.

    Returns
    -------
    StoredNetwork
        With the authors' preprocessing, and a card that names origin and licence. ``sha256`` is
        that of the checkpoint.

    Raises
    ------
    InputError
        When the file is missing, is no state dict, or its entries are not those of the unit.
    """
    if unit is not None and unit not in UNITS:
        raise InputError(f"--unit {unit} asked; one of {', '.join(UNITS)} is possible")
    entries = _entries(path)
    needed = {candidate: _shapes(candidate) for candidate in UNITS}
    resembled = max(UNITS, key=lambda name: len(needed[name].keys() & entries.keys()))
    chosen: Unit = next((name for name in UNITS if name == unit), resembled)
    _check_names(path, chosen, resembled, needed, entries)
    for key, shape in needed[chosen].items():
        if entries[key].shape != shape:
            raise InputError(
                f"{path}: {key} has shape {tuple(entries[key].shape)}; {tuple(shape)} is needed "
                "(scale 2, 22 outputs)"
            )
        if not bool(torch.isfinite(entries[key]).all()):
            raise InputError(f"{path}: {key} holds values that are not finite; copy the file again")
    network = AffectNetwork(chosen)
    network.load_state_dict(entries)
    digest = sha256_of(path)
    return StoredNetwork(network.eval(), AFFSPEC_PREPROCESSING, 1.0, _card(path, digest), digest)


def _entries(path: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name an AffSpec checkpoint (.pth)") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, OSError):
        raise InputError(f"{path}: not a PyTorch checkpoint of plain tensors") from None
    if not isinstance(loaded, dict) or not loaded:
        raise InputError(f"{path}: holds no state dict; name an AffSpec checkpoint (.pth)")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path}: entry {key!r} is no tensor; a plain state dict is needed, without "
                "optimiser or wrapper"
            )
    return loaded


def _shapes(unit: Unit) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {key: value.shape for key, value in AffectNetwork(unit).state_dict().items()}


def _check_names(
    path: Path,
    chosen: Unit,
    resembled: Unit,
    needed: Mapping[Unit, Mapping[str, torch.Size]],
    entries: Mapping[str, Tensor],
) -> None:
    missing = [key for key in needed[chosen] if key not in entries]
    unexpected = [key for key in entries if key not in needed[chosen]]
    if not missing and not unexpected:
        return
    faults = [
        f"{len(keys)} {title} ({_first(keys)})"
        for title, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    advice = (
        f"; its names are those of {resembled} units: use --unit {resembled}"
        if resembled != chosen
        else ""
    )
    raise InputError(
        f"{path}: not an AffSpec checkpoint with {chosen} units: of {len(needed[chosen])} entries "
        f"{' and '.join(faults)}{advice}"
    )


def _first(keys: Iterable[str]) -> str:
    named = list(keys)
    rest = ", …" if len(named) > _NAMED_IN_ERRORS else ""
    return ", ".join(named[:_NAMED_IN_ERRORS]) + rest


def _card(path: Path, digest: str) -> dict[str, object]:
    return {
        "name": path.stem,
        "origin": "AffSpec, Li et al., ICIP 2019, github.com/BeibinLi/affspec",
        "licence": "MIT, copyright Beibin Li; not part of fedaffect",
        "data": {"set": "AffectNet and EmotioNet, trained by the authors"},
        "checkpoint": {"file": path.name, "sha256": digest},
    }
