"""How long one exchange of a private training takes on the in-process engine."""

import time
from typing import NamedTuple

import numpy as np

from client.site import SiteStudy
from shared.privacy.discrete_gaussian import NoiseSource, OperatingSystemNoise, SeededNoise
from shared.privacy.table_map import map_from_ranges
from shared.study import RosterClinic, Study
from simulations.engines import Federation, train_federation

__all__ = ["EngineTiming", "time_engine"]

_FEATURES = 77  # with the constant coordinate the 78 of four attribute groups
_PARTICIPANTS_PER_CLINIC = 11


class EngineTiming(NamedTuple):
    """Seconds of one run.

    Attributes
    ----------
    clinics, exchanges : int
    noise : str
    seconds_per_exchange : float
        The whole training divided by its exchanges, ready exchange and set-up included.
    """

    clinics: int
    exchanges: int
    noise: str
    seconds_per_exchange: float


def time_engine(clinics: int, *, exact_noise: bool) -> EngineTiming:
    """Train one private study on random rows and time it.

    Parameters
    ----------
    clinics : int
        Size of the roster.
    exact_noise : bool
        Draw every clinic's noise exactly from the operating system, as deployed, instead of from
        a simulation's seeded source.
    """
    rng = np.random.default_rng(0)
    feature_map = map_from_ranges(-np.ones(_FEATURES), np.ones(_FEATURES))
    names = tuple(f"clinic-{number}" for number in range(clinics))
    study = Study(
        title="benchmark",
        roster=tuple(RosterClinic(name=name) for name in names),
        participants=_PARTICIPANTS_PER_CLINIC * clinics,
        feature_map=feature_map.digest,
        epsilon=4.0,
        delta=1e-6,
    )
    held = []
    for name in names:
        source: NoiseSource = OperatingSystemNoise() if exact_noise else SeededNoise(0, name)
        rows = rng.uniform(-1, 1, (_PARTICIPANTS_PER_CLINIC, _FEATURES))
        site = SiteStudy(name, study, feature_map, rows, rows[:, 0] > 0, source)
        held.append({study.digest: site})
    exchanges: list[int] = []
    started = time.perf_counter()
    train_federation(
        Federation([(study, feature_map)], held),
        on_exchange=lambda number, messages: exchanges.append(messages),
    )
    seconds = time.perf_counter() - started
    return EngineTiming(
        clinics=clinics,
        exchanges=len(exchanges),
        noise="exact" if exact_noise else "seeded",
        seconds_per_exchange=seconds / len(exchanges),
    )
