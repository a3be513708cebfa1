"""Nested cross-validation by participant: every choice is made without the tested participants.

In each outer fold the attribute combination and the penalty are chosen by an inner
cross-validation of the outer training participants alone, then one model is fitted on all of them
and scores the outer fold. What is measured is therefore the whole recipe, choices included. The
same run gives each of the fifteen combinations its own figures (penalty chosen inside), on the
same folds.

The choice: smallest inner log-loss, a proper score, so that probabilities stay honest as well; at
a tie the first combination and the strongest penalty. The grid holds ``REGULARISATION_C``.
Fits are those of ``shared.learning.pooled``, stacked (``shared.learning.stacked_newton``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import (
    ATTRIBUTE_GROUPS,
    GROUP_CHANNELS,
    AttributeGroup,
    all_combinations,
    combination_name,
)
from shared.errors import InputError
from shared.evaluation.cross_validated import CvMetric, corrected_estimate
from shared.evaluation.estimate import Estimate
from shared.evaluation.folds import stratified_fold
from shared.features import FEATURE_CHANNEL
from shared.learning.stacked_newton import fit_stacked, group_grams

__all__ = [
    "C_GRID",
    "INNER_FOLDS",
    "OUTER_FOLDS",
    "Chooser",
    "Combination",
    "Nested",
    "attribute_columns",
    "nested_cross_validation",
]

Numbers = NDArray[np.float64]
Combination = tuple[AttributeGroup, ...]

C_GRID: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties tried, strongest penalty first; 1 is the fixed one of the pooled reference."""

OUTER_FOLDS: Final = 10
INNER_FOLDS: Final = 5


@dataclass(frozen=True, eq=False)
class Nested:
    """Out-of-fold log-odds of ASD and what was chosen on the way.

    Attributes
    ----------
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (repeats, n)
        Outer test fold of each participant in each partition.
    combinations : tuple of tuple of AttributeGroup
    score : ndarray, shape (repeats, n)
        By the chosen combination and penalty; above 0 (probability 1/2) is called ASD.
    by_combination : ndarray, shape (combinations, repeats, n)
        By each combination with its own chosen penalty.
    chosen : ndarray of int, shape (repeats, folds)
        Index of the chosen combination.
    chosen_c : ndarray, shape (repeats, folds)
    c_by_combination : ndarray, shape (combinations, repeats, folds)
    """

    asd: NDArray[np.bool_]
    fold: NDArray[np.int64]
    combinations: tuple[Combination, ...]
    score: Numbers
    by_combination: Numbers
    chosen: NDArray[np.int64]
    chosen_c: Numbers
    c_by_combination: Numbers

    @property
    def probability(self) -> Numbers:
        """Probability of ASD by the chosen models, shape (repeats, n)."""
        from scipy.special import expit

        likely: Numbers = expit(self.score)
        return likely

    def estimate(self, metric: CvMetric, combination: int | None = None) -> Estimate:
        """Figure of the whole recipe, or of one combination, averaged over partitions."""
        score = self.score if combination is None else self.by_combination[combination]
        return corrected_estimate(self.asd, score, self.fold, metric)

    def choices(self) -> dict[str, float]:
        """Share of outer folds that chose each combination, those never chosen left out."""
        return {
            combination_name(groups): float((self.chosen == number).mean())
            for number, groups in enumerate(self.combinations)
            if (self.chosen == number).any()
        }

    def as_json(self) -> dict[str, Any]:
        """Figures and choices; no score of a participant."""
        c, count = np.unique(self.chosen_c, return_counts=True)
        return {
            "repeats": len(self.fold),
            "outer_folds": self.chosen.shape[1],
            "auc": self.estimate("auc").as_json(),
            "balanced_accuracy": self.estimate("balanced_accuracy").as_json(),
            "chosen_combinations": self.choices(),
            "chosen_c": {f"{v:g}": float(n / count.sum()) for v, n in zip(c, count, strict=True)},
        }


