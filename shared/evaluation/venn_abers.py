"""Probability intervals with guaranteed calibration: Venn-Abers prediction.

Two probabilities of ASD (Vovk and Petej 2014, inductive form): one from isotonic regression with
the child counted as ASD, one with the child counted as not. One of the two is calibrated whatever
the classifier, as long as the child and the calibration children are exchangeable, and their
distance says how little the calibration children tell about a score like this.
"""

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["VennAbers", "held_out_venn_abers"]


class VennAbers:
    """Inductive Venn-Abers predictor.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Of children the classifier has not seen; any increasing scale.
    asd : ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        Nobody is there, or a score is not finite.
    """

    def __init__(self, score: NDArray[np.float64], asd: NDArray[np.bool_]) -> None:
        if not len(score) or score.shape != asd.shape or not np.isfinite(score).all():
            raise InputError(
                f"{np.shape(score)} scores and {np.shape(asd)} diagnoses were given; Venn-Abers "
                "needs one finite score for each calibration child, and at least one child."
            )
        self._values, place = np.unique(score, return_inverse=True)
        self._count = np.bincount(place).astype(np.float64)
        self._asd = np.bincount(place, weights=asd)

    def interval(self, score: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Lower and upper probability of ASD for each score, both of shape (m,)."""
        # Only the place among the calibration scores matters: before, at, between or after them.
        left = np.searchsorted(self._values, score, side="left")
        at = left + np.searchsorted(self._values, score, side="right")
        places, back = np.unique(at, return_inverse=True)
        pairs = np.array([[self._fitted(place, label) for label in (0.0, 1.0)] for place in places])
        pairs = pairs.reshape(-1, 2)
        return pairs[back, 0], pairs[back, 1]

    def probability(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """One probability from the two, p1 / (1 - p0 + p1), which minimises the log loss regret."""
        low, high = self.interval(score)
        merged: NDArray[np.float64] = high / (1 - low + high)
        return merged

    def _fitted(self, place: int, label: float) -> float:
        """Isotonic fit at a place (2 k: before value k, 2 k + 1: at it) with one more child."""
        from scipy.optimize import isotonic_regression

        k, at_value = divmod(int(place), 2)
        count, asd = self._count, self._asd
        if at_value:
            count, asd = count.copy(), asd.copy()
            count[k] += 1
            asd[k] += label
        else:
            count, asd = np.insert(count, k, 1.0), np.insert(asd, k, label)
        return float(isotonic_regression(asd / count, weights=count).x[k])


def held_out_venn_abers(
    score: NDArray[np.float64], asd: NDArray[np.bool_], fold: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability intervals for the children of a cross-validation, by the other folds.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Out-of-fold; scores of different folds must share a scale, as probabilities do.
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (n,)
        At least two folds.

    Returns
    -------
    low, high : ndarray, shape (n,)

    Raises
    ------
    InputError
        As ``VennAbers``, or there is only one fold.
    """
    if len(np.unique(fold)) < 2:
        raise InputError(
            "Only one fold was given; the children of a fold are judged by the others, so at least "
            "two are needed."
        )
    low, high = np.zeros(len(asd)), np.zeros(len(asd))
    for k in np.unique(fold):
        here = fold == k
        low[here], high[here] = VennAbers(score[~here], asd[~here]).interval(score[here])
    return low, high
