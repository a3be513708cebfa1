"""Parameters and multiply-accumulates of the networks, as Li et al. (ICIP 2019) table them."""

from dataclasses import asdict, dataclass
from typing import Final, Literal

import torch

from shared.affect.network import UNITS, AffectNetwork, Unit, count_macs, count_parameters
from shared.channels import ACTION_UNITS, CHANNELS, EXPRESSIONS

__all__ = ["NetworkSize", "network_sizes", "poster_text"]

_SINGLE_TASKS: Final = (len(EXPRESSIONS), 1, 1, len(ACTION_UNITS))
_POSTER: Final[dict[tuple[Unit, str], tuple[str, str]]] = {
    ("eesp", "multi"): ("2.4 M", "0.29 B"),
    ("eesp", "single"): ("9.7 M", "1.2 B"),
    ("mobilenet", "multi"): ("6.2 M", "0.78 B"),
    ("mobilenet", "single"): ("24.8 M", "3.1 B"),
    ("bottleneck", "multi"): ("6.5 M", "0.85 B"),
    ("bottleneck", "single"): ("25.9 M", "3.4 B"),
}
"""Published "parameters" and "FLOPs"; the latter are multiply-accumulates."""


@dataclass(frozen=True)
class NetworkSize:
    """Size of one multi-task network, or of its four single-task ones together."""

    unit: Unit
    tasks: Literal["multi", "single"]
    parameters: int
    macs: int

    def as_json(self) -> dict[str, object]:
        """All fields as JSON values."""
        return asdict(self)


def network_sizes() -> list[NetworkSize]:
    """Sizes of the three units, multi-task and single-task, at 224 x 224."""
    sizes = []
    tasks: tuple[tuple[Literal["multi", "single"], tuple[int, ...]], ...] = (
        ("multi", (len(CHANNELS),)),
        ("single", _SINGLE_TASKS),
    )
    for unit in UNITS:
        for name, outputs in tasks:
            # On the meta device tensors have a shape and no content, and counting costs nothing.
            with torch.device("meta"):
                networks = [AffectNetwork(unit, count) for count in outputs]
            parameters = sum(count_parameters(network) for network in networks)
            macs = sum(sum(count_macs(network).values()) for network in networks)
            sizes.append(NetworkSize(unit, name, parameters, macs))
    return sizes


def poster_text(size: NetworkSize) -> str:
    """The published figures for the same network, such as ``"2.4 M / 0.29 B"``."""
    return " / ".join(_POSTER[size.unit, size.tasks])