def attribute_columns(
    channel: NDArray[np.int64] = FEATURE_CHANNEL,
) -> tuple[NDArray[np.int64], ...]:
    """Columns of each attribute group, in the order of ``shared.channels.ATTRIBUTE_GROUPS``.

    Parameters
    ----------
    channel : ndarray of int, shape (d,)
        Channel of each feature; those of ``shared.features`` when not given.
    """
    return tuple(
        np.flatnonzero(np.isin(channel, GROUP_CHANNELS[group])) for group in ATTRIBUTE_GROUPS
    )


@dataclass(frozen=True, eq=False)
class Chooser:
    """Fits every combination, its penalty chosen by inner cross-validation.

    Attributes
    ----------
    features : ndarray, shape (n, d)
    asd : ndarray of bool, shape (n,)
    groups : tuple of ndarray of int
        Columns of each attribute group.
    combinations : tuple of tuple of AttributeGroup
    c_grid : tuple of float
    inner_folds : int
    """

    features: Numbers
    asd: NDArray[np.bool_]
    groups: tuple[NDArray[np.int64], ...]
    combinations: tuple[Combination, ...]
    c_grid: tuple[float, ...] = C_GRID
    inner_folds: int = INNER_FOLDS

    def __post_init__(self) -> None:
        if len(self.features) != len(self.asd) or len(self.groups) != len(ATTRIBUTE_GROUPS):
            raise InputError(
                f"{len(self.features)} rows of features in {len(self.groups)} attribute groups "
                f"and {len(self.asd)} diagnoses were given; as many diagnoses as rows and "
                f"{len(ATTRIBUTE_GROUPS)} groups are needed."
            )
        if not self.combinations or not self.c_grid or min(self.c_grid) <= 0:
            raise InputError(
                f"{len(self.combinations)} combinations and penalties C {self.c_grid} asked; give "
                "at least one of each, every C above 0."
            )

    @property
    def membership(self) -> Numbers:
        """1 where a combination holds a group, shape (combinations, groups)."""
        return np.array([[float(g in c) for g in ATTRIBUTE_GROUPS] for c in self.combinations])

    def inner_losses(self, train: NDArray[np.bool_], rng: np.random.Generator) -> Numbers:
        """Mean inner log-loss, shape (combinations, len(c_grid)).

        Parameters
        ----------
        train : ndarray of bool, shape (n,)
        rng : numpy.random.Generator
            Draws the inner folds.
        """
        rows = np.flatnonzero(train)
        inner = stratified_fold(self.asd[rows], self.inner_folds, rng)
        known = [rows[inner != k] for k in range(self.inner_folds)]
        tested = [rows[inner == k] for k in range(self.inner_folds)]
        used, learned = _padded(known)
        counted, scored = _padded(tested)
        within, across = [], []
        for k in range(self.inner_folds):
            part = np.zeros(len(self.asd), dtype=bool)
            part[known[k]] = True
            grams = group_grams(self.features, part, self.groups)
            within.append(grams[:, learned[k][:, None], learned[k]])
            across.append(grams[:, scored[k][:, None], learned[k]])
        sums = _stack(self.membership, within)
        cross = _stack(self.membership, across)
        label = np.tile(self.asd[learned], (len(self.combinations), 1))
        weight = np.tile(used, (len(self.combinations), 1))
        truth = np.where(self.asd[scored], 1.0, -1.0)
        losses, fitted = [], None
        for c in self.c_grid:
            fitted = fit_stacked(sums, label, c, used=weight, start=fitted)
            odds = fitted.log_odds(cross).reshape(len(self.combinations), *scored.shape)
            loss = np.logaddexp(0.0, -truth * odds) * counted
            losses.append(loss.sum(axis=(1, 2)) / counted.sum())
        return np.stack(losses, axis=1)

    def scores(
        self, train: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[Numbers, Numbers, int]:
        """Log-odds of everyone by every combination, and what the inner folds choose.

        Parameters
        ----------
        train : ndarray of bool, shape (n,)
        rng : numpy.random.Generator

        Returns
        -------
        odds : ndarray, shape (combinations, n)
        c : ndarray, shape (combinations,)
            Chosen for each combination.
        best : int
            The combination with the smallest inner loss.
        """
        losses = self.inner_losses(train, rng)
        place = losses.argmin(axis=1)
        best = int(losses.min(axis=1).argmin())
        grams = np.tensordot(
            self.membership, group_grams(self.features, train, self.groups), axes=1
        )
        odds = np.empty((len(self.combinations), len(self.asd)))
        for number in np.unique(place):
            chosen = place == number
            cross = grams[chosen][:, :, train]
            fitted = fit_stacked(
                cross[:, train], np.tile(self.asd[train], (len(cross), 1)), self.c_grid[number]
            )
            odds[chosen] = fitted.log_odds(cross)
        return odds, np.array(self.c_grid)[place], best


def nested_cross_validation(
    features: Numbers,
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    *,
    seed: int,
    groups: tuple[NDArray[np.int64], ...] | None = None,
    combinations: Sequence[Combination] | None = None,
    c_grid: Sequence[float] = C_GRID,
    inner_folds: int = INNER_FOLDS,
) -> Nested:
    """Nested cross-validation over given outer partitions.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        One row per participant; NaN where a value is missing.
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (n,) or (repeats, n)
        Outer test folds, 0 to k - 1, of one or several partitions.
    seed : int
        Of the inner folds.
    groups : tuple of ndarray of int, optional
        Columns of each attribute group; those of ``shared.features`` when not given.
    combinations : sequence of tuple of AttributeGroup, optional
        All fifteen when not given.
    c_grid : sequence of float
        Inverse penalties to choose from, ascending.
    inner_folds : int

    Raises
    ------
    InputError
        A training set holds too few participants of a diagnosis for the inner folds, partitions
        have different numbers of folds, or shapes do not fit.
    """
    partitions = np.atleast_2d(fold)
    sizes = {int(p.max()) + 1 for p in partitions}
    if partitions.shape[1] != len(asd) or len(sizes) != 1:
        raise InputError(
            f"Folds of shape {partitions.shape} with {sorted(sizes)} folds were given for "
            f"{len(asd)} participants; every partition needs one fold a participant, and all the "
            "same number of folds."
        )
    chooser = Chooser(
        features,
        asd,
        attribute_columns() if groups is None else groups,
        all_combinations() if combinations is None else tuple(combinations),
        tuple(c_grid),
        inner_folds,
    )
    repeats, folds, count = len(partitions), sizes.pop(), len(chooser.combinations)
    score = np.empty(partitions.shape)
    each = np.empty((count, *partitions.shape))
    chosen = np.empty((repeats, folds), dtype=np.int64)
    chosen_c = np.empty((repeats, folds))
    c_each = np.empty((count, repeats, folds))
    for r, partition in enumerate(partitions):
        for k in range(folds):
            tested = partition == k
            odds, c, best = chooser.scores(~tested, np.random.default_rng([seed, r, k]))
            each[:, r, tested] = odds[:, tested]
            score[r, tested] = odds[best, tested]
            chosen[r, k], chosen_c[r, k], c_each[:, r, k] = best, c[best], c
    return Nested(asd, partitions, chooser.combinations, score, each, chosen, chosen_c, c_each)


def _padded(parts: list[NDArray[np.int64]]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Row numbers as a rectangle: which entries count, and the numbers, padded with the first."""
    longest = max(map(len, parts))
    counted = np.arange(longest) < np.array([len(part) for part in parts])[:, None]
    rows = np.stack(
        [np.pad(part, (0, longest - len(part)), constant_values=part[0]) for part in parts]
    )
    return counted, rows


def _stack(membership: Numbers, parts: list[Numbers]) -> Numbers:
    """Gram matrices of every combination in every inner fold, combination after combination."""
    each = np.tensordot(membership, np.stack(parts), axes=(1, 1))
    stacked: Numbers = each.reshape(-1, *each.shape[2:])
    return stacked
