"""The features of one recording as sums over stretches of time.

Ten of the sixteen statistics of a channel are taken apart exactly, as a sum over moments of the
whole recording's own formula: mean, standard deviation (its sum of squares), pace,
autocorrelation, spectral centroid and fast power (products with the filtered series: Parseval),
episode rate, duration and dwell, sample entropy (each template has the share of matches that end
with it).

The six quantile statistics (median, 25 % and 90 % quantile, range, MAD, IQR) are no such sum. They
are read on each stretch by itself, with the neutral face of the whole recording, and weighted by
the stretch's frames; what the stretches do not add up to is the remainder.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.errors import InputError
from shared.features import STATISTICS, temporal_features
from shared.features.prepared import QUARTERS_PER_SECOND, PreparedSeries
from shared.features.statistics import (
    EPISODE_FLOOR,
    EPISODE_SPREAD,
    FAST_HZ,
    MAD_TO_SD,
    SHORTEST_EPISODE_S,
    TEMPLATE_LENGTH,
    TOLERANCE_SD,
)

__all__ = [
    "EXACT_STATISTICS",
    "SHORTEST_STRETCH_S",
    "WINDOWED_STATISTICS",
    "FeaturesOverTime",
    "features_over_time",
]

Values = NDArray[np.float64]

WINDOWED_STATISTICS: Final = ("median", "q25", "q90", "range", "mad", "iqr")
"""Statistics that are read stretch by stretch, with a remainder."""

EXACT_STATISTICS: Final = tuple(s.name for s in STATISTICS if s.name not in WINDOWED_STATISTICS)
"""Statistics whose parts add up by themselves."""

SHORTEST_STRETCH_S: Final = 4
_NAMES: Final = tuple(statistic.name for statistic in STATISTICS)
_WINDOWED: Final = tuple(s for s in STATISTICS if s.name in WINDOWED_STATISTICS)


@dataclass(frozen=True, eq=False)
class FeaturesOverTime:
    """Features of a recording as sums over stretches.

    Attributes
    ----------
    start_s, stop_s : ndarray, shape (n_stretches,)
        Seconds from the beginning of the recording.
    face_share : ndarray, shape (n_stretches,)
        Share of the stretch's frames in which the face was found.
    share : ndarray, shape (n_stretches,)
        The stretch's share of all frames with a face; sums to 1.
    features : ndarray, shape (n_features,)
        Of the whole recording, as ``temporal_features`` gives them.
    parts : ndarray, shape (n_stretches, n_features)
        0 for a stretch without a face.
    remainder : ndarray, shape (n_features,)
        Features minus the sum of their parts: rounding only, but for quantile statistics.
    """

    start_s: Values
    stop_s: Values
    face_share: Values
    share: Values
    features: Values
    parts: Values
    remainder: Values


def features_over_time(
    values: NDArray[np.floating], *, stretch_s: int = 15, rate_hz: float = FRAME_RATE_HZ
) -> FeaturesOverTime:
    """Take the features of one recording apart over time.

    Parameters
    ----------
    values : ndarray, shape (n_frames, 22)
        Attribute series of one child; rows of NaN where no face was found.
    stretch_s : int
        Length of a stretch in whole seconds, at least 4; a last one of less than half of that is
        joined to the one before.
    rate_hz : float
        Frames per second, at least 4.

    Raises
    ------
    InputError
        As ``temporal_features``; fewer than 30 s of frames show a face; the stretch is too short.
    """
    if stretch_s < SHORTEST_STRETCH_S or stretch_s != int(stretch_s):
        raise InputError(
            f"Stretches of {stretch_s} s asked; whole seconds from {SHORTEST_STRETCH_S} on are "
            "possible."
        )
    table = np.asarray(values)
    features = temporal_features(table, rate_hz=rate_hz)
    if np.isnan(features).any():
        raise InputError(
            "Fewer than 30 s of this recording show a face, so it has no features and no score. "
            "Choose another recording."
        )
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    series = PreparedSeries(table, rate_hz)
    # Stretches begin at a whole second of the quarters' clock, so no quarter lies across two.
    block = max(1, round(rate_hz / QUARTERS_PER_SECOND))
    length = int(stretch_s) * QUARTERS_PER_SECOND * block
    edges = np.arange(0, len(table), length)
    if len(edges) > 1 and len(table) - edges[-1] < length / 2:
        edges = edges[:-1]
    ends = np.append(edges[1:], len(table))
    found = np.array([series.found[a:b].sum() for a, b in zip(edges, ends, strict=True)])
    share = found / found.sum()
    quarter_of = np.searchsorted(edges // block, np.arange(series.observed.size), "right") - 1
    parts = np.zeros((len(edges), len(CHANNELS), len(_NAMES)))
    _exact_frames(series, edges, share, parts)
    for name, (density, spent) in _exact_quarters(series).items():
        parts[:, :, _NAMES.index(name)] = _summed(density, quarter_of[spent], len(edges))
    _constant_channels(series, features, share, parts)
    for stretch, (first, last) in enumerate(zip(edges, ends, strict=True)):
        if found[stretch]:
            piece = PreparedSeries(table[first:last], rate_hz)
            piece.neutral_face = series.neutral_face
            for statistic in _WINDOWED:
                column = _NAMES.index(statistic.name)
                parts[stretch, :, column] = share[stretch] * statistic.function(piece)
    flat = parts.reshape(len(edges), -1)
    return FeaturesOverTime(
        start_s=edges / rate_hz,
        stop_s=ends / rate_hz,
        face_share=found / (ends - edges),
        share=share,
        features=features,
        parts=flat,
        remainder=features - flat.sum(axis=0),
    )


def _exact_frames(
    series: PreparedSeries, edges: NDArray[np.int64], share: Values, parts: Values
) -> None:
    """Mean and standard deviation: sums over frames."""
    stretch_of = np.searchsorted(edges, np.flatnonzero(series.found), "right") - 1
    frames = series.frames.astype(np.float64)
    n = frames.shape[1]
    sums = _summed(frames, stretch_of, len(edges))
    parts[:, :, _NAMES.index("mean")] = sums / n - share[:, None] * series.neutral_face
    squares = np.square(frames - series.level_mean[:, None])
    spread = np.sqrt(squares.mean(axis=1))
    scale = np.divide(1.0, n * spread, out=np.zeros_like(spread), where=spread > 0)
    parts[:, :, _NAMES.index("sd")] = _summed(squares, stretch_of, len(edges)) * scale


def _exact_quarters(series: PreparedSeries) -> dict[str, tuple[Values, NDArray[np.int64]]]:
    """Per statistic its density (n_channels, n_places) and the quarter of each place."""
    n = series.observed.size
    every = np.arange(n)
    sd = np.sqrt(series.quarter_variance)
    pairs = series.observed[1:] & series.observed[:-1]
    steps = np.abs(np.diff(series.quarters, axis=1)) * pairs
    pace = _over(steps, max(int(pairs.sum()), 1) * series.quarter_s * sd)
    found = {"mean_absolute_change": (pace, every[1:])}
    lag = QUARTERS_PER_SECOND
    runs = np.convolve(series.observed, np.ones(lag + 1), mode="valid") > lag + 0.5
    products = series.deviations[:, :-lag] * series.deviations[:, lag:] * runs
    likeness = _over(products, max(int(runs.sum()), 1) * series.quarter_variance)
    found["autocorrelation_1s"] = (likeness, every[lag // 2 : n - lag + lag // 2])
    frequencies, power = series.power
    total = power.sum(axis=1)
    for name, weight in (
        ("spectral_centroid", frequencies),
        ("fast_power", (frequencies >= FAST_HZ).astype(np.float64)),
    ):
        found[name] = (_over(_power_over_time(series, weight), total), every)
    inside, per_quarter, count = _episode_quarters(series)
    observed = max(int(series.observed.sum()), 1)
    found["episode_rate"] = (per_quarter / (observed * series.quarter_s / 60.0), every)
    found["episode_duration"] = (_over(inside * series.quarter_s, np.maximum(count, 1)), every)
    found["dwell"] = (inside / observed, every)
    found["sample_entropy"] = _entropy_over_time(series)
    return found


def _power_over_time(series: PreparedSeries, weight: Values) -> Values:
    """Density whose sum over quarters is the weighted sum of the one-sided periodogram.

    Sum over k of g_k |X_k|^2 = L sum over t of x_t (filtered x)_t, with g halved at frequencies
    that stand twice in the two-sided spectrum (Parseval).
    """
    length = 2 * len(weight)
    spectrum = np.fft.rfft(series.deviations, n=length, axis=1)
    gain = np.concatenate([[0.0], weight / 2])
    gain[-1] *= 2
    filtered = np.fft.irfft(spectrum * gain, n=length, axis=1)[:, : series.observed.size]
    density: Values = length * series.deviations * filtered
    return density


def _episode_quarters(series: PreparedSeries) -> tuple[Values, Values, Values]:
    """Which quarters lie in episodes, their episode's share of one, and episodes per channel."""
    known = series.quarters[:, series.observed]
    inside = np.zeros(series.quarters.shape)
    shares = np.zeros(series.quarters.shape)
    middle = (known.shape[1] - 1) // 2
    median = np.partition(known, middle, axis=1)[:, middle]
    spread = np.partition(np.abs(known - median[:, None]), middle, axis=1)[:, middle]
    threshold = median + np.maximum(EPISODE_SPREAD * MAD_TO_SD * spread, EPISODE_FLOOR)
    above = np.zeros((len(inside), series.observed.size + 2), dtype=np.int8)
    above[:, 1:-1] = (series.quarters > threshold[:, None]) & series.observed
    steps = np.diff(above, axis=1)
    channel, start = np.nonzero(steps == 1)
    stop = np.nonzero(steps == -1)[1]
    long = stop - start >= SHORTEST_EPISODE_S / series.quarter_s - 1e-9
    for c, a, b in zip(channel[long], start[long], stop[long], strict=True):
        inside[c, a:b] = 1.0
        shares[c, a:b] = 1.0 / (b - a)
    count = np.bincount(channel[long], minlength=len(inside)).astype(np.float64)
    return inside, shares, count


