"""Round vectors onto an integer grid without letting any of them grow past norm one.

Sums of integers are exact, so the sensitivity of a release is proved in integers and not up to
floating-point error. Rounding moves each coordinate by at most half a step, hence the small shrink
beforehand; a row that is not finite or still too long becomes the zero row.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "on_grid"]

GRID: Final = 2**16
"""Grid steps that make one unit of norm."""


def on_grid(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Quantise rows of norm at most one to integers of norm at most ``GRID``.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        Rows of Euclidean norm <= 1; anything else is answered by a zero row.

    Returns
    -------
    ndarray, shape (n, k)
        ``rint(GRID * (1 - sqrt(k) / (2 GRID)) * row)``; every row satisfies sum(q^2) <= GRID^2 in
        exact integers.
    """
    shrink = GRID * (1 - np.sqrt(rows.shape[1]) / (2 * GRID))
    # A coordinate above one can only belong to a row that is refused, so it need not be exact.
    bounded = np.clip(np.nan_to_num(rows, nan=2.0, posinf=2.0, neginf=-2.0), -2.0, 2.0)
    integers: NDArray[np.int64] = np.rint(shrink * bounded).astype(np.int64)
    too_long = np.square(integers).sum(axis=1) > GRID**2
    integers[too_long] = 0
    return integers
