"""Figures of cross-validated scores, with intervals that know of the overlap of training sets.

Ranking is judged within folds, since scores of models trained on different folds share no scale;
decisions are counted over all folds together. The models of two folds share most of their training
participants, and every pair of participants enters twice, once with either as the tested one: the
folds' figures are not independent, and an interval that treats them so is too narrow by about the
root of two. Nadeau & Bengio (Machine Learning 2003) widen the variance of the mean over J folds
from 1/J to 1/J + n_test/n_train; over repeated partitions Bouckaert & Frank (2004). It is a
correction, not a theorem; ``fedaffect-sim power`` measures what it holds.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, student

__all__ = [
    "CORRECTED",
    "CV_METRICS",
    "CvMetric",
    "FoldFigures",
    "by_fold",
    "clipped",
    "corrected_estimate",
    "cross_validated",
    "fold_figures",
]

Numbers = NDArray[np.float64]

CvMetric: TypeAlias = Literal["auc", "balanced_accuracy"]
CV_METRICS: Final[tuple[CvMetric, ...]] = get_args(CvMetric)

CORRECTED: Final = "corrected resampled t (Nadeau & Bengio 2003)"


def by_fold(
    asd: NDArray[np.bool_], score: Numbers, fold: NDArray[np.int64], metric: CvMetric
) -> Numbers:
    """One figure per fold.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (..., n)
        Score minus threshold: above 0 is called ASD.
    fold : ndarray of int, shape (n,)
    metric : {"auc", "balanced_accuracy"}

    Returns
    -------
    ndarray, shape (..., k)
        Of the folds that hold both diagnoses.

    Raises
    ------
    InputError
        No fold holds both diagnoses.
    """
    found = []
    for number in np.unique(fold):
        here = fold == number
        positive, negative = score[..., here & asd], score[..., here & ~asd]
        if not positive.shape[-1] or not negative.shape[-1]:
            continue
        if metric == "auc":
            found.append(_ranked(positive, negative).mean(axis=(-2, -1)))
        else:
            found.append(((positive > 0).mean(axis=-1) + (negative <= 0).mean(axis=-1)) / 2)
    if not found:
        raise InputError(
            f"None of {len(np.unique(fold))} folds holds participants of both diagnoses; use "
            "fewer, stratified folds."
        )
    return np.stack(found, axis=-1)


def cross_validated(
    asd: NDArray[np.bool_], score: Numbers, fold: NDArray[np.int64], metric: CvMetric
) -> Numbers:
    """The figure of whole partitions, shape (...,), from scores of shape (..., n).

    The AUC is the mean over folds that hold both diagnoses, balanced accuracy is counted over all
    folds together, as ``shared.evaluation.metrics`` does.
    """
    if metric == "auc":
        area: Numbers = by_fold(asd, score, fold, "auc").mean(axis=-1)
        return area
    called = score > 0
    right: Numbers = (called[..., asd].mean(axis=-1) + (~called[..., ~asd]).mean(axis=-1)) / 2
    return right


@dataclass(frozen=True, eq=False)
class FoldFigures:
    """One metric of several classifiers on the same folds.

    Attributes
    ----------
    value : ndarray, shape (classifiers,)
        Mean over partitions.
    each : ndarray, shape (classifiers, repeats, folds)
        Folds that hold both diagnoses.
    """

    value: Numbers
    each: Numbers

    @property
    def freedom(self) -> int:
        """Degrees of freedom: repeats on the same participants are no new participants."""
        return int(self.each.shape[2]) - 1

    @property
    def centred(self) -> Numbers:
        """Figures of folds less their partition's mean, shape (classifiers, repeats * folds)."""
        away: Numbers = self.each - self.each.mean(axis=2, keepdims=True)
        return away.reshape(len(away), -1)

    def errors(self, contrasts: Numbers) -> Numbers:
        """Corrected standard errors of linear contrasts of the classifiers' figures.

        Parameters
        ----------
        contrasts : ndarray, shape (q, classifiers)

        Returns
        -------
        ndarray, shape (q,)
            NaN with one fold.
        """
        repeats, folds = self.each.shape[1:]
        if folds < 2:
            return np.full(len(contrasts), np.nan)
        spread = np.square(contrasts @ self.centred).sum(axis=1) / (repeats * (folds - 1))
        error: Numbers = np.sqrt(spread * (1 / (repeats * folds) + 1 / (folds - 1)))
        return error

    def estimates(self, contrasts: Numbers) -> list[Estimate]:
        """Contrasts with 95 % intervals, not cut at 0 or 1."""
        return [
            student(float(value), float(error), self.freedom, CORRECTED)
            for value, error in zip(contrasts @ self.value, self.errors(contrasts), strict=True)
        ]


def fold_figures(
    asd: NDArray[np.bool_], scores: Numbers, fold: NDArray[np.int64], metric: CvMetric
) -> FoldFigures:
    """Figures of several classifiers, fold by fold.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    scores : ndarray, shape (classifiers, repeats, n)
        Out-of-fold scores.
    fold : ndarray of int, shape (repeats, n)
    metric : {"auc", "balanced_accuracy"}

    Raises
    ------
    InputError
        Partitions have different numbers of folds that hold both diagnoses.
    """
    parts = [by_fold(asd, scores[:, r], partition, metric) for r, partition in enumerate(fold)]
    if len({part.shape[1] for part in parts}) != 1:
        raise InputError(
            "Partitions have different numbers of folds with both diagnoses; stratify them."
        )
    whole = [
        cross_validated(asd, scores[:, r], partition, metric) for r, partition in enumerate(fold)
    ]
    return FoldFigures(np.mean(whole, axis=0), np.stack(parts, axis=1))


def corrected_estimate(
    asd: NDArray[np.bool_], score: Numbers, fold: NDArray[np.int64], metric: CvMetric
) -> Estimate:
    """Mean over partitions with a 95 % interval by the corrected resampled t.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (repeats, n)
        Out-of-fold scores of each partition.
    fold : ndarray of int, shape (repeats, n)
    metric : {"auc", "balanced_accuracy"}
    """
    (found,) = fold_figures(asd, score[None], fold, metric).estimates(np.ones((1, 1)))
    return clipped(found)


def clipped(estimate: Estimate) -> Estimate:
    """The estimate of a share, its limits cut at 0 and 1."""
    low, high = np.clip([estimate.low, estimate.high], 0.0, 1.0)
    return Estimate(estimate.value, float(low), float(high), estimate.method)


def _ranked(positive: Numbers, negative: Numbers) -> Numbers:
    """1 where the positive ranks above, 1/2 at a tie, shape (..., n_positive, n_negative)."""
    difference = positive[..., :, None] - negative[..., None, :]
    share: Numbers = (np.sign(difference) + 1) / 2
    return share