def _entropy_over_time(series: PreparedSeries) -> tuple[Values, NDArray[np.int64]]:
    """Sample entropy shared out among templates by how many of their matches end."""
    seconds, observed = series.seconds
    m = TEMPLATE_LENGTH
    places = max(observed.size - m, 0)
    middle = (np.arange(places) + m / 2) * QUARTERS_PER_SECOND
    density = np.zeros((seconds.shape[0], places))
    quarters = middle.astype(np.int64)
    whole = observed[:-m] & observed[1:-1] & observed[m:] if places else observed[:0]
    if whole.sum() < 2:
        return density, quarters
    usable = whole[:, None] & whole[None, :]
    tolerance = TOLERANCE_SD * seconds[:, observed].std(axis=1)
    n = int(whole.sum())
    for channel in np.flatnonzero(~series.constant):
        row = seconds[channel].astype(np.float32)
        near = np.abs(row[:, None] - row[None, :]) <= np.float32(tolerance[channel])
        pairs = near[:-m, :-m] & near[1:-1, 1:-1] & usable
        matches = pairs.sum(axis=0) - whole
        ended = matches - ((pairs & near[m:, m:]).sum(axis=0) - whole)
        longer = matches.sum() - ended.sum()
        if not matches.any():
            density[channel] = np.log(n * (n - 1) / 2) * whole / n
        elif ended.any():
            entropy = np.log(matches.sum() / max(float(longer), 1.0))
            density[channel] = entropy * ended / ended.sum()
    return density, quarters


def _constant_channels(
    series: PreparedSeries, features: Values, share: Values, parts: Values
) -> None:
    """A channel that never moves has stated values for its dynamics; they hold at all times."""
    dynamics = [i for i, s in enumerate(STATISTICS) if s.statistic_class == "dynamics"]
    table = features.reshape(len(CHANNELS), len(_NAMES))
    for channel in np.flatnonzero(series.constant):
        parts[:, channel, dynamics] = share[:, None] * table[channel, dynamics]


def _over(density: Values, scale: Values) -> Values:
    """Density over a scale by channel; 0 where the scale is 0."""
    column = np.broadcast_to(np.asarray(scale, dtype=np.float64)[:, None], density.shape)
    quotient: Values = np.divide(density, column, out=np.zeros(density.shape), where=column > 0)
    return quotient


def _summed(density: Values, stretch_of: NDArray[np.int64], n_stretches: int) -> Values:
    """Sum of a density over the places of each stretch, shape (n_stretches, n_channels)."""
    into = np.zeros((len(stretch_of), n_stretches))
    into[np.arange(len(stretch_of)), stretch_of] = 1.0
    total: Values = (density @ into).T
    return total
