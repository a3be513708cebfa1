"""The threshold release: the noised mean of the participants' clipped scores.

A participant contributes a clipped score and a constant that counts heads, both weighted so that
the pair is shorter than one grid unit of sensitivity: .97^2 + .24^2 < 1.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID

__all__ = ["threshold_contribution", "threshold_from_sum"]

_SCORE_WEIGHT: Final = 0.97
_COUNT_WEIGHT: Final = 0.24
_FEWEST_COUNTED: Final = 30.0  # a noised head count below this would blow the mean up


def threshold_contribution(
    vectors: NDArray[np.int64],
    direction: NDArray[np.float64],
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised sum of clipped scores, and of a constant that counts participants.

    Parameters
    ----------
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors without zero rows.
    direction : ndarray, shape (k,)
        The released direction.

    Returns
    -------
    ndarray of int64, shape (2,)
        Grid steps; one participant moves it by less than ``GRID`` (L2).
    """
    clipped = np.clip(unit_scores(vectors, direction) / _score_limit(vectors.shape[1]), -1, 1)
    pair = np.stack([_SCORE_WEIGHT * clipped, np.full(len(clipped), _COUNT_WEIGHT)], axis=1)
    total: NDArray[np.int64] = np.rint(GRID * pair).astype(np.int64).sum(axis=0)
    if variance:
        total = total + noise.integers(variance, 2, release)
    return total


def threshold_from_sum(total: NDArray[np.int64], dimension: int) -> float:
    """Threshold on the unit score: the noised mean of the clipped scores.

    Parameters
    ----------
    total : ndarray of int64, shape (2,)
        The opened threshold sum.
    dimension : int
        Coordinates of the unit vectors.
    """
    scores, count = total / GRID
    mean = (scores / _SCORE_WEIGHT) / max(count / _COUNT_WEIGHT, _FEWEST_COUNTED)
    return float(_score_limit(dimension) * np.clip(mean, -1, 1))


def _score_limit(dimension: int) -> float:
    """Scores of random unit vectors have sd 1/sqrt(k); 1.8 of them rarely clip."""
    return 1.8 / float(np.sqrt(dimension))
