"""Add the clinics' integer vectors so that only the sum can be read.

Contributions are integers modulo 2^64: a clinic's int64 vector is sent as uint64, the server adds
them with wrap-around and reads the total as signed. With full masks every single message is uniform
and the wrap-around cancels; the pairwise masks enter in :func:`contribution`, which is the one
place a clinic's numbers are sealed before they leave. A sum is opened for the full roster or not at
all.

Masks are not added yet: the totals and the noise in them are as they will be, but the server must
be trusted not to look at single contributions.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError

__all__ = ["contribution", "open_sum", "share_variance"]


def share_variance(sigma: float, grid: int, clinics: int, collusion_margin: int) -> int:
    """Noise variance each clinic adds, in squared grid units.

    The shares of ``clinics - collusion_margin`` honest clinics alone reach the planned noise:
    ceil((grid * sigma)^2 / (clinics - collusion_margin)).

    Parameters
    ----------
    sigma : float
        Noise multiplier of the opened sum, in units of its sensitivity.
    grid : int
        Grid steps that make one unit of sensitivity.
    clinics, collusion_margin : int
        Roster size, and how many of them may side with the server.
    """
    return math.ceil((grid * Fraction(sigma)) ** 2 / (clinics - collusion_margin))


def contribution(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Seal one clinic's noised integers for the journey: the same bits, read modulo 2^64."""
    return values.view(np.uint64)


def open_sum(
    contributions: Sequence[NDArray[np.uint64]], *, clinics: int, length: int
) -> NDArray[np.int64]:
    """Sum of the whole roster's contributions.

    Parameters
    ----------
    contributions : sequence of ndarray, shape (length,)
        One per clinic.
    clinics : int
        Roster size; nothing is opened for fewer.
    length : int
        Expected coordinates.

    Raises
    ------
    FederationError
        When a clinic is missing, or a contribution has another type or length.
    """
    if len(contributions) != clinics:
        raise FederationError(
            f"{len(contributions)} of {clinics} contributions are here; a sum is opened for the "
            "full roster only. Wait for the missing clinics, or end the study"
        )
    for index, values in enumerate(contributions):
        if values.dtype != np.uint64 or values.shape != (length,):
            raise FederationError(
                f"contribution {index} has type {values.dtype} and shape {values.shape}; "
                f"uint64 of shape ({length},) is expected. Is that clinic on another version?"
            )
    total: NDArray[np.uint64] = np.add.reduce(np.stack(contributions))
    return total.view(np.int64)
