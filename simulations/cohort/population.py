"""Latent statistics of surrogate participants: who differs from whom, and how.

Every participant has one latent number per channel and statistic type: 22 channels x 12 types
(four each of level, variability and dynamics). They are what ``simulations.cohort.series`` turns
into time series; nothing here knows how features are computed or how a classifier maps them.

The recipe, with g a fresh standard normal:

* loadings: global sqrt(.10), attribute group sqrt(.15), channel sqrt(.25), statistic type
  sqrt(.15), channel x class sqrt(.20), each times (1 + .3 g), the global one negative with
  probability .2; unique variance .15; rescaled to variance 1;
* participants: multivariate t with 6 degrees of freedom, scaled to variance 1;
* group effect: (y - 1/2) e_G (.55 A + B_G + .1 g_type + .05 g_statistic) with A = .8 g per
  channel x class with probability 1/2 (else 0), B = +-.25 per attribute group;
* clinics: scale e^(.1 g) per statistic, shift .30 g per channel x class and .15 g per statistic;
* skew: sinh(.25 + 1.1 asinh z)/1.25 - .25.

The population (loadings, and the centre and spread of every generative parameter) is one and the
same for all cohorts: children are drawn anew by seed, faces are not. The direction of the group
effect and the clinics are drawn by the cohort's seed. Public people come from a slightly
different population: loadings times (1 + .3 g), centres + .3 spread g, spreads times e^(.2 g), each
deviation times a factor that is 1 unless a population that does not fit is wanted.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, GROUP_CHANNELS

__all__ = [
    "N_TYPES",
    "TYPE_CLASS",
    "WORLDS",
    "Effects",
    "Population",
    "World",
    "clinic_latents",
    "group_effect",
    "population",
    "public_population",
]

World = Literal["base", "group", "composites", "raw", "none"]
WORLDS: Final[tuple[World, ...]] = get_args(World)
"""Where the group effect lives: channel x class, group x class, five composites, single
statistics, nowhere."""

N_CHANNELS: Final = len(CHANNELS)
N_TYPES: Final = 12
TYPE_CLASS: Final[NDArray[np.int64]] = np.repeat(np.arange(3), 4)
"""Class of each latent type: 0 level, 1 variability, 2 dynamics."""

CHANNEL_GROUP: Final[NDArray[np.int64]] = np.array(
    [
        next(g for g, name in enumerate(ATTRIBUTE_GROUPS) if channel in GROUP_CHANNELS[name])
        for channel in range(N_CHANNELS)
    ]
)

POPULATION_SEED: Final = 20190922
"""Seed of the one population; ICIP 2019 opened on 22 September 2019."""

Effects = dict[str, float]
"""Size e_G of the group effect per attribute group."""

UNSCALED_EFFECTS: Final[Effects] = {
    "au": 0.41,
    "arousal": 0.82,
    "valence": 0.12,
    "expression": 0.50,
}
"""Effects that give the published table when the latents themselves are classified."""


@dataclass(frozen=True)
class Population:
    """How latent statistics vary between participants, and where their parameters lie.

    Attributes
    ----------
    loadings : ndarray, shape (n_factors, 22, 12)
        Factor loadings after rescaling.
    unique : ndarray, shape (22, 12)
        Standard deviation of the unique part.
    centre, spread : ndarray, shape (22, 12)
        Centre and spread, on the logistic scale, of the generative parameter a latent drives.
    """

    loadings: NDArray[np.float64]
    unique: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Latent statistics of ``n`` participants, shape (n, 22, 12), mean 0, variance 1."""
        factors = rng.standard_normal((n, self.loadings.shape[0]))
        latent = np.tensordot(factors, self.loadings, axes=1)
        latent += self.unique * rng.standard_normal((n, N_CHANNELS, N_TYPES))
        tails = np.sqrt(4.0 / rng.chisquare(6.0, size=n))
        return latent * tails[:, None, None]


def population() -> Population:
    """Return the population that every surrogate cohort is drawn from."""
    rng = np.random.default_rng([POPULATION_SEED, 0])
    loadings = _structure(rng)
    centre = rng.uniform(-0.8, 0.2, (N_CHANNELS, N_TYPES))
    spread = rng.uniform(0.4, 0.9, (N_CHANNELS, N_TYPES))
    return _rescaled(loadings, centre, spread)


