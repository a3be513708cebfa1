import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_over_time import drawn_series

from shared.channels import CHANNELS
from shared.errors import InputError
from shared.evaluation.features_over_time import (
    EXACT_STATISTICS,
    WINDOWED_STATISTICS,
    features_over_time,
)
from shared.features import FEATURE_NAMES, STATISTICS, temporal_features

EXACT = np.array([name.split("__")[1] in EXACT_STATISTICS for name in FEATURE_NAMES])


def column(channel, statistic):
    return FEATURE_NAMES.index(f"{channel}__{statistic}")


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.sampled_from([24.0, 10.0, 29.97]))
def test_parts_and_remainder_add_up_and_the_exact_ones_have_no_remainder(seed, stretch_s, rate):
    values = drawn_series(seed, seconds=70, rate_hz=rate)
    found = features_over_time(values, stretch_s=stretch_s, rate_hz=rate)
    np.testing.assert_array_equal(found.features, temporal_features(values, rate_hz=rate))
    np.testing.assert_allclose(
        found.parts.sum(axis=0) + found.remainder, found.features, atol=1e-12
    )
    # Level mean and standard deviation are read in float32.
    np.testing.assert_allclose(found.remainder[EXACT], 0, atol=3e-6)
    assert found.share.sum() == pytest.approx(1)


def test_every_statistic_is_one_of_the_two_kinds():
    assert sorted(EXACT_STATISTICS + WINDOWED_STATISTICS) == sorted(s.name for s in STATISTICS)


def test_one_stretch_is_the_whole_recording():
    found = features_over_time(drawn_series(1, seconds=40), stretch_s=40)
    assert len(found.start_s) == 1
    np.testing.assert_allclose(found.remainder, 0, atol=3e-6)


def test_a_smile_counts_in_the_stretch_in_which_it_happened():
    values = drawn_series(2, seconds=60, gaps=False)
    joy = CHANNELS.index("expression_joy")
    values[:, joy] = 0.1
    values[25 * 24 : 27 * 24, joy] = 0.9
    found = features_over_time(values, stretch_s=10)
    for statistic in ("episode_rate", "episode_duration", "dwell", "sd"):
        parts = found.parts[:, column("expression_joy", statistic)]
        assert parts.argmax() == 2
        assert parts[2] > 0.6 * parts.sum()
    rate = found.parts[:, column("expression_joy", "episode_rate")]
    np.testing.assert_allclose(rate, [0, 0, 1, 0, 0, 0])


def test_a_stretch_without_a_face_has_no_part():
    values = drawn_series(3, seconds=60, gaps=False)
    values[20 * 24 : 30 * 24] = np.nan
    found = features_over_time(values, stretch_s=10)
    np.testing.assert_array_equal(found.face_share, [1, 1, 0, 1, 1, 1])
    np.testing.assert_allclose(found.parts[2], 0, atol=1e-12)
    assert found.share[2] == 0


def test_a_channel_that_never_moves_has_its_stated_values_at_all_times():
    values = drawn_series(4, seconds=60, gaps=False)
    values[:, CHANNELS.index("au9")] = 0.25
    found = features_over_time(values, stretch_s=20)
    np.testing.assert_allclose(found.parts[:, column("au9", "autocorrelation_1s")], 1 / 3)
    np.testing.assert_allclose(found.remainder[EXACT], 0, atol=3e-6)


def test_a_short_last_stretch_joins_the_one_before():
    for seconds, stops in ((44, [10, 20, 30, 44]), (46, [10, 20, 30, 40, 46])):
        found = features_over_time(drawn_series(5, seconds=seconds), stretch_s=10)
        np.testing.assert_allclose(found.stop_s, stops)
        np.testing.assert_allclose(found.start_s, [0, *stops[:-1]])


@pytest.mark.parametrize("stretch_s", [3, 0, 7.5])
def test_a_stretch_that_is_too_short_is_said(stretch_s):
    with pytest.raises(InputError, match="whole seconds from 4 on"):
        features_over_time(drawn_series(0, seconds=40), stretch_s=stretch_s)


def test_too_few_frames_with_a_face_are_said():
    with pytest.raises(InputError, match="Fewer than 30 s"):
        features_over_time(drawn_series(0, seconds=29))
