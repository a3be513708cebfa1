"""The surrogate cohort: 105 recorded children, 88 analysed, none of them real."""

from simulations.cohort.cohort import GENERATOR_VERSION, Cohort, Participant, surrogate_cohort
from simulations.cohort.features import cohort_features, public_people, surrogate_features
from simulations.cohort.population import WORLDS, World

__all__ = [
    "GENERATOR_VERSION",
    "WORLDS",
    "Cohort",
    "Participant",
    "World",
    "cohort_features",
    "public_people",
    "surrogate_cohort",
    "surrogate_features",
]
