"""Add the clinics' integer vectors so that only the sum can be read.

A clinic's noised int64 vector is sealed with its masks (:mod:`shared.privacy.masks`) modulo 2^64;
the server adds the messages with wrap-around, the masks cancel, and the total is read as signed.
That total is exact because it is small by construction: :func:`check_no_overflow`. A sum is opened
for the full roster of one study, round and input, or not at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError, PrivacyError

__all__ = [
    "Contribution",
    "add_modulo",
    "check_no_overflow",
    "largest_sum",
    "open_sum",
    "plausible",
    "seal",
    "share_variance",
]

_LARGEST_INT64: Final = 2**63 - 1
_NEVER_SEEN: Final = 40
"""Standard deviations of noise that are passed with probability below 10^-340."""

_RARELY_SEEN: Final = 6
"""Standard deviations of noise that one coordinate passes once in 5 * 10^8 sums."""

_NAMES_SHOWN: Final = 5


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


def seal(values: NDArray[np.int64], mask: NDArray[np.uint64] | None) -> NDArray[np.uint64]:
    """Add the masks to one clinic's noised integers, modulo 2^64.

    Parameters
    ----------
    values : ndarray of int64, any shape
        The exact sum of the clinic's participants plus its share of the noise.
    mask : ndarray of uint64, same shape, or None
        From :func:`shared.privacy.masks.pair_masks`; None where the study asks for no secure sum.

    Raises
    ------
    PrivacyError
        When the values are not int64, or the mask does not cover each of them by an own integer.
    """
    if values.dtype != np.int64:
        raise PrivacyError(
            f"values of type {values.dtype} were to be sealed; only int64 is exact. This is a "
            "fault of the program: report it"
        )
    sealed: NDArray[np.uint64] = values.astype(np.uint64)
    if mask is None:
        return sealed
    if mask.dtype != np.uint64 or mask.shape != values.shape:
        raise PrivacyError(
            f"a mask of type {mask.dtype} and shape {mask.shape} was to cover values of shape "
            f"{values.shape}; nothing was sealed. This is a fault of the program: report it"
        )
    return sealed + mask


def add_modulo(contributions: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Sum over clinics modulo 2^64, read as signed.

    Parameters
    ----------
    contributions : ndarray of uint64, shape (clinics, ..., length)
        Sealed vectors; axes between the first and the last are batches of separate sums.

    Returns
    -------
    ndarray of int64, shape (..., length)
    """
    total: NDArray[np.uint64] = np.add.reduce(contributions, axis=0, dtype=np.uint64)
    return total.view(np.int64)


@dataclass(frozen=True, eq=False)
class Contribution:
    """One clinic's sealed vector and what it was made for.

    Attributes
    ----------
    clinic : str
        Name in the roster.
    study : str
        Hash of the study.
    round : int
        Round of the study.
    input_digest : str
        Hash of the round's input as the clinic received it.
    values : ndarray of uint64, shape (length,)
        What :func:`seal` gave.
    """

    clinic: str
    study: str
    round: int
    input_digest: str
    values: NDArray[np.uint64]


