"""Two grids that make the arithmetic of a release exact.

Rows lie on multiples of 2^-16 with norm at most one: sums of them are exact integers, so the
sensitivity of a release is proved in integers and not up to floating-point error. Rounding moves
each coordinate by at most half a step, hence the small shrink beforehand; a row that is not finite
or still too long becomes the zero row.

Released weights lie on multiples of 2^-20 with norm at most 2^16. A dot product of the two is a
multiple of 2^-36 whose partial sums stay below 2^16: it fits the 53 bits of a double, so it is
exact in whatever order a library adds it up. One participant's contribution is therefore the same,
bit for bit, whoever else is in the batch.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError

__all__ = [
    "GRID",
    "LONGEST_WEIGHTS",
    "WEIGHT_GRID",
    "is_on_weight_grid",
    "on_grid",
    "on_weight_grid",
]

GRID: Final = 2**16
"""Grid steps that make one unit of norm."""

WEIGHT_GRID: Final = 2**20
"""Grid steps of released weights."""

LONGEST_WEIGHTS: Final = 2.0**16
"""Largest norm of weights for which dot products with rows are exact."""


def on_grid(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Quantise rows of norm at most one to integers of norm at most ``GRID``.

    Parameters
    ----------
    rows : ndarray, shape (..., k)
        Rows of Euclidean norm <= 1; anything else is answered by a zero row.

    Returns
    -------
    ndarray of int64, shape (..., k)
        ``rint(GRID * (1 - sqrt(k) / (2 GRID)) * row)``; every row satisfies sum(q^2) <= GRID^2 in
        exact integers.
    """
    shrink = GRID * (1 - np.sqrt(rows.shape[-1]) / (2 * GRID))
    # A coordinate above one can only belong to a row that is refused, so it need not be exact.
    bounded = np.clip(np.nan_to_num(rows, nan=2.0, posinf=2.0, neginf=-2.0), -2.0, 2.0)
    integers: NDArray[np.int64] = np.rint(shrink * bounded).astype(np.int64)
    too_long = np.square(integers).sum(axis=-1) > GRID**2
    integers[too_long] = 0
    return integers


def on_weight_grid(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round weights, shape (k,), to the grid they are released on.

    Raises
    ------
    FederationError
        When they are not finite or longer than ``LONGEST_WEIGHTS``: training has diverged.
    """
    rounded: NDArray[np.float64] = np.rint(weights * WEIGHT_GRID) / WEIGHT_GRID
    if not is_on_weight_grid(rounded):
        raise FederationError(
            f"the weights grew to a length of {np.linalg.norm(weights):.3g}, more than "
            f"{LONGEST_WEIGHTS:g}; such a training has diverged. Check the study's public constants"
        )
    return rounded


def is_on_weight_grid(weights: NDArray[np.float64]) -> bool:
    """Whether weights are finite, on the grid, and short enough for exact dot products."""
    if not np.isfinite(weights).all() or float(np.linalg.norm(weights)) > LONGEST_WEIGHTS:
        return False
    steps = weights * WEIGHT_GRID
    return bool(np.array_equal(np.rint(steps), steps))
