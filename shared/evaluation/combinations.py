"""All combinations of attribute groups side by side: what does a group add to action units?

Li et al. (ICIP 2019) showed four of the fifteen combinations and left open whether adding groups
helps or over-fits at n = 88. Here all are scored on the same folds; each is compared with the
reference (action units alone) fold by fold. Differences get 95 % intervals that hold for all
comparisons together, and p-values adjusted for their number, by the largest of the correlated
statistics (max-T), whose spread over folds is corrected for overlapping training sets
(``shared.evaluation.cross_validated``).

Shapley share: a group's mean gain over all orders in which groups can be added, from chance (1/2)
with no group to the figure of all four (Shapley 1953). The shares add up to that total. A share
describes this performance, with these groups; it is no causal statement.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import (
    ATTRIBUTE_GROUPS,
    AttributeGroup,
    all_combinations,
    combination_name,
)
from shared.errors import InputError
from shared.evaluation.cross_validated import (
    CORRECTED,
    CV_METRICS,
    CvMetric,
    FoldFigures,
    clipped,
    fold_figures,
)
from shared.evaluation.estimate import Estimate

__all__ = [
    "CombinationRow",
    "Combinations",
    "compare_combinations",
    "shapley_shares",
    "shapley_weights",
]

Numbers = NDArray[np.float64]
Combination = tuple[AttributeGroup, ...]

CHANCE: Final = 0.5
"""AUC and balanced accuracy of no attribute group at all."""

SIMULTANEOUS: Final = "corrected resampled t, simultaneous over the comparisons (max-T)"

_DRAWS: Final = 5_000
"""Of the largest statistic: a p-value of .05 is then known to .003."""


@dataclass(frozen=True)
class CombinationRow:
    """One combination in one metric.

    Attributes
    ----------
    combination : str
    metric : {"auc", "balanced_accuracy"}
    figure : Estimate
    difference : Estimate or None
        Against the reference, its interval simultaneous over all comparisons; None for itself.
    p, p_adjusted : float or None
        Two-sided, alone and adjusted for all comparisons.
    """

    combination: str
    metric: CvMetric
    figure: Estimate
    difference: Estimate | None
    p: float | None
    p_adjusted: float | None

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {
            "combination": self.combination,
            "metric": self.metric,
            "figure": self.figure.as_json(),
            "difference": None if self.difference is None else self.difference.as_json(),
            "p": self.p,
            "p_adjusted": self.p_adjusted,
        }


@dataclass(frozen=True)
class Combinations:
    """All combinations compared, and what each group contributes.

    Attributes
    ----------
    reference : str
        Combination the others are compared with.
    rows : tuple of CombinationRow
        Combinations in the order given, first by AUC, then by balanced accuracy.
    shapley : dict
        Metric, then attribute group, to its share with interval; empty unless all fifteen
        combinations were given.
    """

    reference: str
    rows: tuple[CombinationRow, ...]
    shapley: dict[CvMetric, dict[AttributeGroup, Estimate]]

    def row(self, combination: str, metric: CvMetric) -> CombinationRow:
        """The row of a combination."""
        for row in self.rows:
            if (row.combination, row.metric) == (combination, metric):
                return row
        known = ", ".join(sorted({row.combination for row in self.rows}))
        raise InputError(f"Combination {combination!r} in {metric} asked; there are {known}.")

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {
            "reference": self.reference,
            "rows": [row.as_json() for row in self.rows],
            "shapley": {
                metric: {group: share.as_json() for group, share in shares.items()}
                for metric, shares in self.shapley.items()
            },
        }


def compare_combinations(
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    scores: Numbers,
    combinations: tuple[Combination, ...],
    *,
    reference: Combination = ("au",),
    seed: int = 0,
) -> Combinations:
    """Compare every combination with the reference on the same folds.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (repeats, n)
        Test folds of each partition.
    scores : ndarray, shape (combinations, repeats, n)
        Out-of-fold score minus threshold, such as ``Nested.by_combination``.
    combinations : tuple of tuple of AttributeGroup
    reference : tuple of AttributeGroup
    seed : int
        Of the draws behind the adjustment.

    Raises
    ------
    InputError
        The reference is not among the combinations, or shapes do not fit.
    """
    if scores.shape != (len(combinations), *fold.shape):
        raise InputError(
            f"Scores of shape {scores.shape} were given for {len(combinations)} combinations and "
            f"folds of shape {fold.shape}; one score per combination, partition and participant "
            "is needed."
        )
    names = [combination_name(groups) for groups in combinations]
    wanted = combination_name(reference)
    if wanted not in names:
        raise InputError(f"Reference {wanted!r} asked; choose one of {', '.join(names)}.")
    base = names.index(wanted)
    others = [number for number in range(len(names)) if number != base]
    contrast = np.eye(len(names))[others] - np.eye(len(names))[base]
    rows: list[CombinationRow] = []
    shapley: dict[CvMetric, dict[AttributeGroup, Estimate]] = {}
    for metric in CV_METRICS:
        figures = fold_figures(asd, scores, fold, metric)
        each = figures.estimates(np.eye(len(names)))
        found = _compared(figures, contrast, np.random.default_rng(seed))
        of = dict(zip(others, found, strict=True))
        for number, name in enumerate(names):
            difference, p, adjusted = of.get(number, (None, None, None))
            rows.append(
                CombinationRow(name, metric, clipped(each[number]), difference, p, adjusted)
            )
        if set(combinations) == set(all_combinations()):
            shapley[metric] = shapley_shares(figures, combinations)
    return Combinations(wanted, tuple(rows), shapley)


def shapley_weights(combinations: tuple[Combination, ...]) -> Numbers:
    """Weight of each combination's figure in each group's Shapley share.

    Parameters
    ----------
    combinations : tuple of tuple of AttributeGroup
        All fifteen, in any order.

    Returns
    -------
    ndarray, shape (groups, combinations)
        The empty combination's weight, minus 1/4 for each group, is left out.

    Raises
    ------
    InputError
        A combination is missing.
    """
    missing = sorted({combination_name(c) for c in set(all_combinations()) - set(combinations)})
    if missing:
        raise InputError(
            f"Shapley shares need all {len(all_combinations())} combinations; without "
            f"{', '.join(missing[:3])} they are not defined."
        )
    count = len(ATTRIBUTE_GROUPS)
    weights = np.zeros((count, len(combinations)))
    for column, groups in enumerate(combinations):
        size = len(groups)
        for row, group in enumerate(ATTRIBUTE_GROUPS):
            # Added last to the others of this combination, or missing from it.
            before = size - 1 if group in groups else size
            share = math.factorial(before) * math.factorial(count - before - 1)
            share_of_orders = share / math.factorial(count) if before < count else 0.0
            weights[row, column] = share_of_orders if group in groups else -share_of_orders
    return weights


def shapley_shares(
    figures: FoldFigures, combinations: tuple[Combination, ...]
) -> dict[AttributeGroup, Estimate]:
    """Each group's share of the figure above chance, with its interval.

    Parameters
    ----------
    figures : FoldFigures
        Of all fifteen combinations.
    combinations : tuple of tuple of AttributeGroup
        Their order.
    """
    shift = -CHANCE / len(ATTRIBUTE_GROUPS)
    shares = figures.estimates(shapley_weights(combinations))
    return {
        group: Estimate(share.value + shift, share.low + shift, share.high + shift, CORRECTED)
        for group, share in zip(ATTRIBUTE_GROUPS, shares, strict=True)
    }


def _compared(
    figures: FoldFigures, contrast: Numbers, rng: np.random.Generator
) -> list[tuple[Estimate, float, float]]:
    """Differences with simultaneous intervals, p-values alone and adjusted."""
    from scipy.special import stdtr

    value, error = contrast @ figures.value, figures.errors(contrast)
    freedom = figures.freedom
    largest = _largest_statistics(_correlation(contrast @ figures.centred, freedom), freedom, rng)
    reach = float(np.quantile(largest, 0.95))
    statistic = np.abs(
        np.divide(value, error, out=np.where(value == 0, 0.0, np.inf), where=error > 0)
    )
    alone = 2 * stdtr(freedom, -statistic)
    above = len(largest) - np.searchsorted(largest, statistic, side="left")
    adjusted = np.maximum((1 + above) / (1 + len(largest)), alone)
    return [
        (
            Estimate(float(d), float(d - reach * e), float(d + reach * e), SIMULTANEOUS),
            float(p),
            float(q),
        )
        for d, e, p, q in zip(value, error, alone, adjusted, strict=True)
    ]


def _correlation(spread: Numbers, freedom: int) -> Numbers:
    """Correlation of comparisons over folds, shrunk towards none (Schäfer & Strimmer 2005).

    A handful of folds makes comparisons look more alike than they are, and an adjustment by such a
    correlation would be too mild. The shrinkage is the one that loses least on average: the sum of
    the correlations' variances over the sum of their squares.
    """
    length = np.linalg.norm(spread, axis=1, keepdims=True)
    direction = np.divide(spread, length, out=np.zeros_like(spread), where=length > 0)
    found: Numbers = direction @ direction.T
    apart = ~np.eye(len(found), dtype=bool)
    squares = np.square(found[apart]).sum()
    variances = np.square(1 - np.square(found[apart])).sum() / max(freedom, 1)
    kept = 1 - min(1.0, variances / squares) if squares > 0 else 0.0
    return np.where(apart, kept * found, 1.0)


def _largest_statistics(correlation: Numbers, freedom: int, rng: np.random.Generator) -> Numbers:
    """Sorted draws of the largest |t| where no comparison differs, each with its own spread."""
    value, vector = np.linalg.eigh(correlation)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    count = len(correlation)
    drawn = rng.standard_normal((_DRAWS, freedom + 1, count)) @ root.T
    spread = np.sqrt(np.square(drawn[:, 1:]).mean(axis=1))
    statistics: Numbers = np.sort((np.abs(drawn[:, 0]) / spread).max(axis=1))
    return statistics
