"""How long a clinic takes to seal one contribution, and the server to open the sum of all."""

import statistics
import time
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.privacy.grid import GRID
from shared.privacy.keyed_noise import KeyedNoise, new_noise_secret
from shared.privacy.masks import MaskKey, pair_masks
from shared.privacy.secure_sum import Contribution, open_sum, seal, share_variance

__all__ = ["SecureSumTiming", "time_secure_sum"]

_STUDY: Final = "5f" * 32
_INPUT: Final = "a0" * 32
_SIGMA: Final = 2.6
"""About what a study of 88 participants at epsilon 4 plans for each of its rounds."""

_COLLUSION_MARGIN: Final = 1


class SecureSumTiming(NamedTuple):
    """Median times for one roster.

    Attributes
    ----------
    clinics, length : int
        Roster size and coordinates of a contribution.
    noise_ms, masks_ms : float
        Parts of a contribution: exact noise, and the masks with all other clinics.
    contribution_ms : float
        One clinic's whole contribution once the secrets with the others are known.
    first_contribution_ms : float
        The same in the first round of a process, which agrees on those secrets.
    server_sum_s : float
        Checking and adding the contributions of the whole roster.
    """

    clinics: int
    length: int
    noise_ms: float
    masks_ms: float
    contribution_ms: float
    first_contribution_ms: float
    server_sum_s: float


def time_secure_sum(clinics: int, length: int, *, repeats: int = 15) -> SecureSumTiming:
    """Time a clinic and the server of one roster.

    The server adds random integers: it cannot tell them from masked ones.

    Parameters
    ----------
    clinics : int
        Roster size, >= 2.
    length : int
        Coordinates of a contribution.
    repeats : int
        How often each part is timed; the median counts.
    """
    others = [MaskKey.generate().public for _ in range(clinics - 1)]
    total = np.arange(length, dtype=np.int64)
    variance = share_variance(_SIGMA, GRID, clinics, _COLLUSION_MARGIN)
    first, noise, masks = [], [], []
    for repeat in range(repeats):
        own, source = MaskKey.generate(), KeyedNoise(new_noise_secret())
        roster = [own.public, *others]
        first.append(_seal_once(own, source, roster, total, variance, 2 * repeat))
        noise_s, masks_s = _seal_once(own, source, roster, total, variance, 2 * repeat + 1)
        noise.append(noise_s)
        masks.append(masks_s)
    return SecureSumTiming(
        clinics=clinics,
        length=length,
        noise_ms=1000 * statistics.median(noise),
        masks_ms=1000 * statistics.median(masks),
        contribution_ms=1000 * statistics.median(map(sum, zip(noise, masks, strict=True))),
        first_contribution_ms=1000 * statistics.median(map(sum, first)),
        server_sum_s=_time_server(clinics, length, repeats),
    )


def _seal_once(
    own: MaskKey,
    source: KeyedNoise,
    roster: list[str],
    total: NDArray[np.int64],
    variance: int,
    round_number: int,
) -> tuple[float, float]:
    """Seconds for the noise, and for masks and sealing."""
    started = time.perf_counter()
    noised = total + source.integers(variance, total, f"{_STUDY}|{round_number}|{_INPUT}")
    drawn = time.perf_counter()
    mask = pair_masks(
        own,
        roster,
        study=_STUDY,
        round_number=round_number,
        input_digest=_INPUT,
        length=len(total),
    )
    seal(noised, mask)
    return drawn - started, time.perf_counter() - drawn


def _time_server(clinics: int, length: int, repeats: int) -> float:
    rng = np.random.default_rng(0)
    roster = [f"clinic-{number}" for number in range(clinics)]
    contributions = [
        Contribution(
            clinic=clinic,
            study=_STUDY,
            round=1,
            input_digest=_INPUT,
            values=rng.integers(0, 2**64, length, dtype=np.uint64),
        )
        for clinic in roster
    ]
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        open_sum(
            contributions,
            roster=roster,
            study=_STUDY,
            round_number=1,
            input_digest=_INPUT,
            length=length,
        )
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
