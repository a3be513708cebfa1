"""Train a federation on the engine that was asked for."""

from collections.abc import Callable

from shared.errors import InputError
from shared.model import TrainedModel
from simulations.engines.federation import ENGINES, Engine, Federation

__all__ = ["train_federation"]


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
