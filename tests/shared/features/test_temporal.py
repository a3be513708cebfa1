import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import CHANNELS
from shared.errors import InputError
from shared.features import (
    FEATURE_CHANNEL,
    FEATURE_CLASS,
    FEATURE_NAMES,
    FEATURE_RANGES,
    FEATURE_SIGN,
    STATISTICS,
    temporal_features,
)

N_STATISTICS = len(STATISTICS)
RATE = 24.0


def moving_series(seed=0, seconds=60.0):
    """Smooth random courses in [.2, .8], whole number of quarter seconds."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    steps = rng.standard_normal((n, len(CHANNELS)))
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.ones(18) / 18, "same"), 0, steps)
    return 0.5 + 0.3 * np.tanh(3 * smooth)


def feature(row, channel, statistic):
    return row[FEATURE_NAMES.index(f"{channel}__{statistic}")]


def test_layout_is_channel_major_and_complete():
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == len(CHANNELS) * N_STATISTICS
    index = FEATURE_NAMES.index("au12__sample_entropy")
    assert CHANNELS[FEATURE_CHANNEL[index]] == "au12"
    assert FEATURE_CLASS[index] == 2
    assert set(FEATURE_CLASS) == {0, 1, 2}
    assert (FEATURE_RANGES[:, 0] < FEATURE_RANGES[:, 1]).all()
    assert set(FEATURE_SIGN) == {-1.0, 1.0}
    assert all(s.formula.endswith((".", ";", "nats.")) and s.source for s in STATISTICS)


def test_typical_values_lie_inside_the_public_ranges():
    row = temporal_features(moving_series())
    assert (row >= FEATURE_RANGES[:, 0]).all()
    assert (row <= FEATURE_RANGES[:, 1]).all()


def test_level_is_measured_from_the_own_neutral_face():
    values = np.full((int(60 * RATE), len(CHANNELS)), 0.3)
    neutral = slice(0, int(20 * RATE))
    values[:, 0] = 0.1
    values[neutral, 0] = 0.9
    values[:, 12] = 0.6
    values[neutral, 12] = 0.2
    row = temporal_features(values)
    assert feature(row, CHANNELS[12], "median") == pytest.approx(0.4, abs=1e-6)
    assert feature(row, CHANNELS[12], "mean") == pytest.approx(0.4 * 2 / 3, abs=1e-6)


@pytest.mark.parametrize("hz", [0.2, 0.5, 1.0])
def test_spectral_centroid_of_a_sine_is_its_frequency(hz):
    t = np.arange(int(128 * RATE)) / RATE
    values = np.full((t.size, len(CHANNELS)), 0.5)
    values[:, 9] = 0.5 * np.sin(2 * np.pi * hz * t)
    row = temporal_features(values)
    assert feature(row, "arousal", "spectral_centroid") == pytest.approx(hz, abs=0.02)
    assert feature(row, "arousal", "fast_power") == pytest.approx(float(hz >= 0.25), abs=0.05)
    expected = np.cos(2 * np.pi * hz * 1.0)
    assert feature(row, "arousal", "autocorrelation_1s") == pytest.approx(expected, abs=0.05)


def test_episodes_are_counted_timed_and_end_at_a_gap():
    n = int(60 * RATE)
    values = np.full((n, len(CHANNELS)), 0.2)
    second = int(RATE)
    for start in (5, 15, 25):
        values[start * second : (start + 2) * second, 10] = 0.8
    row = temporal_features(values)
    assert feature(row, "au1", "episode_rate") == pytest.approx(3.0)
    assert feature(row, "au1", "episode_duration") == pytest.approx(2.0)
    assert feature(row, "au1", "dwell") == pytest.approx(6 / 60)
    values = np.vstack(
        [values[: 16 * second], np.full((second, 22), np.nan), values[16 * second :]]
    )
    row = temporal_features(values)
    assert feature(row, "au1", "episode_rate") == pytest.approx(4.0)
    assert feature(row, "au1", "episode_duration") == pytest.approx(1.5)


def test_no_change_is_read_across_a_long_gap():
    half = int(30 * RATE)
    values = np.full((2 * half, len(CHANNELS)), 0.2)
    values[half:] = 0.8
    jump = feature(temporal_features(values), "au1", "mean_absolute_change")
    gap = np.full((int(RATE), len(CHANNELS)), np.nan)
    apart = np.vstack([values[:half], gap, values[half:]])
    assert jump > 0
    assert feature(temporal_features(apart), "au1", "mean_absolute_change") == 0


def test_a_short_gap_is_bridged():
    values = np.full((int(40 * RATE), len(CHANNELS)), 0.4)
    values[:, 10] = np.linspace(0.1, 0.9, len(values))
    whole = temporal_features(values)
    values[480:492] = np.nan
    row = temporal_features(values)
    dynamics = (FEATURE_CLASS == 2) & (FEATURE_CHANNEL == 10)
    np.testing.assert_allclose(row[dynamics], whole[dynamics], rtol=1e-3, atol=1e-6)


def test_sample_entropy_matches_its_definition_with_and_without_gaps():
    values = moving_series(3, seconds=80)
    for lost in (slice(0, 0), slice(480, 600)):
        values[lost] = np.nan
        seconds = np.array(
            [np.nan if np.isnan(s).any() else s.mean() for s in values[:, 15].reshape(-1, 24)]
        ).astype(np.float32)
        tolerance = 0.2 * np.nanstd(seconds.astype(np.float64))
        starts = [i for i in range(len(seconds) - 2) if not np.isnan(seconds[i : i + 3]).any()]
        count = {2: 0, 3: 0}
        for length in count:
            for i in starts:
                for j in starts:
                    near = np.abs(seconds[i : i + length] - seconds[j : j + length])
                    count[length] += i != j and near.max() <= tolerance
        expected = np.log(count[2] / count[3])
        row = temporal_features(values)
        assert feature(row, CHANNELS[15], "sample_entropy") == pytest.approx(expected, abs=0.02)


def test_noise_is_more_complex_than_a_regular_course():
    values = moving_series(1, seconds=200)
    values[:, 11] = 0.5 + 0.4 * np.sin(np.arange(len(values)) / RATE * 2 * np.pi / 10)
    row = temporal_features(values)
    assert feature(row, "au2", "sample_entropy") < feature(row, "au1", "sample_entropy") / 2


def test_constant_channels_have_stated_values():
    row = temporal_features(np.full((int(30 * RATE), len(CHANNELS)), 0.3, dtype=np.float32))
    per_channel = row.reshape(len(CHANNELS), N_STATISTICS)
    for number, statistic in enumerate(STATISTICS):
        expected = 1.0 if statistic.name == "autocorrelation_1s" else 0.0
        np.testing.assert_allclose(per_channel[:, number], expected, atol=1e-6)


def test_less_than_thirty_seconds_give_no_feature():
    values = moving_series(seconds=31)
    assert np.isfinite(temporal_features(values)).all()
    values[: int(1.1 * RATE)] = np.nan
    assert np.isnan(temporal_features(values)).all()
    assert np.isnan(temporal_features(np.full((5000, 22), np.nan))).all()
    assert np.isnan(temporal_features(np.empty((0, 22)))).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    gaps=st.lists(st.tuples(st.integers(0, 1600), st.integers(1, 90)), max_size=12),
)
def test_any_gaps_give_finite_features_without_warning(seed, gaps):
    values = moving_series(seed, seconds=75)
    for start, length in gaps:
        values[start : start + length] = np.nan
    row = temporal_features(values)
    assert np.isfinite(row).all() or (~np.isnan(values[:, 0])).sum() < 30 * RATE
    shares = [FEATURE_NAMES[i] for i in np.flatnonzero(row < FEATURE_RANGES[:, 0] - 1e-9)]
    assert not shares


def test_scattered_frames_give_finite_features():
    values = moving_series(0, seconds=200)
    values[np.arange(len(values)) % 6 > 1] = np.nan  # no quarter second is observed
    assert np.isfinite(temporal_features(values)).all()
    values = moving_series(0, seconds=200)
    values[np.arange(len(values)) % 48 >= 12] = np.nan  # no template survives
    assert np.isfinite(temporal_features(values)).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-0.19, 0.19))
def test_a_constant_added_to_a_channel_changes_nothing(seed, shift):
    values = moving_series(seed)
    moved = values.copy()
    moved[:, 1:] += shift
    np.testing.assert_allclose(
        temporal_features(moved), temporal_features(values), rtol=2e-2, atol=2e-2
    )
    exact = np.isin(FEATURE_CLASS, (0, 1))
    np.testing.assert_allclose(
        temporal_features(moved)[exact], temporal_features(values)[exact], atol=1e-5
    )


def test_dynamics_do_not_depend_on_the_width_of_the_range():
    values = moving_series(4)
    narrow = 0.5 + (values - 0.5) / 2
    scale_free = (FEATURE_CLASS == 2) & np.array(
        [not name.endswith(("_rate", "_duration", "dwell")) for name in FEATURE_NAMES]
    )
    np.testing.assert_allclose(
        temporal_features(narrow)[scale_free], temporal_features(values)[scale_free], rtol=1e-2
    )


def test_channels_do_not_see_each_other():
    values = moving_series(2)
    order = np.concatenate([[0], 1 + np.random.default_rng(0).permutation(21)])
    row = temporal_features(values).reshape(22, N_STATISTICS)
    permuted = temporal_features(values[:, order]).reshape(22, N_STATISTICS)
    np.testing.assert_allclose(permuted, row[order], rtol=1e-6, atol=1e-9)


def test_time_reversal_keeps_everything():
    # Whole seconds without a gap: all statistics are symmetric in time but sample entropy, whose
    # pairs of two seconds leave out the last one.
    values = moving_series(5)
    symmetric = np.array([not name.endswith("sample_entropy") for name in FEATURE_NAMES])
    there, back = temporal_features(values), temporal_features(values[::-1])
    np.testing.assert_allclose(back[symmetric], there[symmetric], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(back, there, rtol=0.3, atol=1e-9)


def test_another_frame_rate_gives_about_the_same_features():
    fine = moving_series(6, seconds=120)
    row, halved = temporal_features(fine), temporal_features(fine[::2], rate_hz=12)
    level = FEATURE_CLASS < 2
    np.testing.assert_allclose(halved[level], row[level], atol=0.02)
    names = [i for i, n in enumerate(FEATURE_NAMES) if n.endswith("spectral_centroid")]
    np.testing.assert_allclose(halved[names], row[names], atol=0.05)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: v[:, :21], "shape"),
        (lambda v: v[0], "shape"),
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 50, np.inf, v), "infinite"),
        (lambda v: v + 0.9, "outside"),
        (lambda v: v - 0.9, "outside"),
        (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 50, np.nan, v), "Frame 2"),
    ],
)
def test_wrong_values_are_refused(spoil, words):
    with pytest.raises(InputError, match=words):
        temporal_features(spoil(moving_series()))


@pytest.mark.parametrize("rate", [0.0, 3.0, float("nan"), float("inf")])
def test_wrong_rates_are_refused(rate):
    with pytest.raises(InputError, match="4 Hz"):
        temporal_features(moving_series(), rate_hz=rate)


def test_one_participant_takes_milliseconds():
    values = moving_series(seconds=412).astype(np.float32)
    temporal_features(values)
    best = min(_seconds(values) for _ in range(5))
    assert best < 0.1  # 10 ms on an idle core


def _seconds(values):
    started = time.perf_counter()
    temporal_features(values)
    return time.perf_counter() - started
