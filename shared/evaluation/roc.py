"""Ranking: area under the ROC curve with DeLong's interval, paired comparison, the curve's band.

The area is the chance that a participant with ASD scores above one without, ties counted half. Its
variance comes from each participant's placement among the other class (DeLong, DeLong and
Clarke-Pearson 1988, Biometrics 44:837). Scores of models trained on different folds share no scale,
so with folds only pairs of the same fold are compared and the folds' areas averaged; the variance
is then that of the average, with placements pooled over folds (as LeDell, Petersen and van der Laan
2015, Electron. J. Stat. 9:1583).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from shared.errors import InputError
from shared.evaluation.estimate import CONFIDENCE, Estimate, Z, finite, normal, unknown
from shared.evaluation.resampling import DRAWS, stratified_weights

__all__ = ["PairedAreas", "RocCurve", "auc", "auc_draws", "paired_delong", "roc_curve"]

_GRID: Final = np.linspace(0.0, 1.0, 51)
_DELONG: Final = "DeLong, logit"


@dataclass(frozen=True)
class PairedAreas:
    """Two scores on the same participants.

    Attributes
    ----------
    first, second : Estimate
        Areas.
    difference : Estimate
        First minus second.
    p_value : float
        Two-sided, of equal areas; NaN where no variance is left to judge by.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "first": self.first.as_json(),
            "second": self.second.as_json(),
            "difference": self.difference.as_json(),
            "p_value": finite(self.p_value),
        }


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Sensitivity over the false positive rate, with a band.

    Attributes
    ----------
    false_positive_rate : ndarray, shape (51,)
        From 0 to 1.
    sensitivity, low, high : ndarray, shape (51,)
        The band holds 95 % of stratified resamples at each point by itself, not the whole curve.
    """

    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "false_positive_rate": self.false_positive_rate.tolist(),
            "sensitivity": self.sensitivity.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "method": "stratified bootstrap, pointwise percentiles",
        }


def auc(
    asd: NDArray[np.bool_], score: NDArray[np.float64], fold: NDArray[np.int64] | None = None
) -> Estimate:
    """Area under the ROC curve with its interval on the logit scale.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Higher means more likely ASD.
    fold : ndarray of int, shape (n,), optional
        Test fold of each participant; one fold when not given.

    Returns
    -------
    Estimate
        Unknown when no fold holds both classes. Where DeLong's variance is 0 (perfect ranking) the
        limits are Newcombe's (2006, Stat. Med. 25:559, method 5), which stay informative there.

    Raises
    ------
    InputError
        Lengths differ or a score is not a number.
    """
    areas, covariance, folds = _delong(asd, score[None, :], fold)
    return _area_estimate(float(areas[0]), float(covariance[0, 0]), asd, folds)


def paired_delong(
    asd: NDArray[np.bool_],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    fold: NDArray[np.int64] | None = None,
) -> PairedAreas:
    """Compare the areas of two scores of the same participants (DeLong et al. 1988).

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    first, second : ndarray, shape (n,)
    fold : ndarray of int, shape (n,), optional

    Raises
    ------
    InputError
        As ``auc``.
    """
    if len(first) != len(second):
        raise InputError(
            f"Two scores of {len(first)} and {len(second)} participants cannot be compared in "
            "pairs. Give both for the same participants in the same order."
        )
    areas, covariance, folds = _delong(asd, np.stack([first, second]), fold)
    gap = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if math.isnan(gap):
        apart, p_value = unknown("DeLong, paired"), math.nan
    elif variance <= 1e-18:
        # Equal rankings: the difference is 0 for certain. Otherwise nothing is left to judge by.
        same = abs(gap) < 1e-12
        bound = 0.0 if same else math.nan
        apart = Estimate(gap, bound, bound, "DeLong, paired")
        p_value = 1.0 if same else math.nan
    else:
        apart = normal(gap, math.sqrt(variance), "DeLong, paired")
        p_value = 2 * float(ndtr(-abs(gap) / math.sqrt(variance)))
    one, two = (
        _area_estimate(float(areas[k]), float(covariance[k, k]), asd, folds) for k in (0, 1)
    )
    return PairedAreas(one, two, apart, p_value)


def auc_draws(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    weights: NDArray[np.float64],
    fold: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Area of every resample at once.

    Parameters
    ----------
    asd, score, fold
        As ``auc``.
    weights : ndarray, shape (n_draws, n)
        From ``shared.evaluation.resampling``.

    Returns
    -------
    ndarray, shape (n_draws,)
        Mean over the folds that hold both classes in that resample; NaN where none does.
    """
    total = np.zeros(len(weights))
    folds = np.zeros(len(weights))
    for positive, negative in _folds(asd, fold):
        pairs = _pairs(score[positive], score[negative])
        mine, others = weights[:, positive], weights[:, negative]
        size = mine.sum(1) * others.sum(1)
        wins = ((mine @ pairs) * others).sum(1)
        there = size > 0
        total[there] += wins[there] / size[there]
        folds += there
    with np.errstate(invalid="ignore"):
        return np.where(folds > 0, total / np.where(folds > 0, folds, 1), np.nan)


