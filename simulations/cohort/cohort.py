"""The surrogate cohort: participants, their flow from recording to analysis, and their series.

It stands in for a private cohort and is always called surrogate. Everything follows from the
seed; a participant's series is drawn on demand from that participant's own stream, so one can be
read without the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.channels import CHANNELS
from shared.errors import InputError
from simulations.cohort.clinics import clinic_names, clinic_sizes
from simulations.cohort.effects import stored_effects
from simulations.cohort.population import (
    WORLDS,
    Effects,
    World,
    clinic_latents,
    group_effect,
    population,
    public_population,
    skewed,
)
from simulations.cohort.series import VALID_FRAMES, Traits, participant_series

__all__ = ["GENERATOR_VERSION", "Cohort", "Participant", "public_series", "surrogate_cohort"]

GENERATOR_VERSION: Final = 1
"""Raised whenever the same seed would give other numbers."""

NOT_ANALYSED: Final = 17 / 88
"""Recorded but not analysed, per analysed participant: 105 recorded, 88 analysed."""

WITHOUT_CONSENT: Final = 7 / 17
"""Share of those who did not consent; the others did not finish."""

# Streams of the generator; the second number of a seed sequence.
_PEOPLE, _EFFECT, _CLINICS, _SERIES, _FLOW, _PUBLIC = range(1, 7)


@dataclass(frozen=True)
class Participant:
    """One recorded child.

    Attributes
    ----------
    name : str
        Pseudonym, ``P001`` and on.
    clinic : str
    asd : bool
    consented, finished : bool
        Both are needed to be analysed.
    age_months : int
    sex : {"F", "M"}
    """

    name: str
    clinic: str
    asd: bool
    consented: bool
    finished: bool
    age_months: int
    sex: Literal["F", "M"]

    @property
    def analysed(self) -> bool:
        """Consented and finished."""
        return self.consented and self.finished


@dataclass(frozen=True, eq=False)
class Cohort:
    """A surrogate cohort.

    Attributes
    ----------
    seed : int
    world : str
        Where the group effect lives, see ``WORLDS``.
    participants : tuple of Participant
        Everyone recorded.
    traits : tuple of Traits
        What each participant's series is made from.
    """

    seed: int
    world: World
    participants: tuple[Participant, ...]
    traits: tuple[Traits, ...] = field(repr=False)

    @property
    def analysed(self) -> tuple[int, ...]:
        """Rows of ``participants`` that consented and finished."""
        return tuple(i for i, person in enumerate(self.participants) if person.analysed)

    def series(self, row: int) -> NDArray[np.float32]:
        """Series of one participant, shape (n_frames, 22); NaN rows where the face is lost.

        A participant who finished has exactly 9,575 frames with a face; one who did not has fewer.
        """
        rng = np.random.default_rng([self.seed, _SERIES, row])
        frames = VALID_FRAMES
        if not self.participants[row].finished:
            frames = int(rng.uniform(0.1, 0.8) * VALID_FRAMES)
        return participant_series(self.traits[row], rng, valid_frames=frames)


def surrogate_cohort(
    seed: int,
    *,
    clinics: int = 4,
    world: World = "base",
    n_asd: int = 49,
    n_non_asd: int = 39,
    effects: Effects | None = None,
) -> Cohort:
    """Draw a surrogate cohort.

    Parameters
    ----------
    seed : int
        Same seed, same cohort, whatever is read from it.
    clinics : int
        Number of clinics, unequal in size.
    world : {"base", "group", "composites", "raw", "none"}
        Where the group effect lives.
    n_asd, n_non_asd : int
        Analysed participants; more are recorded, at 105 to 88.
    effects : dict, optional
        Effect per attribute group instead of the calibrated ones.

    Raises
    ------
    InputError
        Negative seed, unknown world, or more clinics than children of a diagnosis.
    """
    if seed < 0:
        raise InputError(f"Seed {seed} asked; seeds are whole numbers from 0.")
    if world not in WORLDS:
        raise InputError(f"World {world!r} asked; choose one of {', '.join(WORLDS)}.")
    sizes = clinic_sizes(clinics, n_asd, n_non_asd)
    asd, clinic, analysed = _flow(sizes, np.random.default_rng([seed, _FLOW]))
    n = asd.size
    model = population()
    latent = model.draw(n, np.random.default_rng([seed, _PEOPLE]))
    effect = group_effect(
        world,
        stored_effects() if effects is None else effects,
        np.random.default_rng([seed, _EFFECT]),
    )
    latent += (asd - 0.5)[:, None, None] * effect
    latent = clinic_latents(latent, clinic, np.random.default_rng([seed, _CLINICS]))
    scaled = model.centre + model.spread * skewed(latent)
    rng = np.random.default_rng([seed, _FLOW, 1])
    neutral = _neutral_faces(n, rng) + _cameras(clinics, rng)[clinic]
    names = clinic_names(clinics)
    ages = np.rint(np.clip(rng.normal(48.0, 12.0, n), 18, 84)).astype(int)
    boys = rng.random(n) < np.where(asd, 0.78, 0.55)
    consented = analysed | (rng.random(n) > WITHOUT_CONSENT)
    # Whoever consented and is not analysed did not finish; some did neither.
    finished = analysed | (~consented & (rng.random(n) < 0.7))
    people = tuple(
        Participant(
            name=f"P{row + 1:03d}",
            clinic=names[clinic[row]],
            asd=bool(asd[row]),
            consented=bool(consented[row]),
            finished=bool(finished[row]),
            age_months=int(ages[row]),
            sex="M" if boys[row] else "F",
        )
        for row in range(n)
    )
    traits = tuple(Traits(scaled[row], np.clip(neutral[row], -0.4, 0.4)) for row in range(n))
    return Cohort(seed, world, people, traits)


def public_series(
    n: int, seed: int, deviation: float = 1.0
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Unlabelled public people: a name and a series each.

    They come from a slightly different population, without group effect or clinics; ``deviation``
    says how different, see :func:`simulations.cohort.population.public_population`.
    """
    rng = np.random.default_rng([seed, _PUBLIC])
    model = public_population(rng, deviation)
    scaled = model.centre + model.spread * skewed(model.draw(n, rng))
    neutral = _neutral_faces(n, rng)
    for row in range(n):
        traits = Traits(scaled[row], neutral[row])
        own = np.random.default_rng([seed, _PUBLIC, row])
        yield f"public-{row + 1:03d}", participant_series(traits, own)


