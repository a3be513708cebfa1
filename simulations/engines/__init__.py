"""Ways to run the same two Flower apps on one machine."""

from simulations.engines.federation import Federation
from simulations.engines.training import train_federation

__all__ = ["Federation", "train_federation"]
