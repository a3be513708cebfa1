"""AdaSSP: private linear regression from noised second moments (Wang 2018, Algorithm 2).

One noised sum of x x' and one of y x are opened, both by the secure sum; ridge regression on them
needs no further look at the data. The penalty adapts to the data: it makes up for as much of the
noise in x x' as the smallest eigenvalue does not already carry. A sum over clinics cannot contain
an eigenvalue, so that is read from the noised matrix, lowered by the noise's own bound, instead of
released on its own; this spares the third share of the budget that the paper gives it.

Reference: Y.-X. Wang, "Revisiting differentially private linear regression: optimal and adaptive
prediction & estimation in unbounded domain", UAI 2018.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.compare.stacked import Numbers, Rows

__all__ = ["adassp_weights", "noise_bound", "symmetric_noise"]

_FAILURE: Final = 0.05  # the paper's rho: probability that the bound on the noise does not hold


def adassp_weights(
    rows: Rows, train: NDArray[np.bool_], sigma: float, matrix_noise: Numbers, vector_noise: Numbers
) -> Numbers:
    """Ridge weights from noised sums.

    Parameters
    ----------
    rows : Rows
        Rows of norm at most one and labels of +-1, so that each sum has sensitivity 1.
    train : ndarray of bool, shape (folds, n)
    sigma : float
        Standard deviation of the noise in each sum.
    matrix_noise : ndarray, shape (draws, folds, k, k)
        From :func:`symmetric_noise`.
    vector_noise : ndarray, shape (draws, folds, k)

    Returns
    -------
    ndarray, shape (draws, folds, k)
    """
    dimension = rows.phi.shape[1]
    moments = np.stack([rows.phi[own].T @ rows.phi[own] for own in train]) + matrix_noise
    correlations = (train * rows.signs) @ rows.phi + vector_noise
    bound = noise_bound(sigma, dimension)
    smallest = np.maximum(np.linalg.eigvalsh(moments)[..., 0] - bound, 0.0)
    penalty = np.maximum(bound - smallest, 0.0)
    ridge = moments + penalty[..., None, None] * np.eye(dimension)
    weights: Numbers = np.linalg.solve(ridge, correlations[..., None])[..., 0]
    return weights


def noise_bound(sigma: float, dimension: int) -> float:
    """Bound on the noise matrix's largest eigenvalue: sigma sqrt(k log(2 k^2 / rho))."""
    return float(sigma * np.sqrt(dimension * np.log(2 * dimension**2 / _FAILURE)))


def symmetric_noise(
    rng: np.random.Generator, sigma: float, shape: tuple[int, ...], dimension: int
) -> Numbers:
    """Gaussian noise of a symmetric matrix that is released as one vector of length k(k+1)/2.

    Entries off the diagonal stand in the vector once, times sqrt(2): then the vector of x x' is as
    long as the square of x's length, and noise of deviation ``sigma`` on the vector is one of
    sigma / sqrt(2) off the diagonal.

    Returns
    -------
    ndarray, shape (*shape, k, k)
    """
    full = rng.standard_normal((*shape, dimension, dimension)) * (sigma / np.sqrt(2))
    lower = np.tril(full, -1)
    noise: Numbers = lower + np.swapaxes(lower, -1, -2)
    index = np.arange(dimension)
    noise[..., index, index] = np.sqrt(2) * full[..., index, index]
    return noise
