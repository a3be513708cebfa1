"""The indeterminate zone: scores about the threshold for which no diagnosis is given.

Approved devices leave out a share of children and are judged on the rest (Canvas Dx: determinate
for 31.8 %; Megerian et al. 2022). A zone is the interval about the threshold that is left open. It
is chosen on calibration children, as the smallest one outside which both sensitivity and
specificity reach a target, and measured on others: figures of the very children it was chosen on
are too good.

How many are left out always stands beside the figures of the rest (STARD 2015, item 23), together
with sensitivity and specificity counted over everybody, where a child without a result counts as
not found.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, wilson

__all__ = ["Zone", "ZoneMeasures", "choose_zone", "held_out_zone", "measure_zone"]

_JUST_ABOVE_0: Final = float(np.nextafter(0.0, 1.0))
_MOST_CANDIDATES: Final = 400
"""Edges tried on either side of the threshold; of more scores, evenly spaced ranks."""


@dataclass(frozen=True)
class Zone:
    """Scores from ``low`` to ``high``, both included, get no diagnosis.

    Attributes
    ----------
    low, high : float
        Score minus threshold; 0 lies between or at an end. ``low`` > ``high`` for the empty zone:
        every score gets its diagnosis.
    """

    low: float
    high: float

    @classmethod
    def empty(cls) -> "Zone":
        """The zone without any score."""
        return cls(float("inf"), float("-inf"))

    def holds(self, score: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which scores get no diagnosis, shape (n,)."""
        inside: NDArray[np.bool_] = (score >= self.low) & (score <= self.high)
        return inside


@dataclass(frozen=True)
class ZoneMeasures:
    """Size of a zone, and how good the classifier is outside it.

    Attributes
    ----------
    indeterminate, indeterminate_asd, indeterminate_other : Estimate
        Share of all participants, of those with ASD and of the others that get no diagnosis.
    sensitivity, specificity, ppv, npv : Estimate
        Among participants who get a diagnosis; the last two at the cohort's own prevalence.
    sensitivity_all, specificity_all : Estimate
        Among all participants: one without a diagnosis counts as not found.
    true_asd, missed_asd, true_other, false_asd : int
        Counts of participants who get a diagnosis.
    n : int
        All participants.
    """

    indeterminate: Estimate
    indeterminate_asd: Estimate
    indeterminate_other: Estimate
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    sensitivity_all: Estimate
    specificity_all: Estimate
    true_asd: int
    missed_asd: int
    true_other: int
    false_asd: int
    n: int

    @property
    def called(self) -> int:
        """Participants who get a diagnosis."""
        return self.true_asd + self.missed_asd + self.true_other + self.false_asd

    def as_json(self) -> dict[str, Any]:
        """Estimates and counts by name."""
        return {
            name: value.as_json() if isinstance(value, Estimate) else value
            for name, value in vars(self).items()
        }