def roc_curve(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    fold: NDArray[np.int64] | None = None,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> RocCurve:
    """The curve on a grid of 51 false positive rates, with its bootstrap band.

    Parameters
    ----------
    asd, score, fold
        As ``auc``; with folds, the mean of the folds' curves at each false positive rate.
    rng : numpy.random.Generator
    draws : int
        Resamples, within diagnosis (and fold).

    Raises
    ------
    InputError
        As ``auc``, or no fold holds both classes.
    """
    _check(asd, score, fold)
    total = np.zeros((draws + 1, len(_GRID)))
    folds = 0
    for positive, negative in _folds(asd, fold):
        rows = np.concatenate([positive, negative])
        weights = stratified_weights(asd[rows], draws, rng)
        plain = np.ones((1, len(rows)))
        total += _curves(asd[rows], score[rows], np.concatenate([plain, weights]))
        folds += 1
    if not folds:
        raise InputError(
            "An ROC curve needs participants with and without ASD in one fold; no fold holds "
            "both. Use fewer folds or more participants."
        )
    total /= folds
    low, high = np.quantile(total[1:], (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2), axis=0)
    return RocCurve(_GRID.copy(), total[0], low, high)


def _check(
    asd: NDArray[np.bool_], score: NDArray[np.float64], fold: NDArray[np.int64] | None
) -> None:
    n = len(asd)
    if score.shape[-1] != n or (fold is not None and len(fold) != n):
        raise InputError(
            f"{n} labels were given with {score.shape[-1]} scores"
            + ("" if fold is None else f" and {len(fold)} folds")
            + ". Give one of each per participant."
        )
    if np.isnan(score).any():
        raise InputError("A score is not a number. Score every participant, or leave them out.")


def _folds(
    asd: NDArray[np.bool_], fold: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows with and without ASD of each fold that holds both."""
    names = np.zeros(len(asd), dtype=np.int64) if fold is None else fold
    for name in np.unique(names):
        positive = np.flatnonzero(asd & (names == name))
        negative = np.flatnonzero(~asd & (names == name))
        if len(positive) and len(negative):
            yield positive, negative


def _pairs(mine: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where the first scores higher, half at ties, shape (..., n_first, n_second)."""
    first, second = mine[..., :, None], others[..., None, :]
    wins: NDArray[np.float64] = np.where(first > second, 1.0, 0.5 * (first == second))
    return wins


def _delong(
    asd: NDArray[np.bool_], scores: NDArray[np.float64], fold: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Areas, shape (k,), their covariance, shape (k, k), and the number of folds used."""
    _check(asd, scores, fold)
    blocks = [_pairs(scores[:, p], scores[:, n]) for p, n in _folds(asd, fold)]
    k = len(scores)
    if not blocks:
        return np.full(k, np.nan), np.full((k, k), np.nan), 0
    areas = np.mean([block.mean((1, 2)) for block in blocks], axis=0)
    if len(blocks) == 1:
        block = blocks[0]
        covariance = np.zeros((k, k))
        for axis, size in ((2, block.shape[1]), (1, block.shape[2])):
            if size < 2:
                # One participant of a class tells nothing about its own variance.
                return areas, np.full((k, k), np.nan), 1
            away = block.mean(axis) - areas[:, None]
            covariance += away @ away.T / (size - 1) / size
        return areas, covariance, 1
    away = [block - areas[:, None, None] for block in blocks]
    by_positive = np.concatenate([a.mean(2) for a in away], axis=1)
    by_negative = np.concatenate([a.mean(1) for a in away], axis=1)
    by_pair = np.concatenate([a.reshape(k, -1) for a in away], axis=1)
    parts = [part @ part.T / part.shape[1] for part in (by_positive, by_negative, by_pair)]
    covariance = np.zeros((k, k))
    for block in blocks:
        m, n = block.shape[1:]
        # A placement among few others also holds one pair's own variance; both sums hold it, and
        # it counts once.
        covariance += parts[0] / m + parts[1] / n - parts[2] / (m * n)
    covariance /= len(blocks) ** 2
    return areas, covariance, len(blocks)


def _area_estimate(area: float, variance: float, asd: NDArray[np.bool_], folds: int) -> Estimate:
    method = _DELONG if folds <= 1 else f"{_DELONG}, mean of {folds} folds"
    if math.isnan(area):
        return unknown(method)
    if not variance > 1e-18 or not 0 < area < 1:
        return _newcombe(area, int(asd.sum()), int((~asd).sum()))
    centre, reach = float(logit(area)), Z * math.sqrt(variance) / (area * (1 - area))
    return Estimate(area, float(expit(centre - reach)), float(expit(centre + reach)), method)


def _newcombe(area: float, m: int, n: int) -> Estimate:
    """Solve |area - t| = z sqrt(V(t)), V Hanley and McNeil's with both sizes at their mean."""
    from scipy.optimize import brentq

    more = (m + n) / 2 - 1

    def beyond(t: float) -> float:
        variance = t * (1 - t) * (1 + more * ((1 - t) / (2 - t) + t / (1 + t))) / (m * n)
        return (area - t) ** 2 - Z**2 * variance

    edge = 1e-12
    low = 0.0 if area <= edge else float(brentq(beyond, edge, area - edge / 2))
    high = 1.0 if area >= 1 - edge else float(brentq(beyond, area + edge / 2, 1 - edge))
    return Estimate(area, low, high, "Newcombe's score interval")


def _curves(
    asd: NDArray[np.bool_], score: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sensitivity at each grid point of every weighting, shape (draws, 51)."""
    values, place = np.unique(-score, return_inverse=True)
    steps = np.zeros((len(score), len(values)))
    steps[np.arange(len(score)), place] = 1.0
    shares = []
    for rows in (asd, ~asd):
        counted = weights[:, rows] @ steps[rows]
        shares.append(np.cumsum(counted, axis=1) / counted.sum(1, keepdims=True))
    start = np.zeros((len(weights), 1))
    found = np.concatenate([start, shares[0]], axis=1)
    alarm = np.concatenate([start, shares[1]], axis=1)
    # Topmost point at or left of each grid value, then straight to the next.
    left = (alarm[:, :, None] <= _GRID + 1e-12).sum(1) - 1
    right = np.minimum(left + 1, alarm.shape[1] - 1)
    x0, x1 = (np.take_along_axis(alarm, at, axis=1) for at in (left, right))
    y0, y1 = (np.take_along_axis(found, at, axis=1) for at in (left, right))
    width = x1 - x0
    part = np.where(width > 0, (_GRID - x0) / np.where(width > 0, width, 1.0), 0.0)
    curves: NDArray[np.float64] = y0 + np.clip(part, 0.0, 1.0) * (y1 - y0)
    return curves
