"""Many discrete Gaussian integers at once, for audits with hundreds of thousands of runs.

The clinics' sampler works in rational arithmetic, one integer at a time, some fifty microseconds
each. This one draws whole arrays: a rounded normal, slightly too wide, is accepted with the
probability that turns its distribution into the discrete Gaussian. Write a continuous proposal as
x = y + u with y = rint(x); the wanted density of (y, u) is proportional to exp(-y^2 / (2 s^2)), the
proposed one to exp(-x^2 / (2 w)). With w = s^2 + s their ratio is largest at |y| = s/2, where it
is exp(1 / (8 s)) times its value at zero, so almost nothing is rejected at the product's scale and
a third at s = 1. Only floating-point rounding separates it from the exact distribution; tests hold
it against the exact sampler.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["discrete_gaussians"]


def discrete_gaussians(
    variance: int, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Independent integers with probability proportional to exp(-y^2 / (2 variance)).

    Parameters
    ----------
    variance : int
        Variance parameter, >= 1, at most 2^90 (beyond, doubles miss integers that matter).
    shape : tuple of int
        Shape of the result.
    rng : numpy.random.Generator
        Source of randomness; not for protecting anybody.

    Returns
    -------
    ndarray of int64
    """
    drawn = np.empty(math.prod(shape), dtype=np.int64)
    missing = np.arange(drawn.size)
    while missing.size:
        drawn[missing], accepted = _proposals(variance, missing.size, rng)
        missing = missing[~accepted]
    return drawn.reshape(shape)


def _proposals(
    variance: int, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    sd = math.sqrt(variance)
    wide = variance + sd
    real = rng.standard_normal(size)
    real *= math.sqrt(wide)
    whole = np.rint(real)
    # x^2/(2w) - y^2/(2s^2) - 1/(8s), written so that nothing large cancels.
    log_ratio = (real - whole) * (real + whole) / (2 * wide)
    log_ratio -= np.square(whole) * (1 / (2 * wide * sd))
    log_ratio -= 1 / (8 * sd)
    return whole.astype(np.int64), rng.random(size) < np.exp(log_ratio)
