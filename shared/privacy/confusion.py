"""Noised counts of right and wrong calls of the released model.

Given the released direction and threshold, a participant falls into exactly one of four cells, so
adding or removing one moves the four counts together by one.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.grid import GRID

__all__ = ["CELLS", "confusion_contribution", "counts_from_sum"]

CELLS: Final = ("asd_called_asd", "asd_called_other", "other_called_asd", "other_called_other")


def confusion_contribution(
    called_asd: NDArray[np.bool_],
    asd: NDArray[np.bool_],
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised counts.

    Parameters
    ----------
    called_asd, asd : ndarray of bool, shape (n,)
        The released model's call and the label; each call depends on its own participant only.
    variance : int
        This clinic's noise share, squared grid units; 0 adds nothing.
    noise : NoiseSource
        Where the noise comes from.
    release : str
        Name of this release.

    Returns
    -------
    ndarray of int64, shape (4,)
        In the order of ``CELLS``, ``GRID`` for each participant.
    """
    cells = [asd & called_asd, asd & ~called_asd, ~asd & called_asd, ~asd & ~called_asd]
    total = GRID * np.array([cell.sum() for cell in cells], dtype=np.int64)
    return total + noise.integers(variance, total, release) if variance else total


def counts_from_sum(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts of an opened sum, shape (4,); the noise may make them fractional or negative."""
    return total / GRID
