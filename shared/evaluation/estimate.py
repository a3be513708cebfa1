"""A figure with its 95 % interval, and the few ways an interval is made.

Every figure that a person reads comes as an ``Estimate``. Intervals of proportions come from counts
alone (a federation releases nothing more); functions of two independent proportions recover their
variance from the limits of both (MOVER: Zou and Donner 2008, Stat. Med. 27:1693); what has no
formula is bootstrapped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Z",
    "bca",
    "combine",
    "finite",
    "normal",
    "percentile",
    "student",
    "unknown",
    "wilson",
    "wilson_limits",
]

CONFIDENCE: Final = 0.95
"""Of every interval in every report."""

Z: Final = float(ndtri(0.5 + CONFIDENCE / 2))
"""Standard normal quantile of a two-sided 95 % interval, 1.96."""


def finite(value: float) -> float | None:
    """The value for JSON, which knows neither NaN nor infinity: those become None."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        NaN where the data do not allow it; a limit may be infinite.
    method : str
        How the interval was made, in a few words.
    """

    value: float
    low: float
    high: float
    method: str

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    def covers(self, truth: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= truth <= self.high

    def as_json(self) -> dict[str, float | str | None]:
        """Fields by name; what is not finite becomes None."""
        return {
            "value": finite(self.value),
            "low": finite(self.low),
            "high": finite(self.high),
            "method": self.method,
        }


def unknown(method: str = "not estimable") -> Estimate:
    """An estimate of which nothing is known."""
    return Estimate(math.nan, math.nan, math.nan, method)


def wilson_limits(
    successes: ArrayLike, n: ArrayLike, noise_sd: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits of Wilson's (1927) score interval, elementwise; NaN where ``n`` is not above 0.

    Parameters
    ----------
    successes, n : array_like
        Counts, broadcast together; need not be whole when noise was added.
    noise_sd : float
        Standard deviation of independent noise on the successes and on the failures. The interval
        is then the set of p with (p_hat - p)^2 <= z^2 [p (1 - p) / n + noise_sd^2 (p^2 +
        (1 - p)^2) / n^2]: binomial variance plus the noise's, both at p.

    Returns
    -------
    low, high : ndarray
        Within [0, 1].
    """
    count = np.asarray(successes, dtype=np.float64)
    size = np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(size > 0, np.clip(count / size, 0.0, 1.0), np.nan)
        noise = np.where(size > 0, (noise_sd / size) ** 2, np.nan)
        slope = np.where(size > 0, 1 / size, np.nan) - 2 * noise
    square = 1 + Z**2 * slope
    linear = 2 * share + Z**2 * slope
    root = np.sqrt(np.maximum(linear**2 - 4 * square * (share**2 - Z**2 * noise), 0.0))
    # Noise above n / 2 turns the parabola: then nothing is known.
    known = square > 0
    safe = np.where(known, square, 1.0)
    low = np.where(known, (linear - root) / (2 * safe), np.where(np.isnan(share), np.nan, 0.0))
    high = np.where(known, (linear + root) / (2 * safe), np.where(np.isnan(share), np.nan, 1.0))
    # Rounding must not put the limit of 0 of n or n of n beside 0 or 1.
    low = np.where(share <= 0, 0.0, low)
    high = np.where(share >= 1, 1.0, high)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def wilson(successes: float, n: float, noise_sd: float = 0.0) -> Estimate:
    """A proportion with Wilson's score interval; see ``wilson_limits``.

    Parameters
    ----------
    successes, n : float
        Counts; 0 <= successes <= n unless noise was added.
    noise_sd : float
        Standard deviation of the noise on successes and on failures.
    """
    if not n > 0:
        return unknown("Wilson")
    low, high = wilson_limits(successes, n, noise_sd)
    value = min(max(successes / n, 0.0), 1.0)
    return Estimate(
        value, float(low), float(high), "Wilson with the noise's variance" if noise_sd else "Wilson"
    )


def combine(parts: Sequence[tuple[float, Estimate]], method: str) -> Estimate:
    """Weighted sum of independent estimates, its variance recovered from their limits (MOVER).

    Parameters
    ----------
    parts : sequence of (weight, estimate)
        Weights may be negative: a difference is ((1, a), (-1, b)).
    method : str
        Name of the result's method.

    Notes
    -----
    low = sum - sqrt(sum of (weight * distance to the limit that lowers the sum)^2); high likewise
    (Newcombe 1998 for a difference of proportions; Zou and Donner 2008).
    """
    value = sum(weight * part.value for weight, part in parts)
    down = [w * (p.value - (p.low if w > 0 else p.high)) for w, p in parts]
    up = [w * ((p.high if w > 0 else p.low) - p.value) for w, p in parts]
    return Estimate(value, value - math.hypot(*down), value + math.hypot(*up), method)


def normal(value: float, error: float, method: str) -> Estimate:
    """Value plus and minus 1.96 standard errors."""
    return Estimate(value, value - Z * error, value + Z * error, method)


def student(value: float, error: float, freedom: float, method: str) -> Estimate:
    """Value plus and minus the t quantile times the standard error.

    Parameters
    ----------
    value, error : float
    freedom : float
        Degrees of freedom; the result is unknown below 1.
    method : str
    """
    from scipy.special import stdtrit

    if not freedom >= 1:
        return Estimate(value, math.nan, math.nan, method)
    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    return Estimate(value, value - reach, value + reach, method)


def percentile(value: float, draws: NDArray[np.float64], method: str = "bootstrap") -> Estimate:
    """Percentile interval of bootstrap draws; draws that are NaN are left out.

    Parameters
    ----------
    value : float
        The figure on the data themselves.
    draws : ndarray, shape (n_draws,)
        The figure on each resample.
    method : str
    """
    kept = draws[~np.isnan(draws)]
    if not len(kept):
        return Estimate(value, math.nan, math.nan, method)
    low, high = np.quantile(kept, (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2))
    return Estimate(value, float(low), float(high), method)


def bca(
    value: float,
    draws: NDArray[np.float64],
    jackknife: NDArray[np.float64],
    method: str = "bootstrap (BCa)",
) -> Estimate:
    """Bias-corrected and accelerated interval (Efron 1987, JASA 82:171).

    Parameters
    ----------
    value : float
        The figure on the data themselves.
    draws : ndarray, shape (n_draws,)
        The figure on each resample.
    jackknife : ndarray, shape (n,)
        The figure with each participant left out once.
    method : str
    """
    kept = draws[~np.isnan(draws)]
    if not len(kept):
        return Estimate(value, math.nan, math.nan, method)
    # Ties count half, else a discrete figure looks biased.
    below = (np.sum(kept < value) + np.sum(kept == value) / 2) / len(kept)
    edge = 0.5 / len(kept)
    bias = float(ndtri(min(max(below, edge), 1 - edge)))
    away = jackknife.mean() - jackknife
    spread = float((away**2).sum()) ** 1.5
    bend = float((away**3).sum()) / (6 * spread) if spread > 0 else 0.0
    at = [
        float(ndtr(bias + (bias + z) / (1 - bend * (bias + z)))) for z in (-Z, Z)
    ]  # levels of the draws
    low, high = np.quantile(kept, at)
    return Estimate(value, float(low), float(high), method)
