"""Where noise comes from: integers that follow a discrete Gaussian.

A clinic draws them exactly, in rational arithmetic over random bits from the operating system, so
that no rounding of a floating-point Gaussian weakens the proof (Canonne, Kamath & Steinke, "The
Discrete Gaussian for Differential Privacy", 2020, Algorithms 1 to 3). A clinic draws them with
:class:`shared.privacy.keyed_noise.KeyedNoise`, so that an answer can be made again; simulations
pass a seeded source instead, and nothing else in the product may.
"""

import hashlib
import math
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import PrivacyError

__all__ = [
    "NoiseSource",
    "OperatingSystemNoise",
    "SeededNoise",
    "UniformBits",
    "sample_discrete_gaussian",
]


class NoiseSource(Protocol):
    """Anything that gives integer Gaussian noise for one named release."""

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        """Draw one integer of variance ``variance`` for each coordinate of ``total``.

        Parameters
        ----------
        variance : int
            In squared grid units, >= 1.
        total : ndarray of int64, shape (k,)
            The exact sum the noise will hide. Only a source that has to repeat itself looks at it.
        release : str
            Names the release; never used for another sum.
        """
        ...


class OperatingSystemNoise:
    """Exact discrete Gaussian noise from the operating system's random bits, never repeated."""

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        """Draw exactly; the release is not needed, since no draw is ever repeated."""
        below = UniformBits(os.urandom).below
        draws = [sample_discrete_gaussian(variance, below) for _ in range(len(total))]
        return np.array(draws, dtype=np.int64)


class UniformBits:
    """Uniform integers from a stream of random bytes, read some kilobytes at a time.

    Parameters
    ----------
    read : callable
        ``read(n)`` returns the next n bytes of the stream.
    """

    _BLOCK: Final = 4096

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._bytes = b""
        self._next = 0

    def below(self, bound: int, /) -> int:
        """Uniform integer in 0 .. bound-1, by rejection."""
        bits = (bound - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            end = self._next + size
            if end > len(self._bytes):
                block = self._read(max(self._BLOCK, size))
                self._bytes, self._next, end = block, 0, size
            value = int.from_bytes(self._bytes[self._next : end]) >> (8 * size - bits)
            self._next = end
            if value < bound:
                return value


class SeededNoise:
    """Repeatable noise, for simulations only.

    The stream depends on (seed, owner, release) alone, so every engine draws the same numbers in
    whatever order it asks. Rounded normals are used: at the product's scale (standard deviation
    above 10^4 grid units) they differ from the discrete Gaussian by less than 10^-9 in probability,
    and they are drawn a thousand times faster.

    Parameters
    ----------
    seed : int
        Seed of the whole simulation.
    owner : str
        Whose noise it is; two clinics of one seed are independent.
    """

    def __init__(self, seed: int, owner: str) -> None:
        self.seed = seed
        self.owner = owner

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        """Draw rounded normals from the stream named by seed, owner and release."""
        draws = self.generator(release).normal(0.0, math.sqrt(variance), len(total))
        return np.rint(draws).astype(np.int64)

    def generator(self, release: str) -> np.random.Generator:
        """Return the generator of one named release."""
        name = f"{self.seed}|{self.owner}|{release}".encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(name).digest()[:16], "little"))


class _Below(Protocol):
    def __call__(self, bound: int, /) -> int: ...


def sample_discrete_gaussian(variance: int, below: _Below) -> int:
    """One exact draw with probability proportional to exp(-x^2 / (2 variance)).

    Parameters
    ----------
    variance : int
        Variance parameter, >= 1, in squared grid units.
    below : callable
        ``below(n)`` returns a uniform integer in 0 .. n-1.

    Raises
    ------
    PrivacyError
        When ``variance`` is below 1.
    """
    if variance < 1:
        raise PrivacyError(f"noise variance {variance} asked; it must be a whole number >= 1")
    scale = math.isqrt(variance) + 1
    while True:
        candidate = _discrete_laplace(scale, below)
        # |y| - variance/scale as one fraction, to keep the exponent rational.
        distance = abs(candidate) * scale - variance
        if _bernoulli_exp(Fraction(distance * distance, 2 * variance * scale * scale), below):
            return candidate


def _discrete_laplace(scale: int, below: _Below) -> int:
    while True:
        remainder = below(scale)
        if not _bernoulli_exp(Fraction(remainder, scale), below):
            continue
        whole = 0
        while _bernoulli_exp_unit(1, 1, below):
            whole += 1
        magnitude = remainder + scale * whole
        negative = below(2) == 1
        if negative and magnitude == 0:
            continue
        return -magnitude if negative else magnitude


def _bernoulli_exp(exponent: Fraction, below: _Below) -> bool:
    """Return true with probability exp(-exponent), for any exponent >= 0."""
    numerator, denominator = exponent.numerator, exponent.denominator
    while numerator > denominator:
        if not _bernoulli_exp_unit(1, 1, below):
            return False
        numerator -= denominator
    return _bernoulli_exp_unit(numerator, denominator, below)


def _bernoulli_exp_unit(numerator: int, denominator: int, below: _Below) -> bool:
    """Return true with probability exp(-numerator/denominator), for a ratio in [0, 1]."""
    trial = 1
    while below(denominator * trial) < numerator:
        trial += 1
    return trial % 2 == 1
