"""One participant's series, prepared once for all statistics: gaps, clocks, own neutral face.

The definitions that every statistic shares stand here.

* **Frames** are the 24 Hz values of the frames in which a face was found.
* **Neutral face**: per channel the median over the frames in the top quarter of this
  participant's own neutral-expression probability. Level statistics are differences from it:
  person-specific calibration, as Baltrusaitis, Mahmoud and Robinson (FG 2015) do for action
  units. It removes what a camera, its light or a face at rest adds to a channel. The other
  classes need no such step: they do not change when a constant is added to a channel.
* **Quarters** are means over 0.25 s (4 Hz), on which dynamics and episodes are read: facial
  movement lies below 2 Hz, the jitter of a per-frame detector above. A quarter with fewer than
  half of its frames is missing; an incomplete last quarter is dropped.
* **Gaps**: up to two missing quarters (0.5 s) between two observed ones are interpolated
  linearly. A longer gap splits the series: no difference, product, episode or template spans it.
* **Seconds** are means of four quarters (1 Hz), missing when fewer than two were observed.
"""

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONSTANT_SD", "QUARTERS_PER_SECOND", "PreparedSeries"]

QUARTERS_PER_SECOND: Final = 4
LONGEST_BRIDGED_GAP: Final = 2
"""Missing quarters (0.5 s) that are still interpolated."""

CONSTANT_SD: Final = 1e-5
"""A channel whose standard deviation is at most this is constant (float32 storage)."""

NEUTRAL_SHARE: Final = 0.25
"""Share of a participant's frames that counts as the own neutral face."""


