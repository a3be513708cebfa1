"""Is a classifier better than chance? A permutation test that trains anew for every permutation.

Under "the features say nothing about the diagnosis within a clinic", the features of a clinic's
participants may be exchanged among them. Diagnosis, clinic and test fold stay together, so folds
remain stratified; features are permuted within clinics, so a clinic that sees more ASD, or has
another camera, is no evidence. Every permutation goes through the whole cross-validation again.

p = (1 + permutations at least as good) / (1 + permutations) is valid at any number (Phipson &
Smyth 2010). Most permutations are spent where nothing is there: a sequential test stops at h
permutations at least as good, after l in all, with p = h / l (Besag & Clifford 1991).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.cross_validated import CvMetric, cross_validated
from shared.evaluation.nested import Nested, nested_cross_validation
from shared.learning.pooled import REGULARISATION_C
from shared.learning.stacked_newton import fit_stacked, group_grams

__all__ = [
    "PERMUTATIONS",
    "ChanceTest",
    "Statistic",
    "logistic_statistic",
    "nested_statistic",
    "permutation_test",
    "within",
]

Numbers = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], float]
"""Figure of merit when participant i is given the features of row ``order[i]``."""

PERMUTATIONS: Final = 999


@dataclass(frozen=True, eq=False)
class ChanceTest:
    """Outcome of a permutation test.

    Attributes
    ----------
    observed : float
        The statistic on the data as they are.
    p : float
        One-sided: how often chance is at least as good.
    permutations : int
        Drawn; fewer than asked when the test stopped early.
    at_least_as_good : int
    stopped : bool
    null : ndarray, shape (permutations,)
    """

    observed: float
    p: float
    permutations: int
    at_least_as_good: int
    stopped: bool
    null: Numbers

    def as_json(self) -> dict[str, Any]:
        """The outcome with mean and 95th percentile of the permutations."""
        return {
            "observed": self.observed,
            "p": self.p,
            "permutations": self.permutations,
            "at_least_as_good": self.at_least_as_good,
            "stopped_early": self.stopped,
            "null_mean": float(self.null.mean()),
            "null_95th_percentile": float(np.quantile(self.null, 0.95)),
        }


def permutation_test(
    statistic: Statistic,
    clinic: NDArray[Any],
    *,
    seed: int,
    permutations: int = PERMUTATIONS,
    stop_after: int | None = None,
) -> ChanceTest:
    """Compare a statistic with itself under features permuted within clinics.

    Parameters
    ----------
    statistic : callable
        Larger is better.
    clinic : ndarray, shape (n,)
        Clinic of each participant.
    seed : int
    permutations : int
        Most permutations.
    stop_after : int, optional
        Stop once this many were at least as good as the data.

    Raises
    ------
    InputError
        No permutation is asked for, or no clinic has two participants to exchange.
    """
    if permutations < 1 or (stop_after is not None and stop_after < 1):
        raise InputError(
            f"{permutations} permutations, stopping after {stop_after}, were asked; give whole "
            "numbers of at least 1."
        )
    _, number, size = np.unique(clinic, return_inverse=True, return_counts=True)
    if size.max(initial=0) < 2:
        raise InputError(
            "No clinic has two participants, so nothing can be exchanged within a clinic; give one "
            "clinic to all if they were recorded alike."
        )
    rng = np.random.default_rng(seed)
    observed = statistic(np.arange(len(number)))
    null: list[float] = []
    good = 0
    # Two orders of summing equal numbers may differ in the last digit: a tie is a tie.
    bar = observed - 1e-12 * max(1.0, abs(observed))
    while len(null) < permutations and (stop_after is None or good < stop_after):
        null.append(statistic(within(number, rng)))
        good += null[-1] >= bar
    stopped = stop_after is not None and good >= stop_after
    p = good / len(null) if stopped else (1 + good) / (1 + len(null))
    return ChanceTest(observed, p, len(null), int(good), stopped, np.array(null))


def within(clinic: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order of the rows that moves none to another clinic, shape (n,)."""
    order = np.empty(len(clinic), dtype=np.int64)
    # Sorted by clinic and a random key, a clinic's places are filled by its rows in random order.
    order[np.argsort(clinic, kind="stable")] = np.lexsort((rng.random(len(clinic)), clinic))
    return order


def logistic_statistic(
    features: Numbers,
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    *,
    c: float = REGULARISATION_C,
    metric: CvMetric = "auc",
) -> Statistic:
    """Cross-validated figure of pooled logistic regression, as a function of the rows' order.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Of the combination tested; NaN where a value is missing.
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (n,)
        Test fold of each participant.
    c : float
        Fixed inverse penalty.
    metric : {"auc", "balanced_accuracy"}
    """
    numbers = np.unique(fold)
    columns = [np.arange(features.shape[1])]
    train = [np.flatnonzero(fold != k) for k in numbers]
    longest = max(map(len, train))
    rows = np.stack([np.pad(r, (0, longest - len(r)), constant_values=r[0]) for r in train])
    used = np.arange(longest) < np.array([len(r) for r in train])[:, None]

    def statistic(order: NDArray[np.int64]) -> float:
        mine = features[order]
        grams = np.stack([group_grams(mine, fold != k, columns)[0] for k in numbers])
        cross = np.stack([gram[:, own] for gram, own in zip(grams, rows, strict=True)])
        inside = np.stack([part[own] for part, own in zip(cross, rows, strict=True)])
        odds = fit_stacked(inside, asd[rows], c, used=used).log_odds(cross)
        score = odds[np.searchsorted(numbers, fold), np.arange(len(asd))]
        return float(cross_validated(asd, score, fold, metric))

    return statistic


def nested_statistic(
    features: Numbers,
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    *,
    seed: int,
    metric: CvMetric = "auc",
    known: Nested | None = None,
    **settings: Any,
) -> Statistic:
    """Figure of the whole nested recipe, every choice made anew, as a function of the rows' order.

    Parameters
    ----------
    features, asd, fold, seed
        As ``nested_cross_validation`` takes them, which also takes ``settings``.
    metric : {"auc", "balanced_accuracy"}
    known : Nested, optional
        Its outcome on the rows as they are, so that it is not computed twice.

    Notes
    -----
    One permutation costs a nested cross-validation. For a decision at the 5 % level the cheapest
    valid test is ``permutations=19, stop_after=1``: p is at most .05 when none of 19 is as good.
    """
    untouched = np.arange(len(asd))

    def statistic(order: NDArray[np.int64]) -> float:
        if known is not None and np.array_equal(order, untouched):
            return known.estimate(metric).value
        found = nested_cross_validation(features[order], asd, fold, seed=seed, **settings)
        return found.estimate(metric).value

    return statistic