def public_population(rng: np.random.Generator, deviation: float = 1.0) -> Population:
    """Return a population that differs a little, as public people do.

    Parameters
    ----------
    rng : Generator
        Draws how it differs.
    deviation : float
        How much, in units of what public people usually differ by; 3 is another kind of people
        (centres off by .9 of their spread, as if filmed and coded elsewhere).
    """
    base = np.random.default_rng([POPULATION_SEED, 0])
    loadings = _structure(base)
    own = population()
    return _rescaled(
        loadings * (1.0 + deviation * 0.3 * rng.standard_normal(loadings.shape)),
        own.centre + deviation * 0.3 * own.spread * rng.standard_normal(own.centre.shape),
        own.spread * np.exp(deviation * 0.2 * rng.standard_normal(own.spread.shape)),
    )


def group_effect(world: World, effects: Effects, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean difference ASD minus non-ASD of every latent, shape (22, 12).

    Parameters
    ----------
    world : {"base", "group", "composites", "raw", "none"}
        Where the effect lives.
    effects : dict
        e_G per attribute group.
    rng : Generator
        Draws the direction.
    """
    shape = (N_CHANNELS, N_TYPES)
    size = np.array([effects[name] for name in ATTRIBUTE_GROUPS])[CHANNEL_GROUP][:, None]
    if world == "none":
        return np.zeros(shape)
    if world == "group":
        per_group = rng.standard_normal((len(ATTRIBUTE_GROUPS), 3))
        return 0.33 * size * per_group[CHANNEL_GROUP][:, TYPE_CLASS]
    if world == "composites":
        chosen = rng.choice(N_CHANNELS * 3, size=5, replace=False)
        cells = np.zeros(N_CHANNELS * 3)
        cells[chosen] = 0.6 * rng.choice([-1.0, 1.0], size=5)
        scale = sum(effects.values()) / sum(UNSCALED_EFFECTS.values())
        return scale * cells.reshape(N_CHANNELS, 3)[:, TYPE_CLASS]
    if world == "raw":
        present = rng.random(shape) < 0.3
        return 0.6 * size * rng.standard_normal(shape) * present
    cells = 0.8 * rng.standard_normal((N_CHANNELS, 3)) * (rng.random((N_CHANNELS, 3)) < 0.5)
    per_group = 0.25 * rng.choice([-1.0, 1.0], size=len(ATTRIBUTE_GROUPS))
    return size * (
        0.55 * cells[:, TYPE_CLASS]
        + per_group[CHANNEL_GROUP][:, None]
        + 0.1 * rng.standard_normal(N_TYPES)
        + 0.05 * rng.standard_normal(shape)
    )


def clinic_latents(
    latent: NDArray[np.float64], clinic: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Scale and shift latents by clinic, shape (n, 22, 12)."""
    n_clinics = int(clinic.max()) + 1
    shape = (n_clinics, N_CHANNELS, N_TYPES)
    scale = np.exp(0.1 * rng.standard_normal(shape))
    shift = 0.30 * rng.standard_normal((n_clinics, N_CHANNELS, 3))[:, :, TYPE_CLASS]
    shift = shift + 0.15 * rng.standard_normal(shape)
    return latent * scale[clinic] + shift[clinic]


def skewed(latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sinh-arcsinh skew of a latent (Jones and Pewsey 2009)."""
    return np.sinh(0.25 + 1.1 * np.arcsinh(latent)) / 1.25 - 0.25


def _structure(rng: np.random.Generator) -> NDArray[np.float64]:
    """Loadings before rescaling, shape (n_factors, 22, 12)."""
    n_groups = len(ATTRIBUTE_GROUPS)
    cells = np.arange(N_CHANNELS)[:, None] * 3 + TYPE_CLASS[None, :]
    shape = (N_CHANNELS, N_TYPES)
    memberships: list[tuple[float, NDArray[np.int64], int]] = [
        (0.10, np.zeros(shape, dtype=np.int64), 1),
        (0.15, np.broadcast_to(CHANNEL_GROUP[:, None], shape), n_groups),
        (0.25, np.broadcast_to(np.arange(N_CHANNELS)[:, None], shape), N_CHANNELS),
        (0.15, np.broadcast_to(np.arange(N_TYPES), shape), N_TYPES),
        (0.20, cells, N_CHANNELS * 3),
    ]
    blocks = []
    for number, (share, member, count) in enumerate(memberships):
        loading = np.sqrt(share) * (1.0 + 0.3 * rng.standard_normal(shape))
        if number == 0:
            loading *= np.where(rng.random(shape) < 0.2, -1.0, 1.0)
        blocks.append(np.where(np.arange(count)[:, None, None] == member, loading, 0.0))
    return np.concatenate(blocks)


def _rescaled(
    loadings: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> Population:
    total = np.sqrt(np.square(loadings).sum(axis=0) + 0.15)
    return Population(loadings / total, np.sqrt(0.15) / total, centre, spread)