def open_sum(
    contributions: Sequence[Contribution],
    *,
    roster: Sequence[str],
    study: str,
    round_number: int,
    input_digest: str,
    length: int,
) -> NDArray[np.int64]:
    """Sum of the whole roster's contributions to one round.

    Parameters
    ----------
    contributions : sequence of Contribution
        One per clinic, in any order.
    roster : sequence of str
        Names of all clinics of the study; nothing is opened for fewer.
    study, round_number, input_digest : str, int, str
        What every contribution must have been made for.
    length : int
        Expected coordinates.

    Returns
    -------
    ndarray of int64, shape (length,)

    Raises
    ------
    FederationError
        When a clinic is missing, answered twice or is not in the roster, or when its contribution
        is for another study, round or input, or has another type or length. The message names it.
    """
    known = set(roster)
    if not known or len(known) != len(roster):
        raise FederationError(
            f"a sum over a roster of {len(roster)} clinics, {len(known)} of them different, "
            "was asked; check the study's roster"
        )
    here: dict[str, NDArray[np.uint64]] = {}
    for given in contributions:
        if given.clinic not in known:
            raise FederationError(
                f"{given.clinic!r} answered but is not in the study's roster of {len(roster)} "
                "clinics; check which node answers under that name"
            )
        if given.clinic in here:
            raise FederationError(
                f"{given.clinic!r} answered round {round_number} twice; each clinic counts once. "
                "Check whether two nodes run under that name"
            )
        if given.study != study:
            raise FederationError(
                f"{given.clinic!r} answered for study {given.study[:12]}, study {study[:12]} is "
                "running; ask that clinic which study it approved"
            )
        if given.round != round_number:
            raise FederationError(
                f"{given.clinic!r} answered round {given.round}, round {round_number} is open; ask "
                "it for that round again"
            )
        if given.input_digest != input_digest:
            raise FederationError(
                f"{given.clinic!r} answered input {given.input_digest[:12]} of round "
                f"{round_number}, {input_digest[:12]} was sent; masks for different inputs do not "
                "cancel. Only the input that clinic answered first can complete the round"
            )
        if given.values.dtype != np.uint64 or given.values.shape != (length,):
            raise FederationError(
                f"{given.clinic!r} sent type {given.values.dtype} and shape {given.values.shape}; "
                f"uint64 of shape ({length},) is expected. Is that clinic on another version?"
            )
        here[given.clinic] = given.values
    missing = [clinic for clinic in roster if clinic not in here]
    if missing:
        names = ", ".join(repr(clinic) for clinic in missing[:_NAMES_SHOWN])
        more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
        raise FederationError(
            f"{len(here)} of {len(roster)} contributions to round {round_number} are here, missing "
            f"{names}{more}; a sum is opened for the full roster only. Wait for the missing "
            "clinics, or end the study"
        )
    return add_modulo(np.stack(list(here.values())))


def largest_sum(participants: int, sigma: float, grid: int) -> int:
    """Largest magnitude an opened sum can take, in grid units.

    Every participant adds at most one unit of sensitivity to a coordinate, and forty standard
    deviations bound the noise.

    Parameters
    ----------
    participants : int
        Declared enrolment over all clinics.
    sigma : float
        Noise multiplier of everything in the sum, in units of its sensitivity; finite. Where K
        clinics add shares that reach the planned noise without t of them, it is the planned one
        times sqrt(K / (K - t)).
    grid : int
        Grid steps that make one unit of sensitivity.
    """
    return _reach(participants, sigma, grid, _NEVER_SEEN)


def check_no_overflow(participants: int, sigma: float, grid: int) -> None:
    """Refuse a plan whose sums could wrap around; parameters as in :func:`largest_sum`.

    Raises
    ------
    PrivacyError
        When :func:`largest_sum` does not fit into a signed integer of 64 bits.
    """
    if not math.isfinite(sigma) or largest_sum(participants, sigma, grid) > _LARGEST_INT64:
        raise PrivacyError(
            f"a sum over {participants} participants with noise multiplier {sigma:g} on a grid of "
            f"{grid} steps was asked; it could pass the largest integer of 64 bits and be read "
            "wrongly. Declare fewer participants, or choose a larger epsilon"
        )


def plausible(opened: NDArray[np.int64], participants: int, sigma: float, grid: int) -> bool:
    """Whether an opened sum is as small as sums of honest clinics are.

    A sum whose masks did not cancel is uniform over 2^64 numbers and practically never passes.

    Parameters
    ----------
    opened : ndarray of int64
        What :func:`open_sum` gave.
    participants, sigma, grid
        As in :func:`largest_sum`; the bound takes six standard deviations of noise.
    """
    bound = _reach(participants, sigma, grid, _RARELY_SEEN)
    return bool(np.all((opened >= -bound) & (opened <= bound)))


def _reach(participants: int, sigma: float, grid: int, deviations: int) -> int:
    return math.ceil(grid * (participants + deviations * Fraction(sigma)))