def choose_zone(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    *,
    sensitivity: float = 0.9,
    specificity: float = 0.9,
    most_indeterminate: float = 0.7,
) -> Zone | None:
    """The smallest zone outside which both targets are reached on these participants.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Score minus threshold; above 0 is called ASD.
    sensitivity, specificity : float
        Targets among those who get a diagnosis, in (0, 1].
    most_indeterminate : float
        Largest accepted share without a diagnosis, of the participants of either diagnosis.

    Returns
    -------
    Zone or None
        None where no accepted zone reaches the targets.

    Raises
    ------
    InputError
        A target or share lies outside its range, a score is not finite, or one diagnosis is
        missing.

    Notes
    -----
    Size is the mean of the shares of either diagnosis, so it does not hang on how many of each the
    calibration cohort has.
    """
    _check(asd, score)
    for name, target in (("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 < target <= 1:
            raise InputError(f"A target {name} of {target} asked; it must be above 0, at most 1.")
    if not 0 <= most_indeterminate < 1:
        raise InputError(
            f"At most {most_indeterminate} without a diagnosis asked; at least 0 and below 1 is "
            "possible."
        )
    # Edges at observed scores: index 0 is the empty side, i the i-th score from the threshold out.
    below = _candidates(-score[score <= 0])
    above = _candidates(score[score > 0])
    left_below = _shares_beyond(-score[score <= 0], asd[score <= 0], below)
    left_above = _shares_beyond(score[score > 0], asd[score > 0], above)
    missed, true_other = left_below[:, 1][:, None], left_below[:, 0][:, None]
    found, false_asd = left_above[:, 1][None, :], left_above[:, 0][None, :]
    n_asd, n_other = int(asd.sum()), int((~asd).sum())
    given_asd, given_other = missed + found, true_other + false_asd
    left_out_asd, left_out_other = 1 - given_asd / n_asd, 1 - given_other / n_other
    accepted = (
        (found >= sensitivity * given_asd - 1e-9)
        & (true_other >= specificity * given_other - 1e-9)
        & (given_asd > 0)
        & (given_other > 0)
        & (np.maximum(left_out_asd, left_out_other) <= most_indeterminate + 1e-9)
    )
    if not accepted.any():
        return None
    size = np.where(accepted, left_out_asd + left_out_other, np.inf)
    i, j = np.unravel_index(int(np.argmin(size)), size.shape)
    if i == 0 and j == 0:
        return Zone.empty()
    # A score of exactly 0 belongs to the lower side.
    return Zone(-float(below[i]) if i else _JUST_ABOVE_0, float(above[j]) if j else 0.0)


def measure_zone(
    asd: NDArray[np.bool_], score: NDArray[np.float64], inside: NDArray[np.bool_]
) -> ZoneMeasures:
    """Figures of participants inside and outside the zone, with Wilson intervals.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Score minus threshold.
    inside : ndarray of bool, shape (n,)
        ``Zone.holds(score)``, or the second result of ``held_out_zone``.
    """
    called = (score > 0) & ~inside
    cleared = (score <= 0) & ~inside
    found, missed = int((called & asd).sum()), int((cleared & asd).sum())
    rejected, false_asd = int((cleared & ~asd).sum()), int((called & ~asd).sum())
    n, n_asd = len(asd), int(asd.sum())
    return ZoneMeasures(
        indeterminate=wilson(int(inside.sum()), n),
        indeterminate_asd=wilson(int((inside & asd).sum()), n_asd),
        indeterminate_other=wilson(int((inside & ~asd).sum()), n - n_asd),
        sensitivity=wilson(found, found + missed),
        specificity=wilson(rejected, rejected + false_asd),
        ppv=wilson(found, found + false_asd),
        npv=wilson(rejected, rejected + missed),
        sensitivity_all=wilson(found, n_asd),
        specificity_all=wilson(rejected, n - n_asd),
        true_asd=found,
        missed_asd=missed,
        true_other=rejected,
        false_asd=false_asd,
        n=n,
    )


def held_out_zone(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    fold: NDArray[np.int64],
    *,
    sensitivity: float = 0.9,
    specificity: float = 0.9,
    most_indeterminate: float = 0.7,
) -> tuple[list[Zone | None], NDArray[np.bool_]]:
    """Choose a zone for each fold on the other folds.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Out-of-fold score minus threshold, on one scale for all folds.
    fold : ndarray of int, shape (n,)
        At least two folds.
    sensitivity, specificity, most_indeterminate : float
        As in ``choose_zone``.

    Returns
    -------
    zones : list of Zone or None
        One a fold, in ascending order; None where the targets were out of reach. The children of
        that fold then all get their diagnosis.
    inside : ndarray of bool, shape (n,)
        Who gets no diagnosis.

    Raises
    ------
    InputError
        As ``choose_zone``, or there is only one fold.
    """
    folds = np.unique(fold)
    if len(folds) < 2:
        raise InputError(
            "Only one fold was given; a fold's zone is chosen on the others, so at least two are "
            "needed."
        )
    zones: list[Zone | None] = []
    inside = np.zeros(len(asd), dtype=np.bool_)
    for k in folds:
        here = fold == k
        zone = choose_zone(
            asd[~here],
            score[~here],
            sensitivity=sensitivity,
            specificity=specificity,
            most_indeterminate=most_indeterminate,
        )
        zones.append(zone)
        if zone is not None:
            inside[here] = zone.holds(score[here])
    return zones, inside


def _candidates(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the threshold at which a side of the zone may end; the first is "nowhere"."""
    values = np.unique(distances)
    if len(values) > _MOST_CANDIDATES:
        values = values[np.linspace(0, len(values) - 1, _MOST_CANDIDATES).round().astype(np.int64)]
    return np.concatenate([[-np.inf], values])


def _shares_beyond(
    distances: NDArray[np.float64], asd: NDArray[np.bool_], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many others and ASD participants lie beyond each edge, shape (n_edges, 2)."""
    counts = [
        len(part) - np.searchsorted(np.sort(part), edges, side="right")
        for part in (distances[~asd], distances[asd])
    ]
    return np.stack(counts, axis=1)


def _check(asd: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
    if score.shape != asd.shape or not np.isfinite(score).all():
        raise InputError(
            f"{score.shape} scores and {asd.shape} diagnoses were given; a zone needs one finite "
            "score for each participant."
        )
    if asd.all() or not asd.any():
        raise InputError(
            f"All {len(asd)} participants have the same diagnosis; a zone is chosen on both."
        )
