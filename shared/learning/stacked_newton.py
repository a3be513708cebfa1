"""Many pooled logistic regressions at once, exactly those of ``shared.learning.pooled``.

Nested cross-validation of fifteen attribute combinations is thousands of small fits. With more
features than participants a fit's solution lies in the span of its rows, w = Z' a, so everything
about the features is the Gram matrix G = Z Z' of the standardised training rows, and

    minimise over (a, b):   a' G a / (2 C) + sum_i log(1 + exp(-s_i (G a + b 1)_i)),   s_i = +-1.

Gram matrices of attribute groups add up to those of their combinations, and Newton's systems of
all problems are solved by one call (Rasmussen & Williams 2006, algorithm 3.1, with an unpenalised
intercept as a second right-hand side). The objective is that of the pooled fit, whose optimum is
unique: a test holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.errors import InputError
from shared.learning.newton import moments, standardisation

__all__ = ["StackedLogistic", "fit_stacked", "group_grams", "standardised_by"]

Numbers = NDArray[np.float64]

_CONVERGED: Final = 1e-5
"""Largest change of a log-odds that ends a problem: Newton squares it in the step just made."""

_MOST_STEPS: Final = 50
_HALVINGS: Final = 10
_TOGETHER: Final = 30
"""Problems advanced by one call: their systems fit a core's cache."""


@dataclass(frozen=True, eq=False)
class StackedLogistic:
    """Fitted problems.

    Attributes
    ----------
    dual : ndarray, shape (p, m)
        Weight of each training row: coefficients on standardised features are ``dual @ Z``.
    intercept : ndarray, shape (p,)
    """

    dual: Numbers
    intercept: Numbers

    def log_odds(self, cross: Numbers) -> Numbers:
        """Log-odds of ASD, shape (p, t), from Gram entries of tested with training rows.

        Parameters
        ----------
        cross : ndarray, shape (p, t, m)
        """
        return _odds(cross, self.dual, self.intercept)


def standardised_by(features: Numbers, train: NDArray[np.bool_]) -> Numbers:
    """All rows, standardised by the training rows as a pooled fit does.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        NaN where a value is missing; it becomes the mean.
    train : ndarray of bool, shape (n,)
    """
    rows = features[train]
    labels = np.zeros(len(rows), dtype=bool)  # only counted there, and not needed here
    first = moments(rows, labels, np.zeros(features.shape[1]))
    rough = first.total / np.maximum(first.count, 1.0)
    mean, scale = standardisation(rough, moments(rows, labels, rough))
    standard: Numbers = (features - mean) / scale
    return np.nan_to_num(standard, copy=False, nan=0.0)


def group_grams(
    features: Numbers, train: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]
) -> Numbers:
    """Gram matrix of each group of features, standardised by the training rows.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    train : ndarray of bool, shape (n,)
    groups : sequence of ndarray of int
        Columns of each group; the Gram matrix of several groups is the sum of theirs.

    Returns
    -------
    ndarray, shape (g, n, n)
    """
    standard = standardised_by(features, train)
    parts = [standard[:, columns] for columns in groups]
    return np.stack([part @ part.T for part in parts])


