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
from shared.privacy.grid import GRID

__all__ = ["clipped_contributions", "score_limit", "threshold_contribution", "threshold_from_sum"]

_SCORE_LIMIT_SD: Final = 1.8  # scores are clipped at this many of their standard deviations
_BALANCE_WEIGHT: Final = 2 / _SCORE_LIMIT_SD  # 2 sd, in units of the clipping limit
_CONTRIBUTION_LIMIT: Final = 1.6  # less noise than 1 + weight = 2.1, and rarely reached


def threshold_contribution(
    scores: NDArray[np.float64],
    asd: NDArray[np.bool_],
    dimension: int,
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised sum of clipped scores less the label's constant.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Unit scores on the released direction; each depends on its own participant only.
    asd : ndarray of bool, shape (n,)
        Labels.
    dimension : int
        Coordinates of the unit vectors.
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
    each = clipped_contributions(scores / score_limit(dimension), asd)
    total: NDArray[np.int64] = each.sum(keepdims=True)
    return total + noise.integers(variance, total, release) if variance else total


def clipped_contributions(scores: NDArray[np.float64], asd: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each participant's part of the threshold sum.

    Parameters
    ----------
    scores : ndarray, shape (...,)
        Unit scores in units of :func:`score_limit`.
    asd : ndarray of bool, shape (...,)

    Returns
    -------
    ndarray of int64, shape (...,)
        Magnitude at most ``GRID``; 0 for a score that is not finite.
    """
    finite = np.isfinite(scores)
    clipped = np.clip(np.where(finite, scores, 0.0), -1, 1)
    each = (clipped - _BALANCE_WEIGHT * np.where(asd, 1.0, -1.0)) / _CONTRIBUTION_LIMIT
    whole: NDArray[np.int64] = np.rint(GRID * np.clip(each, -1, 1)).astype(np.int64)
    return np.where(finite, whole, 0)


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
    return float(score_limit(dimension) * np.clip(mean, -1, 1))


def score_limit(dimension: int) -> float:
    """Where scores are clipped: those of whitened unit vectors have a spread near 1/sqrt(k)."""
    return _SCORE_LIMIT_SD / float(np.sqrt(dimension))
