"""From runs with and without the canary to what they prove about the mechanism.

A mechanism that is mu-GDP allows no test a true positive rate above Phi(Phi^-1(FPR) + mu); one that
is (epsilon, delta)-DP none with TPR > e^epsilon FPR + delta, nor with the two answers exchanged. So
the rates of a test bound mu and epsilon from below. The cut is chosen on one half of the runs, and
the rates are measured on the other with Clopper-Pearson intervals, so that each bound holds with
95 % confidence whatever the distribution is (Nasr et al., "Tight Auditing of Differentially Private
Machine Learning", 2023).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta

from shared.errors import InputError

__all__ = ["FEWEST_RUNS", "LowerBounds", "clopper_pearson", "lower_bounds"]

FEWEST_RUNS: Final = 100
"""Runs a side below which no bound worth reading comes out."""

_CONFIDENCE: Final = 0.95
_CUTS: Final = 400


class LowerBounds(NamedTuple):
    """What a test of the canary's presence proves.

    Attributes
    ----------
    mu : float
        The mechanism is not mu-GDP for any smaller mu; >= 0.
    epsilon : float
        It is not (epsilon, delta)-DP for any smaller epsilon; >= 0. From the rates alone, without
        the assumption that the trade-off is Gaussian, and therefore looser.
    """

    mu: float
    epsilon: float


def lower_bounds(
    present: NDArray[np.float64], absent: NDArray[np.float64], delta: float
) -> LowerBounds:
    """Bound mu and epsilon from below, each with 95 % confidence.

    Parameters
    ----------
    present, absent : ndarray, shape (runs,)
        A statistic of independent runs with and without the canary, large where present.
    delta : float

    Raises
    ------
    InputError
        When there are fewer than ``FEWEST_RUNS`` on a side.
    """
    if min(len(present), len(absent)) < FEWEST_RUNS:
        raise InputError(
            f"{len(present)} runs with and {len(absent)} without the canary were given; at least "
            f"{FEWEST_RUNS} of each are needed"
        )
    if present[::2].mean() < absent[::2].mean():
        present, absent = -present, -absent  # a broken mechanism may push the wrong way
    choosing, measuring = ((np.sort(present[i::2]), np.sort(absent[i::2])) for i in (0, 1))
    steps = (np.arange(_CUTS) + 0.5) / _CUTS
    cuts = np.quantile(np.concatenate(choosing), steps)
    mus, epsilons = _bounds_at(cuts, *choosing, delta)
    # Far out, the best of many noisy bounds is mostly luck, which the other half does not repeat.
    mu_cut = np.argmax(np.where((steps > 0.2) & (steps < 0.8), mus, -np.inf))
    epsilon_cut = np.argmax(epsilons)
    mu, epsilon = _bounds_at(cuts[[mu_cut, epsilon_cut]], *measuring, delta)
    return LowerBounds(mu=max(0.0, float(mu[0])), epsilon=max(0.0, float(epsilon[1])))


def clopper_pearson(
    hits: NDArray[np.int64], trials: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact 95 % confidence limits of a rate (Clopper and Pearson 1934).

    Parameters
    ----------
    hits : ndarray of int64
        Successes, 0 to ``trials``.
    trials : int

    Returns
    -------
    low, high : ndarray
    """
    tail = (1 - _CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(hits == 0, 0.0, beta.ppf(tail, hits, trials - hits + 1))
        high = np.where(hits == trials, 1.0, beta.ppf(1 - tail, hits + 1, trials - hits))
    return low, high


def _bounds_at(
    cuts: NDArray[np.float64],
    present: NDArray[np.float64],
    absent: NDArray[np.float64],
    delta: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds on mu and epsilon for each cut; sides sorted, "present" is said above the cut."""
    hits = len(present) - np.searchsorted(present, cuts, side="right")
    alarms = len(absent) - np.searchsorted(absent, cuts, side="right")
    true_low, _ = clopper_pearson(hits, len(present))
    _, false_high = clopper_pearson(alarms, len(absent))
    with np.errstate(divide="ignore"):  # a rate of zero bounds nothing: minus infinity
        mu = ndtri(true_low) - ndtri(false_high)
        said_present = np.log(np.maximum(true_low - delta, 0.0)) - np.log(false_high)
        said_absent = np.log(np.maximum(1 - false_high - delta, 0.0)) - np.log(1 - true_low)
    return mu, np.maximum(said_present, said_absent)