class PreparedSeries:
    """The series of one participant in the forms the statistics read.

    Parameters
    ----------
    values : ndarray, shape (n_frames, n_channels)
        Channel values; rows of NaN where the face is lost. Column 0 is the neutral expression.
    rate_hz : float
        Frames per second.
    """

    def __init__(self, values: NDArray[np.floating], rate_hz: float) -> None:
        columns = np.ascontiguousarray(values.T, dtype=np.float32)
        self.found: NDArray[np.bool_] = ~np.isnan(columns[0])
        self.frames: NDArray[np.float32] = (
            columns if self.found.all() else np.ascontiguousarray(columns[:, self.found])
        )
        """Values of the frames with a face, shape (n_channels, n_found)."""
        self._block = max(1, round(rate_hz / QUARTERS_PER_SECOND))
        self.quarter_s = self._block / rate_hz
        """Length of a quarter in seconds: 0.25, or the nearest whole number of frames."""
        self._prepare_quarters(columns)

    def _prepare_quarters(self, columns: NDArray[np.float32]) -> None:
        block = self._block
        n_quarters = columns.shape[1] // block
        used = slice(0, n_quarters * block)
        counts = self.found[used].reshape(n_quarters, block).sum(axis=1)
        summed = (
            np.where(self.found[used], columns[:, used], np.float32(0.0))
            .reshape(columns.shape[0], n_quarters, block)
            .sum(axis=2, dtype=np.float64)
        )
        observed = 2 * counts >= block
        quarters = np.divide(summed, counts, out=np.zeros_like(summed), where=observed)
        bridged = _short_gaps(observed)
        if bridged.any():
            known = np.flatnonzero(observed)
            missing = np.flatnonzero(bridged)
            right = np.searchsorted(known, missing)
            before, after = known[right - 1], known[right]
            weight = (missing - before) / (after - before)
            quarters[:, missing] = quarters[:, before] * (1 - weight) + quarters[:, after] * weight
        self.observed: NDArray[np.bool_] = observed | bridged
        """Which quarters carry a value, shape (n_quarters,)."""
        self.quarters: NDArray[np.float64] = quarters
        """Means over 0.25 s, shape (n_channels, n_quarters); 0 where not observed."""

    @cached_property
    def ordered(self) -> NDArray[np.float32]:
        """Frames of each channel in ascending order, shape (n_channels, n_found)."""
        return np.sort(self.frames, axis=1)

    def quantile(self, share: float) -> NDArray[np.float64]:
        """Quantile of the frames per channel (linear interpolation), own unit of the channel."""
        return _sorted_quantile(self.ordered, share)

    @cached_property
    def neutral_face(self) -> NDArray[np.float64]:
        """Median of each channel over the own neutral segment, shape (n_channels,)."""
        neutral = self.frames[0]
        segment = neutral >= np.float32(_sorted_quantile(self.ordered[:1], 1 - NEUTRAL_SHARE)[0])
        median: NDArray[np.float64] = np.median(self.frames[:, segment], axis=1).astype(np.float64)
        return median

    @cached_property
    def level_mean(self) -> NDArray[np.float64]:
        """Mean of the frames, shape (n_channels,)."""
        mean: NDArray[np.float64] = self.frames.mean(axis=1, dtype=np.float64)
        return mean

    @cached_property
    def deviations(self) -> NDArray[np.float64]:
        """Quarters minus their mean, 0 in gaps, shape (n_channels, n_quarters)."""
        count = max(int(self.observed.sum()), 1)
        centre = self.quarters.sum(axis=1) / count
        return np.where(self.observed, self.quarters - centre[:, None], 0.0)

    @cached_property
    def quarter_variance(self) -> NDArray[np.float64]:
        """Variance of the observed quarters, shape (n_channels,)."""
        count = max(int(self.observed.sum()), 1)
        variance: NDArray[np.float64] = np.square(self.deviations).sum(axis=1) / count
        return variance

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Which channels do not move at all on the 4 Hz clock, shape (n_channels,)."""
        return np.sqrt(self.quarter_variance) <= CONSTANT_SD

    @cached_property
    def seconds(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """One-second means (n_channels, n_seconds) and which of them are observed."""
        n_seconds = self.observed.size // QUARTERS_PER_SECOND
        used = slice(0, n_seconds * QUARTERS_PER_SECOND)
        shape = (n_seconds, QUARTERS_PER_SECOND)
        counts = self.observed[used].reshape(shape).sum(axis=1)
        summed = self.quarters[:, used].reshape(self.quarters.shape[0], *shape).sum(axis=2)
        observed = counts >= QUARTERS_PER_SECOND // 2
        means: NDArray[np.float64] = np.zeros(summed.shape)
        np.divide(summed, counts, out=means, where=observed)
        return means, observed

    @cached_property
    def power(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequencies in Hz (without 0) and the periodogram of the quarters at them."""
        length = 1 << max(1, self.observed.size - 1).bit_length()
        spectrum = np.fft.rfft(self.deviations, n=length, axis=1)[:, 1:]
        frequencies = np.arange(1, length // 2 + 1) / (length * self.quarter_s)
        power: NDArray[np.float64] = spectrum.real**2 + spectrum.imag**2
        return frequencies, power


def _sorted_quantile(ordered: NDArray[np.float32], share: float) -> NDArray[np.float64]:
    position = share * (ordered.shape[1] - 1)
    low = int(position)
    high = min(low + 1, ordered.shape[1] - 1)
    below = ordered[:, low].astype(np.float64)
    above = ordered[:, high].astype(np.float64)
    value: NDArray[np.float64] = below + (position - low) * (above - below)
    return value


def _short_gaps(observed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which missing quarters lie in a short gap between two observed ones."""
    steps = np.diff(np.concatenate(([True], observed, [True])).astype(np.int8))
    starts, ends = np.flatnonzero(steps == -1), np.flatnonzero(steps == 1)
    short = (ends - starts <= LONGEST_BRIDGED_GAP) & (starts > 0) & (ends < observed.size)
    bridged = np.zeros(observed.size, dtype=np.bool_)
    for start, end in zip(starts[short], ends[short], strict=True):
        bridged[start:end] = True
    return bridged
