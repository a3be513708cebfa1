"""Logistic regression by Newton's method, split into the sums that clinics can add up.

The penalised likelihood of pooled rows is a sum over participants, so its gradient and Hessian are
sums over clinics: a federation that adds them takes the very steps a pooled fit takes. The optimum
of the strictly convex objective is unique, hence equal to any other solver's.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

__all__ = [
    "CONVERGED",
    "Moments",
    "NewtonSums",
    "moments",
    "newton_step",
    "newton_sums",
    "standardisation",
]

CONVERGED: Final = 1e-9
"""Largest coefficient change (on standardised features) that ends the iteration."""


@dataclass(frozen=True)
class Moments:
    """Sums over the rows of a clinic, or of all clinics when added.

    Attributes
    ----------
    count, total, square : ndarray, shape (d,)
        Present values of each feature, their sum and squared sum, both about ``centre``.
    labels : ndarray, shape (2,)
        Participants, and those labelled ASD.
    """

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]
    labels: NDArray[np.float64]


def moments(
    features: NDArray[np.float64], asd: NDArray[np.bool_], centre: NDArray[np.float64]
) -> Moments:
    """First two moments of each feature about ``centre``, missing values left out.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    asd : ndarray of bool, shape (n,)
    centre : ndarray, shape (d,)
        Zero in a first pass, the mean in a second: one pass alone loses digits.
    """
    present = ~np.isnan(features)
    deviation = np.where(present, features - centre, 0.0)
    return Moments(
        count=present.sum(axis=0).astype(np.float64),
        total=deviation.sum(axis=0),
        square=np.square(deviation).sum(axis=0),
        labels=np.array([len(asd), asd.sum()], dtype=np.float64),
    )


def standardisation(
    mean: NDArray[np.float64], second: Moments
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and scale of each feature from moments about (nearly) the mean.

    Returns
    -------
    mean, scale : ndarray, shape (d,)
        A constant feature, or one without any value, gets scale 1, so it drops out at 0. The
        scale is the population standard deviation.
    """
    count = np.maximum(second.count, 1.0)
    shift = second.total / count
    variance = second.square / count - np.square(shift)
    constant = variance <= np.square(1e-10 * np.maximum(np.abs(mean), 1e-300))
    return mean + shift, np.where(constant, 1.0, np.sqrt(np.maximum(variance, 0.0)))


@dataclass(frozen=True)
class NewtonSums:
    """Loss, gradient and Hessian of the unpenalised logistic loss, summed over rows.

    Attributes
    ----------
    loss : float
    gradient : ndarray, shape (d + 1,)
        The intercept is the last coordinate.
    hessian : ndarray, shape (d + 1, d + 1)
    """

    loss: float
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]


def newton_sums(
    standard: NDArray[np.float64], asd: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NewtonSums:
    """Sums over one clinic's rows at the given weights.

    Parameters
    ----------
    standard : ndarray, shape (n, d)
        Standardised features without missing values.
    asd : ndarray of bool, shape (n,)
    weights : ndarray, shape (d + 1,)
        Coefficients, intercept last.
    """
    rows = np.hstack([standard, np.ones((len(standard), 1))])
    margin = rows @ weights
    probability = expit(margin)
    loss = float(np.logaddexp(0.0, np.where(asd, -margin, margin)).sum())
    curvature = probability * (1 - probability)
    return NewtonSums(
        loss=loss,
        gradient=rows.T @ (probability - asd),
        hessian=rows.T @ (rows * curvature[:, None]),
    )


def newton_step(sums: NewtonSums, weights: NDArray[np.float64], c: float) -> NDArray[np.float64]:
    """Return the change of weights that Newton's method asks for, penalty included.

    Parameters
    ----------
    sums : NewtonSums
        Over all clinics, at ``weights``.
    weights : ndarray, shape (d + 1,)
    c : float
        Inverse strength of the L2 penalty |coefficients|^2 / (2 c); the intercept is free.
    """
    penalty = np.full(len(weights), 1 / c)
    penalty[-1] = 0.0
    hessian = sums.hessian + np.diag(penalty)
    # With rows of one class only the intercept's curvature underflows; keep the system solvable.
    hessian[-1, -1] += 1e-12
    factor = cho_factor(hessian, check_finite=False)
    step: NDArray[np.float64] = -cho_solve(factor, sums.gradient + penalty * weights)
    return step
