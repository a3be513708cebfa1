"""P-values for integers that should be uniform over 64 bits, or discrete Gaussian.

Tests compare them with ``FALSE_ALARM``, so small that fresh random keys in every run do no harm.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

FALSE_ALARM = 1e-7


def uniform_bits(values: NDArray[np.uint64]) -> float:
    """P-value of 64-bit integers under uniformity: chi-square of each of the eight bytes."""
    octets = np.asarray(values).astype("<u8").view(np.uint8).reshape(-1, 8)
    assert len(octets) >= 256 * 8, "too few integers for a chi-square over 256 values"
    worst = min(chisquare(np.bincount(place, minlength=256)).pvalue for place in octets.T)
    return float(min(1.0, 8 * worst))


def unrelated(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> bool:
    """Whether neither difference nor sum of two vectors tells them from independent uniform ones.

    A vector that repeats the other, or cancels it, or shares a mask with it, fails.
    """
    return min(uniform_bits(first - second), uniform_bits(first + second)) > FALSE_ALARM


def discrete_gaussian(draws: NDArray[np.int64], variance: int) -> float:
    """P-value of draws under exp(-x^2 / (2 variance)), rare values pooled."""
    reach = int(12 * np.sqrt(variance)) + 2
    values = np.arange(-reach, reach + 1)
    weights = np.exp(-(values**2) / (2 * variance))
    expected = len(draws) * weights / weights.sum()
    common = np.abs(values) <= np.abs(values[expected >= 8]).max()
    counts = np.array([np.sum(draws == value) for value in values])
    observed = np.append(counts[common], len(draws) - counts[common].sum())
    wanted = np.append(expected[common], len(draws) - expected[common].sum())
    return float(chisquare(observed, wanted).pvalue)


def same_law(first: NDArray[np.int64], second: NDArray[np.int64], reach: int) -> float:
    """P-value of two samples of integers having one distribution; beyond ``reach`` pooled."""
    edges = np.arange(-reach - 0.5, reach + 1)
    table = np.array(
        [np.bincount(np.digitize(s, edges), minlength=2 * reach + 3) for s in (first, second)]
    )
    return float(chi2_contingency(table[:, table.sum(axis=0) >= 16]).pvalue)