def fit_stacked(
    gram: Numbers,
    asd: NDArray[np.bool_],
    c: float,
    *,
    used: NDArray[np.bool_] | None = None,
    start: StackedLogistic | None = None,
) -> StackedLogistic:
    """Fit every problem by Newton's method.

    Parameters
    ----------
    gram : ndarray, shape (p, m, m)
        Of the standardised training rows of each problem.
    asd : ndarray of bool, shape (p, m)
    c : float
        Inverse strength of the L2 penalty, > 0, as ``fit_pooled_logistic`` takes it.
    used : ndarray of bool, shape (p, m), optional
        False marks padding, for problems of unequal size; its dual weight is 0.
    start : StackedLogistic, optional
        Where to start, such as the same problems at a stronger penalty.

    Raises
    ------
    InputError
        ``c`` is not positive, or the training rows of a problem have one diagnosis.
    """
    if not c > 0:
        raise InputError(f"Regularisation C = {c} asked; it must be above 0.")
    weight = np.ones(asd.shape) if used is None else used.astype(np.float64)
    label = asd * weight
    positives = label.sum(axis=1)
    if (positives == 0).any() or (positives == weight.sum(axis=1)).any():
        raise InputError(
            "All training rows of a problem have the same diagnosis; a classifier needs both. "
            "Use fewer folds, or stratified ones."
        )
    dual = np.zeros(asd.shape) if start is None else start.dual.copy()
    intercept = np.zeros(len(asd)) if start is None else start.intercept.copy()
    for first in range(0, len(asd), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        problem = _Problem(gram[part], label[part], weight[part], c)
        dual[part], intercept[part] = _minimum(problem, dual[part], intercept[part])
    return StackedLogistic(dual, intercept)


_State = tuple[Numbers, Numbers, Numbers]
"""Dual weights (p, m), intercepts (p,), log-odds (p, m)."""


@dataclass(frozen=True, eq=False)
class _Problem:
    gram: Numbers
    label: Numbers
    weight: Numbers
    c: float

    def loss(self, state: _State) -> Numbers:
        """Penalised loss of each problem, shape (p,)."""
        dual, intercept, odds = state
        squared = (dual * (odds - intercept[:, None])).sum(axis=1)
        unlikely: Numbers = np.logaddexp(0.0, odds) * self.weight - odds * self.label
        total: Numbers = squared / (2 * self.c) + unlikely.sum(axis=1)
        return total

    def select(self, kept: NDArray[np.bool_]) -> "_Problem":
        """The problems that are not solved yet."""
        return _Problem(self.gram[kept], self.label[kept], self.weight[kept], self.c)


def _minimum(problem: _Problem, dual: Numbers, intercept: Numbers) -> tuple[Numbers, Numbers]:
    """Dual weights and intercepts at the minimum of each problem."""
    dual, intercept = dual.copy(), intercept.copy()
    open_ = np.arange(len(dual))
    now = (dual, intercept, _odds(problem.gram, dual, intercept))
    for _ in range(_MOST_STEPS):
        moved = _damped(problem, now, _newton(problem, now[2]))
        change = np.abs((moved[2] - now[2]) * problem.weight).max(axis=1)
        dual[open_], intercept[open_] = moved[0], moved[1]
        further = change > _CONVERGED
        if not further.any():
            break
        now = moved
        if not further.all():
            open_ = open_[further]
            now = (moved[0][further], moved[1][further], moved[2][further])
            problem = problem.select(further)
    return dual, intercept


def _newton(problem: _Problem, odds: Numbers) -> _State:
    """The minimum of the quadratic model at the given log-odds."""
    likely = expit(odds)
    curvature = likely * (1 - likely) * problem.weight
    root = np.sqrt(curvature)
    residual = problem.label - likely * problem.weight
    right = problem.c * np.stack([curvature * odds + residual, curvature], axis=-1)
    system = problem.gram * (problem.c * root)[:, :, None]
    system *= root[:, None, :]
    diagonal = np.arange(system.shape[1])
    system[:, diagonal, diagonal] += 1.0
    inner = np.linalg.solve(system, root[..., None] * np.matmul(problem.gram, right))
    solved = right - problem.c * root[..., None] * inner
    sums = solved.sum(axis=1)  # the free intercept asks for dual weights that sum to 0
    intercept = sums[:, 0] / np.maximum(sums[:, 1], np.finfo(float).tiny)
    dual = solved[..., 0] - intercept[:, None] * solved[..., 1]
    return dual, intercept, _odds(problem.gram, dual, intercept)


def _odds(gram: Numbers, dual: Numbers, intercept: Numbers) -> Numbers:
    found: Numbers = np.matmul(gram, dual[..., None])[..., 0] + intercept[:, None]
    return found


def _damped(problem: _Problem, now: _State, proposed: _State) -> _State:
    """The proposed step, halved in problems where it overshoots; all three parts are linear."""
    before = problem.loss(now)
    size = np.ones(len(before))
    for _ in range(_HALVINGS):
        moved = _between(now, proposed, size)
        # Near the optimum the loss no longer tells.
        worse = problem.loss(moved) > before + 1e-9 * np.abs(before)
        if not worse.any():
            break
        size = np.where(worse, size / 2, size)
    return _between(now, proposed, size)


def _between(now: _State, proposed: _State, size: Numbers) -> _State:
    if (size == 1).all():
        return proposed
    long = size[:, None]
    return (
        now[0] + long * (proposed[0] - now[0]),
        now[1] + size * (proposed[1] - now[1]),
        now[2] + long * (proposed[2] - now[2]),
    )
