"""A federation on one machine: studies, and what every simulated clinic holds for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from flwr.app import Context

from client.site import SiteStudy
from shared.errors import InputError, PrivacyError
from shared.model import TrainedModel
from shared.privacy.feature_map import FeatureMap
from shared.study import Study

__all__ = ["ENGINES", "Engine", "Federation", "train_federation"]

Engine = Literal["inprocess", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


@dataclass(frozen=True)
class Federation:
    """Studies with one roster, and the clinics' sides of them.

    Attributes
    ----------
    prepared : sequence of (Study, FeatureMap)
        What the server trains.
    clinics : sequence of mapping
        For each clinic of the roster, in its order, its :class:`SiteStudy` by study hash.
    """

    prepared: Sequence[tuple[Study, FeatureMap]]
    clinics: Sequence[Mapping[str, SiteStudy]]

    def open_study(self, context: Context, digest: str) -> SiteStudy:
        """Return the node's side of a study; the node is known by its number alone."""
        held = self.clinics[int(context.node_config["partition-id"])]
        if digest not in held:
            raise PrivacyError(f"study {digest[:12]}... is not held by this clinic")
        return held[digest]


def train_federation(
    federation: Federation,
    engine: Engine = "inprocess",
    on_exchange: Callable[[int, int], None] = lambda exchange, studies: None,
) -> dict[str, TrainedModel]:
    """Train all studies of a federation.

    Parameters
    ----------
    federation : Federation
    engine : {"inprocess", "ray"}
        In-memory calls, or Flower's Ray simulation.
    on_exchange : callable
        Told before each exchange (in-process engine only): its number and the studies under way.

    Returns
    -------
    dict
        Trained models by study hash.
    """
    if engine == "inprocess":
        from simulations.engines.in_process import train_in_process

        return train_in_process(federation, on_exchange)
    if engine == "ray":
        from simulations.engines.ray import train_with_ray

        return train_with_ray(federation)
    raise InputError(f"engine {engine!r} asked; choose one of {', '.join(ENGINES)}")
