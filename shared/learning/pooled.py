"""Pooled logistic regression: what one would fit if all rows lay in one place.

The reference that federated training without privacy has to equal. Features are standardised with
the training rows' mean and standard deviation; then

    minimise over (w, b):   |w|^2 / (2 C) + sum_i log(1 + exp(-s_i (w . z_i + b))),   s_i = +-1

(L2-penalised logistic regression in scikit-learn's parametrisation, intercept not penalised). The
objective is strictly convex in w, so its minimum is one point, whoever computes it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.errors import InputError
from shared.learning.newton import CONVERGED, moments, newton_step, newton_sums, standardisation

__all__ = [
    "REGULARISATION_C",
    "THRESHOLD",
    "THRESHOLD_RULE",
    "PooledLogistic",
    "fit_pooled_logistic",
    "train_pooled",
]

REGULARISATION_C: Final = 1.0
"""Inverse strength of the L2 penalty: scikit-learn's default, never tuned on a cohort."""

THRESHOLD: Final = 0.5
THRESHOLD_RULE: Final = "ASD where the predicted probability exceeds 0.5"

_MOST_STEPS: Final = 50


@dataclass(frozen=True, eq=False)
class PooledLogistic:
    """A fitted pooled model with its own standardisation.

    Attributes
    ----------
    mean, scale : ndarray, shape (d,)
        Of the training rows; missing values left out, scale 1 for a constant feature.
    coefficients : ndarray, shape (d,)
        On standardised features.
    intercept : float
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    def probability(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of ASD of each row, shape (n,); a missing value counts as the mean."""
        standard = np.nan_to_num((features - self.mean) / self.scale, nan=0.0)
        likely: NDArray[np.float64] = expit(standard @ self.coefficients + self.intercept)
        return likely


def train_pooled(
    features: NDArray[np.float64], asd: NDArray[np.bool_], c: float = REGULARISATION_C
) -> PooledLogistic:
    """Standardise the training rows by themselves and fit.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        NaN where a value is missing.
    asd : ndarray of bool, shape (n,)
    c : float
        Inverse strength of the L2 penalty.

    Raises
    ------
    InputError
        As ``fit_pooled_logistic``.
    """
    first = moments(features, asd, np.zeros(features.shape[1]))
    rough = first.total / np.maximum(first.count, 1.0)
    mean, scale = standardisation(rough, moments(features, asd, rough))
    standard = np.nan_to_num((features - mean) / scale, nan=0.0)
    coefficients, intercept = fit_pooled_logistic(standard, asd, c)
    return PooledLogistic(mean, scale, coefficients, intercept)


def fit_pooled_logistic(
    standard: NDArray[np.float64], asd: NDArray[np.bool_], c: float = REGULARISATION_C
) -> tuple[NDArray[np.float64], float]:
    """Minimise the penalised logistic loss on standardised rows, by Newton's method.

    Parameters
    ----------
    standard : ndarray, shape (n, d)
        Standardised features without missing values.
    asd : ndarray of bool, shape (n,)
    c : float
        Inverse strength of the L2 penalty, > 0.

    Returns
    -------
    coefficients : ndarray, shape (d,)
    intercept : float

    Raises
    ------
    InputError
        Only one class is there, or ``c`` is not positive.

    Notes
    -----
    With more features than rows the solution lies in the span of the rows, so the rows are first
    rotated into it; the penalty does not see a rotation.
    """
    if not c > 0:
        raise InputError(f"Regularisation C = {c} asked; it must be above 0.")
    if asd.all() or not asd.any():
        raise InputError(
            f"All {len(asd)} training rows have the same diagnosis; a classifier needs both."
        )
    n, d = standard.shape
    rotation = None
    rows = standard
    if d > n:
        left, singular, rotation = np.linalg.svd(standard, full_matrices=False)
        rows = left * singular
    weights = np.zeros(rows.shape[1] + 1)
    sums = newton_sums(rows, asd, weights)
    loss = sums.loss
    for _ in range(_MOST_STEPS):
        step = newton_step(sums, weights, c)
        size = 1.0
        while True:
            moved = weights + size * step
            sums = newton_sums(rows, asd, moved)
            moved_loss = sums.loss + float(moved[:-1] @ moved[:-1]) / (2 * c)
            # Halve a step that overshoots; near the optimum the loss no longer tells.
            if moved_loss <= loss + 1e-9 * abs(loss) or size < 1e-3:
                break
            size /= 2
        weights, loss = moved, moved_loss
        if float(np.abs(size * step).max()) <= CONVERGED:
            break
    inside, intercept = weights[:-1], float(weights[-1])
    return (inside if rotation is None else inside @ rotation), intercept
