"""Group differences from a sum that a study has opened anyway: its first one.

A private training starts at weights zero, where every participant's clipped gradient is half the
unit vector against the sign of its label. The first opened sum is therefore

    D = sum over ASD of phi  -  sum over the others of phi  +  noise,

the difference of the groups' summed unit vectors. What is computed from it costs no more privacy.

Up to its length l, a unit vector is a linear map A of the composites f (means of the signed
statistics of a channel: level, variability, dynamics) less the public people's mean m. So
D = A T + noise with T = sum of +-(f - m) / l, and least squares give T back, unbiased. Its
covariance has three parts, each from public numbers:

* the noise, V (A'A)^-1, known exactly;
* sampling, N C: N participants, each with the public people's second moments C. Covariances
  between attribute groups are not among the constants and are taken as 0; for tests by a maximum
  that is the careful side (Gaussian correlation inequality: Royen 2014);
* groups of unequal size, (n1 - n0)^2 t^2 C: the sum then also holds n1 - n0 times the midpoint of
  the groups' means, which lies off the public mean by about t = 0.6 standard deviations. How far
  exactly nobody knows, so it counts as one more uncertainty and is not taken out.

2 T / N is the difference of the groups' means, in public standard deviations and divided by each
child's length. Lengths have a public root mean square of one, so this is near Hedges' g and called
approximate: on surrogate cohorts it is about .92 g, or .75 g where the public people are of another
population. It falls short too where fewer took part than were declared; if more did, tests are a
little too bold.

What this cannot do is compare children within clinics, as
:mod:`shared.evaluation.group_differences` does where rows are at hand: clinics that differ both in
their children and in their share of ASD look like a difference between the diagnoses.

Corrections: step-down max-T (Westfall and Young 1993) over draws of the joint normal distribution,
and Benjamini and Hochberg 1995. An attribute group is tested by the root mean square of its
standardised differences, the four groups by step-down min-P.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import false_discovery_control, rankdata

from shared.channels import CHANNELS, GROUP_CHANNELS, AttributeGroup
from shared.errors import InputError
from shared.evaluation.group_differences import Differences, step_down_p_values
from shared.features import CLASS_NAMES
from shared.privacy.unit_vectors import AffectMap

__all__ = [
    "UNKNOWN_IMBALANCE",
    "ReleasedDifferences",
    "composite_moments",
    "released_differences",
]

UNKNOWN_IMBALANCE: Final = 0.2
"""(n1 - n0) / N where no counts were released: groups of 60 and 40 %, or nearer to each other."""

_OFF_CENTRE: Final = 0.6
"""In a clearly wrong population of public people it is about this much."""
_SHRINKAGE: Final = 0.8
"""Weight of the covariance in the whitening of :mod:`shared.privacy.constants_building`."""
_CLASSES: Final = len(CLASS_NAMES)
_FEWEST_DRAWS: Final = 999
_LEVEL: Final = 0.05

_Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReleasedDifferences:
    """Differences between the diagnostic groups, by composite and by attribute group.

    Attributes
    ----------
    channel : ndarray of int, shape (d,)
        Place of each composite's channel in ``CHANNELS``.
    statistic_class : ndarray of int, shape (d,)
        Place of its class in ``CLASS_NAMES``.
    group : ndarray of str, shape (d,)
        Its attribute group.
    composites : Differences
        Standardised differences, above 0 where ASD is higher; names such as ``"AU12 level"``.
    groups : Differences
        Root mean squares of their composites' statistics, about 1 without a difference.
    effect, standard_error : ndarray, shape (d,)
        Approximate difference of the means in public standard deviations.
    detectable : float
        Effect that is found in half of all studies like this one: what max-T asks of an average
        composite at a family-wise error of 5 %.
    noise_share : float
        Share of the noise in the variance, averaged over composites.
    draws : int
    """

    channel: NDArray[np.int64]
    statistic_class: NDArray[np.int64]
    group: NDArray[np.str_]
    composites: Differences
    groups: Differences
    effect: _Numbers
    standard_error: _Numbers
    detectable: float
    noise_share: float
    draws: int


@dataclass(frozen=True, eq=False)
class _Block:
    """One attribute group: D's part in standardised composites, and what it varies by."""

    group: AttributeGroup
    total: _Numbers
    from_noise: _Numbers
    moments: _Numbers


