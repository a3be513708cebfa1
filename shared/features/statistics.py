"""The sixteen statistics of a channel, each with its formula, unit and source.

Four describe the **level** of a channel above the participant's own neutral face, four its
**variability**, eight its **dynamics** (pace, episodes and complexity count as dynamics). Every
statistic is defined for every series that is long enough: constant channels and gaps have a
stated value, never NaN.

The sign of a statistic says how it enters a mean over its class: +1 where a larger value means
more activity (level), a wider spread (variability) or a livelier, less predictable course
(dynamics), and -1 where it means the opposite (autocorrelation and episode duration). Without it
two statistics that say the same in opposite directions would cancel in the mean. The signs follow
from the formulas, not from any data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.features.prepared import CONSTANT_SD, QUARTERS_PER_SECOND, PreparedSeries

__all__ = ["STATISTICS", "Statistic", "StatisticClass"]

StatisticClass = Literal["level", "variability", "dynamics"]
Values = NDArray[np.float64]

MAD_TO_SD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""

EPISODE_SPREAD: Final = 1.0
"""An episode starts this many robust standard deviations above the own median ..."""

EPISODE_FLOOR: Final = 0.05
"""... but never less than this much above it, in units of the channel."""

SHORTEST_EPISODE_S: Final = 0.5
"""Shortest episode, seconds: macro-expressions last 0.5 to 4 s (Ekman 2003)."""

FAST_HZ: Final = 0.25
"""Lower end of the fast band, Hz: movements that come and go within 4 s."""

TEMPLATE_LENGTH: Final = 2
TOLERANCE_SD: Final = 0.2
"""Sample entropy: template length m and tolerance r in own standard deviations."""


@dataclass(frozen=True)
class Statistic:
    """One number per channel, with what it means and where it comes from.

    Attributes
    ----------
    name : str
        Second half of the feature name.
    statistic_class : {"level", "variability", "dynamics"}
        Class it is averaged in.
    sign : {-1, 1}
        Orientation within the class, see the module docstring.
    unit, source : str
        For people.
    bounds : tuple of float
        Public lower and upper bound for a channel in [0, 1], from the formula or from what a face
        can do, never from data. The affine map to (0, 1) uses them; values outside are clipped.
    scales_with_channel : bool
        True when a channel in [-1, 1] doubles the bounds (the statistic has the channel's unit).
    function : callable
        ``PreparedSeries`` to one value per channel.
    """

    name: str
    statistic_class: StatisticClass
    sign: Literal[-1, 1]
    unit: str
    source: str
    bounds: tuple[float, float]
    scales_with_channel: bool
    function: Callable[[PreparedSeries], Values]

    @property
    def formula(self) -> str:
        """What is computed, in one sentence."""
        return (self.function.__doc__ or "").strip().split("\n", 1)[0]


# ---------------------------------------------------------------- level


def level_mean(series: PreparedSeries) -> Values:
    """Mean over frames minus the own neutral face; unit of the channel."""
    return series.level_mean - series.neutral_face


def level_median(series: PreparedSeries) -> Values:
    """Median over frames minus the own neutral face; unit of the channel."""
    return series.quantile(0.5) - series.neutral_face


def level_lower(series: PreparedSeries) -> Values:
    """25 % quantile over frames minus the own neutral face; unit of the channel.

    Not the 10 % quantile: a face is neutral more than a tenth of the time, so that quantile would
    compare the neutral face with itself.
    """
    return series.quantile(0.25) - series.neutral_face


def level_upper(series: PreparedSeries) -> Values:
    """90 % quantile over frames minus the own neutral face; unit of the channel."""
    return series.quantile(0.9) - series.neutral_face


# ---------------------------------------------------------------- variability


def standard_deviation(series: PreparedSeries) -> Values:
    """Root of the mean squared deviation from the mean over frames; unit of the channel."""
    centred = series.frames - series.level_mean[:, None].astype(np.float32)
    squares: Values = np.einsum("ct,ct->c", centred, centred).astype(np.float64)
    spread: Values = np.sqrt(squares / centred.shape[1])
    return spread


def robust_range(series: PreparedSeries) -> Values:
    """95 % minus 5 % quantile over frames; unit of the channel."""
    return series.quantile(0.95) - series.quantile(0.05)


def median_absolute_deviation(series: PreparedSeries) -> Values:
    """Median over frames of |x - median|, not rescaled (Hampel 1974); unit of the channel."""
    centre = series.quantile(0.5)[:, None].astype(np.float32)
    distances = np.abs(series.frames - centre)
    middle = (distances.shape[1] - 1) // 2
    return np.partition(distances, middle, axis=1)[:, middle].astype(np.float64)


def interquartile_range(series: PreparedSeries) -> Values:
    """75 % minus 25 % quantile over frames; unit of the channel."""
    return series.quantile(0.75) - series.quantile(0.25)


# ---------------------------------------------------------------- dynamics: pace


def mean_absolute_change(series: PreparedSeries) -> Values:
    """Mean |x(t + 0.25 s) - x(t)| per second, in own standard deviations; 1/s.

    Read on the 4 Hz clock and divided by the own standard deviation, so it says how fast the
    channel moves within its range, not how wide the range is. No pair spans a gap; a constant
    channel has 0.
    """
    pairs = series.observed[1:] & series.observed[:-1]
    total = np.abs(np.diff(series.quarters, axis=1)) @ pairs.astype(np.float64)
    per_second = total / max(int(pairs.sum()), 1) / series.quarter_s
    return _where_moving(series, per_second, np.sqrt(series.quarter_variance), otherwise=0.0)


def autocorrelation(series: PreparedSeries) -> Values:
    """Autocorrelation at a lag of 1 s; dimensionless, -1 to 1.

    Mean of (x(t) - mean)(x(t + 1 s) - mean) over pairs of quarters without a gap between them,
    divided by the variance (Box and Jenkins 1976). A constant channel has 1 (it predicts itself);
    a series without any such pair has 0.
    """
    lag = QUARTERS_PER_SECOND
    if series.observed.size <= lag:
        return np.where(series.constant, 1.0, 0.0)
    runs = np.convolve(series.observed, np.ones(lag + 1), mode="valid") > lag + 0.5
    products = series.deviations[:, :-lag] * series.deviations[:, lag:]
    covariance = products @ runs.astype(np.float64) / max(int(runs.sum()), 1)
    ratio = _where_moving(series, covariance, series.quarter_variance, otherwise=1.0)
    return np.clip(ratio, -1.0, 1.0)


def spectral_centroid(series: PreparedSeries) -> Values:
    """Power-weighted mean frequency, sum(f P) / sum(P) for 0 < f <= 2 Hz; Hz.

    P is the periodogram of the 4 Hz series (Schuster 1898) after its mean is taken away; gaps
    contribute no deviation. A constant channel has 0.
    """
    frequencies, power = series.power
    return _where_moving(series, power @ frequencies, power.sum(axis=1), otherwise=0.0)


def fast_power(series: PreparedSeries) -> Values:
    """Share of the power at 0.25 Hz and above; dimensionless, 0 to 1.

    Same periodogram as the spectral centroid. A constant channel has 0.
    """
    frequencies, power = series.power
    fast = power[:, frequencies >= FAST_HZ].sum(axis=1)
    return _where_moving(series, fast, power.sum(axis=1), otherwise=0.0)


# ---------------------------------------------------------------- dynamics: episodes


def episode_rate(series: PreparedSeries) -> Values:
    """Episodes per minute of observed time; 1/min.

    An episode is a run of quarters above the own median + max(1.4826 MAD, 0.05) that lasts at
    least 0.5 s. A gap that is not bridged ends the episode. The threshold moves with the
    participant's median and spread, so the rate depends on the course, not on the level.
    """
    count, _ = _episodes(series)
    minutes = max(int(series.observed.sum()), 1) * series.quarter_s / 60.0
    return count / minutes


def episode_duration(series: PreparedSeries) -> Values:
    """Mean duration of an episode (see `episode_rate`); s. No episode: 0."""
    count, quarters = _episodes(series)
    return quarters * series.quarter_s / np.maximum(count, 1)


def dwell(series: PreparedSeries) -> Values:
    """Share of the observed time spent in episodes (see `episode_rate`); 0 to 0.5."""
    _, quarters = _episodes(series)
    return quarters / max(int(series.observed.sum()), 1)


def _episodes(series: PreparedSeries) -> tuple[Values, Values]:
    """Count of episodes and quarters spent in them, per channel."""
    known = series.quarters[:, series.observed]
    if known.shape[1] == 0:
        return np.zeros(known.shape[0]), np.zeros(known.shape[0])
    middle = (known.shape[1] - 1) // 2
    median = np.partition(known, middle, axis=1)[:, middle]
    spread = np.partition(np.abs(known - median[:, None]), middle, axis=1)[:, middle]
    threshold = median + np.maximum(EPISODE_SPREAD * MAD_TO_SD * spread, EPISODE_FLOOR)
    above = (series.quarters > threshold[:, None]) & series.observed
    padded = np.zeros((above.shape[0], above.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = above
    steps = np.diff(padded, axis=1)
    channel, start = np.nonzero(steps == 1)
    length = np.nonzero(steps == -1)[1] - start
    long = length >= SHORTEST_EPISODE_S / series.quarter_s - 1e-9
    n_channels = above.shape[0]
    count = np.bincount(channel[long], minlength=n_channels).astype(np.float64)
    inside = np.bincount(channel[long], weights=length[long], minlength=n_channels)
    return count, inside.astype(np.float64)


# ---------------------------------------------------------------- dynamics: complexity


def sample_entropy(series: PreparedSeries) -> Values:
    """Sample entropy -ln(A/B) of the 1 Hz means, m = 2, r = 0.2 own sd; nats.

    B counts pairs of templates of 2 s, A pairs of templates of 3 s, whose values differ by at
    most r everywhere (Chebyshev distance, no self-matches; Richman and Moorman 2000; complexity
    of facial movement as a marker: Krishnappa Babu et al. 2023). Only templates without a missing
    second are used. A = 0 counts as half a match; B = 0 gives the largest value n templates can
    show, ln(n (n - 1) / 2); a constant channel, or fewer than two templates, 0.
    """
    seconds, observed = series.seconds
    m = TEMPLATE_LENGTH
    if observed.size <= m:
        return np.zeros(seconds.shape[0])
    whole = observed[:-m] & observed[1:-1] & observed[m:]
    n_templates = int(whole.sum())
    if n_templates < 2:
        return np.zeros(seconds.shape[0])
    usable = whole[:, None] & whole[None, :]
    tolerance = TOLERANCE_SD * seconds[:, observed].std(axis=1)
    highest = float(np.log(n_templates * (n_templates - 1) / 2))
    entropy = np.zeros(seconds.shape[0])
    for channel in np.flatnonzero(tolerance > TOLERANCE_SD * CONSTANT_SD):
        values = seconds[channel].astype(np.float32)
        near = np.abs(values[:, None] - values[None, :]) <= np.float32(tolerance[channel])
        pairs = near[:-m, :-m] & near[1:-1, 1:-1] & usable
        # The matrices are symmetric and hold every template's match with itself.
        matches = (np.count_nonzero(pairs) - n_templates) / 2
        longer_matches = (np.count_nonzero(pairs & near[m:, m:]) - n_templates) / 2
        entropy[channel] = np.log(matches / max(longer_matches, 0.5)) if matches > 0 else highest
    return entropy


def _where_moving(
    series: PreparedSeries, numerator: Values, denominator: Values, *, otherwise: float
) -> Values:
    """Numerator over denominator; ``otherwise`` where the channel is constant."""
    return np.divide(
        numerator,
        denominator,
        out=np.full_like(numerator, otherwise),
        where=~series.constant & (denominator > 0),
    )


_ORDER = "order statistics; Hyndman and Fan 1996, type 7"
_PERIODOGRAM = "Schuster 1898"
_EPISODES = "run above a personal threshold; Ekman 2003 for the shortest duration"

STATISTICS: Final[tuple[Statistic, ...]] = (
    Statistic("mean", "level", 1, "channel", "definition", (-1.0, 1.0), True, level_mean),
    Statistic("median", "level", 1, "channel", _ORDER, (-1.0, 1.0), True, level_median),
    Statistic("q25", "level", 1, "channel", _ORDER, (-1.0, 1.0), True, level_lower),
    Statistic("q90", "level", 1, "channel", _ORDER, (-1.0, 1.0), True, level_upper),
    Statistic(
        "sd", "variability", 1, "channel", "definition", (0.0, 0.5), True, standard_deviation
    ),
    Statistic("range", "variability", 1, "channel", _ORDER, (0.0, 1.0), True, robust_range),
    Statistic(
        "mad",
        "variability",
        1,
        "channel",
        "Hampel 1974",
        (0.0, 0.5),
        True,
        median_absolute_deviation,
    ),
    Statistic("iqr", "variability", 1, "channel", _ORDER, (0.0, 1.0), True, interquartile_range),
    Statistic(
        "mean_absolute_change",
        "dynamics",
        1,
        "own sd/s",
        "definition",
        (0.0, 6.0),
        False,
        mean_absolute_change,
    ),
    Statistic(
        "autocorrelation_1s",
        "dynamics",
        -1,
        "1",
        "Box and Jenkins 1976",
        (-1.0, 1.0),
        False,
        autocorrelation,
    ),
    Statistic(
        "spectral_centroid",
        "dynamics",
        1,
        "Hz",
        _PERIODOGRAM,
        (0.0, 2.0),
        False,
        spectral_centroid,
    ),
    Statistic("fast_power", "dynamics", 1, "1", _PERIODOGRAM, (0.0, 1.0), False, fast_power),
    Statistic("episode_rate", "dynamics", 1, "1/min", _EPISODES, (0.0, 60.0), False, episode_rate),
    Statistic(
        "episode_duration", "dynamics", -1, "s", _EPISODES, (0.0, 30.0), False, episode_duration
    ),
    Statistic("dwell", "dynamics", 1, "1", _EPISODES, (0.0, 0.5), False, dwell),
    Statistic(
        "sample_entropy",
        "dynamics",
        1,
        "nat",
        "Richman and Moorman 2000; Krishnappa Babu et al. 2023 for faces",
        (0.0, 5.0),
        False,
        sample_entropy,
    ),
)
"""The statistics of every channel, in feature order."""
