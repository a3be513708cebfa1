"""The threshold release: where a noised direction's score reads as "probability above one half".

Pooled logistic regression calls a participant ASD when the probability exceeds one half, so the
private model should too. For classes of equal spread, with d the distance of their mean scores in
standard deviations and delta = (n_ASD - n_other) / n, that point lies at

    mean score - delta * sd * (d/2 + 2/d)        (to first order in delta),

and d/2 + 2/d has its minimum 2 at d = 2 and is flat around it, so 2 serves every plausible d. A
participant therefore contributes one number, its own clipped score minus a constant times its
label (+1 or -1): the mean and the class balance are released together, in one coordinate.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID

__all__ = ["threshold_contribution", "threshold_from_sum"]

_SCORE_LIMIT_SD: Final = 1.8  # scores are clipped at this many of their standard deviations
_BALANCE_WEIGHT: Final = 2 / _SCORE_LIMIT_SD  # 2 sd, in units of the clipping limit
_CONTRIBUTION_LIMIT: Final = 1.6  # less noise than 1 + weight = 2.1, and rarely reached


def threshold_contribution(
    vectors: NDArray[np.int64],
    asd: NDArray[np.bool_],
    direction: NDArray[np.float64],
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised sum of clipped scores less the label's constant.

    Parameters
    ----------
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors without zero rows.
    asd : ndarray of bool, shape (n,)
        Labels.
    direction : ndarray, shape (k,)
        The released direction.
    variance : int
        This clinic's noise share, squared grid units; 0 adds nothing.
    noise : NoiseSource
        Where the noise comes from.
    release : str
        Name of this release.

    Returns
    -------
    ndarray of int64, shape (1,)
        Grid steps; one participant moves it by at most ``GRID``.
    """
    scores = np.clip(unit_scores(vectors, direction) / _score_limit(vectors.shape[1]), -1, 1)
    balanced = scores - _BALANCE_WEIGHT * np.where(asd, 1.0, -1.0)
    each = np.clip(balanced / _CONTRIBUTION_LIMIT, -1, 1)
    total: NDArray[np.int64] = np.rint(GRID * each).astype(np.int64).sum(keepdims=True)
    if variance:
        total = total + noise.integers(variance, 1, release)
    return total


def threshold_from_sum(total: NDArray[np.int64], dimension: int, participants: int) -> float:
    """Threshold on the unit score.

    Parameters
    ----------
    total : ndarray of int64, shape (1,)
        The opened threshold sum.
    dimension : int
        Coordinates of the unit vectors.
    participants : int
        Declared enrolment.
    """
    mean = _CONTRIBUTION_LIMIT * float(total[0]) / GRID / participants
    return float(_score_limit(dimension) * np.clip(mean, -1, 1))


def _score_limit(dimension: int) -> float:
    """Scores of whitened unit vectors have a standard deviation near 1/sqrt(k)."""
    return _SCORE_LIMIT_SD / float(np.sqrt(dimension))