def _flow(
    sizes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Diagnosis, clinic and whether analysed, of everyone recorded, in order of recording."""
    n_clinics = sizes.shape[0]
    clinic = np.repeat(np.tile(np.arange(n_clinics), 2), sizes.T.ravel())
    asd = np.repeat([True, False], sizes.sum(axis=0))
    n_more = round(NOT_ANALYSED * asd.size)
    more = rng.choice(asd.size, size=n_more, replace=False)
    asd = np.concatenate([asd, asd[more]])
    clinic = np.concatenate([clinic, clinic[more]])
    analysed = np.arange(asd.size) < asd.size - n_more
    order = rng.permutation(asd.size)
    return asd[order], clinic[order], analysed[order]


def _neutral_faces(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What the channels read on a child's neutral face, shape (n, 22)."""
    n_channels = len(CHANNELS)
    faces = 0.14 * np.exp(0.3 * rng.standard_normal((n, n_channels)))
    faces[:, 8:10] = 0.08 * rng.standard_normal((n, 2))
    faces[:, :8] = 0.012
    return faces


def _cameras(n_clinics: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What a clinic's camera and light add to every reading, shape (n_clinics, 22)."""
    added = 0.03 * rng.standard_normal((n_clinics, len(CHANNELS)))
    added[:, :8] = 0.0
    return added