def released_differences(
    feature_map: AffectMap,
    difference: NDArray[np.float64],
    *,
    noise_variance: float,
    participants: int,
    imbalance: float = UNKNOWN_IMBALANCE,
    draws: int = 9999,
    seed: int = 0,
) -> ReleasedDifferences:
    """Test every composite and every attribute group for a difference between the diagnoses.

    Parameters
    ----------
    feature_map : AffectMap
        The study's.
    difference : ndarray, shape (k,)
        Sum of the unit vectors of ASD minus that of the others, noise included, in units of one
        vector's length.
    noise_variance : float
        Of the noise in each coordinate of it; 0 without privacy.
    participants : int
        Declared enrolment. Fewer make effects look smaller and tests careful.
    imbalance : float
        |n1 - n0| / N, or a bound on it.
    draws : int
        Of the joint distribution, for the corrections; at least 999.
    seed : int

    Returns
    -------
    ReleasedDifferences

    Raises
    ------
    InputError
        When the sum is not finite or of another length, or a number is out of range.
    """
    _check(feature_map, difference, noise_variance, participants, imbalance, draws)
    blocks = _blocks(feature_map, difference)
    sampling = participants + (participants * imbalance * _OFF_CENTRE) ** 2
    covariances = [sampling * one.moments + noise_variance * one.from_noise for one in blocks]
    deviations = [np.sqrt(np.diag(covariance)) for covariance in covariances]
    rng = np.random.default_rng(seed)
    null = [
        rng.standard_normal((draws, len(deviation)))
        @ np.linalg.cholesky(covariance / np.outer(deviation, deviation)).T
        for covariance, deviation in zip(covariances, deviations, strict=True)
    ]
    found = [one.total / deviation for one, deviation in zip(blocks, deviations, strict=True)]
    z, spread = np.concatenate(found), np.concatenate(deviations)
    p = 2 * ndtr(-np.abs(z))
    sizes = np.abs(np.hstack(null))
    family = step_down_p_values(np.abs(z), sizes)
    critical = float(np.quantile(sizes.max(axis=1), 1 - _LEVEL))
    standard_error = 2 / participants * spread
    channel = np.repeat([c for one in blocks for c in GROUP_CHANNELS[one.group]], _CLASSES)
    kind = np.tile(np.arange(_CLASSES), len(channel) // _CLASSES)
    names = tuple(f"{CHANNELS[c]} {CLASS_NAMES[k]}" for c, k in zip(channel, kind, strict=True))
    from_noise = np.concatenate([noise_variance * np.diag(one.from_noise) for one in blocks])
    return ReleasedDifferences(
        channel=channel,
        statistic_class=kind,
        group=np.repeat([one.group for one in blocks], [len(one.total) for one in blocks]),
        composites=Differences(names, z, p, np.maximum(family, p), false_discovery_control(p)),
        groups=_groups([one.group for one in blocks], found, null),
        effect=z * standard_error,
        standard_error=standard_error,
        detectable=critical * float(standard_error.mean()),
        noise_share=float(np.mean(from_noise / spread**2)),
        draws=draws,
    )


def composite_moments(feature_map: AffectMap, group: AttributeGroup) -> _Numbers:
    """Covariance of an attribute group's composites among the public people.

    Parameters
    ----------
    feature_map : AffectMap
    group : AttributeGroup

    Returns
    -------
    ndarray, shape (3 * n_channels, 3 * n_channels)
        Channel-major. The whitening is the inverse root of it, shrunk towards its own diagonal.
    """
    root = np.linalg.inv(np.array(feature_map.constants.groups[group].fine_whitening))
    shrunk = root @ root.T
    diagonal = np.diag(np.diag(shrunk))
    covariance = diagonal + (shrunk - diagonal) / _SHRINKAGE
    # Fewer public people than composites leave it singular; rounding must not make it indefinite.
    values, vectors = np.linalg.eigh(covariance)
    positive: _Numbers = (vectors * np.maximum(values, 1e-9 * values[-1])) @ vectors.T
    return positive


def _blocks(feature_map: AffectMap, difference: _Numbers) -> list[_Block]:
    """Least squares in each attribute group, in public standard deviations of the composites."""
    made = []
    first = 0
    for group, fine_whitening, _, coarse_whitening, _ in feature_map._blocks:
        channels = len(GROUP_CHANNELS[group])
        # A coarse composite is the mean of the fine ones of its class, channel by channel.
        through_coarse = coarse_whitening.T @ np.tile(np.eye(_CLASSES), channels) / channels
        moments = composite_moments(feature_map, group)
        spread: _Numbers = np.sqrt(np.diag(moments))
        design: _Numbers = np.vstack([through_coarse, fine_whitening.T]) * spread
        last = first + len(design)
        from_noise = np.asarray(np.linalg.inv(design.T @ design), dtype=np.float64)
        total = from_noise @ design.T @ difference[first:last]
        made.append(_Block(group, total, from_noise, moments / spread / spread[:, None]))
        first = last
    return made


def _groups(
    groups: list[AttributeGroup], found: list[_Numbers], null: list[_Numbers]
) -> Differences:
    """Root mean squares, and step-down min-P: groups of different size share no scale."""
    energy = np.stack(
        [
            np.sqrt(np.square(np.vstack([z[None], drawn])).mean(axis=1))
            for z, drawn in zip(found, null, strict=True)
        ],
        axis=1,
    )
    p = rankdata(-energy, method="max", axis=0) / len(energy)
    return Differences(
        tuple(groups),
        energy[0],
        p[0],
        step_down_p_values(-p[0], -p[1:]),
        false_discovery_control(p[0]),
    )


def _check(
    feature_map: AffectMap,
    difference: _Numbers,
    noise_variance: float,
    participants: int,
    imbalance: float,
    draws: int,
) -> None:
    if difference.shape != (feature_map.dimension,) or not np.isfinite(difference).all():
        raise InputError(
            f"a first sum of shape {difference.shape} was given; {feature_map.dimension} finite "
            "numbers are needed. Open the study's first exchange again"
        )
    if not (math.isfinite(noise_variance) and noise_variance >= 0 and participants > 0):
        raise InputError(
            f"noise of variance {noise_variance} and {participants} participants were given; take "
            "both from the study's plan"
        )
    if not 0 <= imbalance <= 1:
        raise InputError(
            f"an imbalance of {imbalance} was given; it is the distance of the groups' sizes as a "
            "share of all participants, from 0 to 1"
        )
    if draws < _FEWEST_DRAWS:
        raise InputError(f"{draws} draws asked; at least {_FEWEST_DRAWS} are needed. Ask for 9999")
