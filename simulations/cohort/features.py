"""Features of surrogate participants, measured from their series like anyone's."""

import numpy as np

from shared.features import FEATURE_NAMES, FeatureTable, temporal_features
from simulations.cohort.cohort import Cohort, public_series, surrogate_cohort
from simulations.cohort.population import Effects, World

__all__ = ["cohort_features", "public_people", "surrogate_features"]


def cohort_features(cohort: Cohort) -> FeatureTable:
    """Features of the analysed participants, with diagnosis and clinic."""
    rows = cohort.analysed
    people = [cohort.participants[row] for row in rows]
    return FeatureTable(
        participants=tuple(person.name for person in people),
        values=np.stack([temporal_features(cohort.series(row)) for row in rows]),
        names=FEATURE_NAMES,
        asd=np.array([person.asd for person in people]),
        clinic=tuple(person.clinic for person in people),
        source="surrogate",
    )


def surrogate_features(
    seed: int,
    *,
    clinics: int = 4,
    world: World = "base",
    n_asd: int = 49,
    n_non_asd: int = 39,
    effects: Effects | None = None,
) -> FeatureTable:
    """Features of the analysed participants of ``surrogate_cohort`` with the same arguments."""
    return cohort_features(
        surrogate_cohort(
            seed, clinics=clinics, world=world, n_asd=n_asd, n_non_asd=n_non_asd, effects=effects
        )
    )


def public_people(n: int, seed: int, deviation: float = 1.0) -> FeatureTable:
    """Features of ``n`` unlabelled public people, for public constants.

    ``deviation`` says how much their population differs from the cohorts', see
    :func:`simulations.cohort.population.public_population`.
    """
    names, rows = [], []
    for name, series in public_series(n, seed, deviation):
        names.append(name)
        rows.append(temporal_features(series))
    return FeatureTable(tuple(names), np.stack(rows), FEATURE_NAMES)
