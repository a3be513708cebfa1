"""Public constants of three qualities, to see what they cost.

Private training scales and whitens by public people, so those people decide what is left of the
signal before any noise is added.
"""

from typing import Final, Literal, get_args

from shared.privacy.constants import PublicConstants, load_constants
from shared.privacy.constants_building import build_constants
from simulations.cohort import public_people

__all__ = [
    "PILOT_PEOPLE",
    "PILOT_SEED",
    "QUALITIES",
    "WRONG_SEED",
    "Quality",
    "pilot_constants",
    "quality_explanation",
    "wrong_constants",
]

Quality = Literal["right", "pilot", "wrong"]
QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)

PILOT_PEOPLE: Final = 20
PILOT_SEED: Final = 7_100_000
"""The pilot of a cohort has this seed plus the cohort's."""

WRONG_SEED: Final = 7_200_000
_WRONG_PEOPLE: Final = 300
_WRONG_DEVIATION: Final = 3.0


def pilot_constants(cohort_seed: int) -> PublicConstants:
    """Constants of twenty surrogate people recorded before a study; every cohort has its own."""
    people = public_people(PILOT_PEOPLE, PILOT_SEED + cohort_seed)
    return build_constants(people.values, f"pilot of {PILOT_PEOPLE} surrogate people")


def wrong_constants() -> PublicConstants:
    """Constants of a population that clearly differs from the cohorts'."""
    people = public_people(_WRONG_PEOPLE, WRONG_SEED, deviation=_WRONG_DEVIATION)
    return build_constants(people.values, f"{_WRONG_PEOPLE} surrogate people of another population")


def quality_explanation(quality: Quality) -> str:
    """Who the public people are, in a sentence."""
    right = load_constants()
    return {
        "right": f"Packaged constants: {right.people} surrogate people of nearly the cohorts' own "
        "population.",
        "pilot": f"{PILOT_PEOPLE} surrogate people of such a population, drawn anew for every "
        "cohort: what a pilot recording gives.",
        "wrong": f"{_WRONG_PEOPLE} surrogate people of another population: statistics centred "
        f"{_WRONG_DEVIATION:g} times as far off as the packaged ones (about .9 of a spread), and "
        "correlated in another way.",
    }[quality]
