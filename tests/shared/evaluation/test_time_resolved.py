import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from released import affect_study, private_model
from series_over_time import drawn_series

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, GROUP_CHANNELS, all_combinations
from shared.errors import InputError
from shared.evaluation.time_resolved import resolve_linear, resolve_private
from shared.features import FEATURE_CHANNEL, temporal_features
from shared.learning.pooled import PooledLogistic
from shared.privacy.attribution import attribute_score
from shared.privacy.constants import load_constants
from shared.privacy.unit_vectors import AffectMap

CONSTANTS = load_constants()


def linear(groups, seed):
    channels = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    d = int(np.isin(FEATURE_CHANNEL, channels).sum())
    rng = np.random.default_rng(seed)
    return PooledLogistic(
        rng.standard_normal(d), rng.uniform(0.5, 2, d), rng.standard_normal(d), 0.3
    )


@settings(max_examples=30)
@given(st.sampled_from(all_combinations()), st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_all_parts_of_a_linear_model_add_up_to_its_log_odds(groups, seed, stretch_s):
    values, model = drawn_series(seed, seconds=70), linear(groups, seed)
    found = resolve_linear(values, model, groups, stretch_s=stretch_s)
    read = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    row = temporal_features(values)[np.isin(FEATURE_CHANNEL, read)]
    probability = model.probability(row[None])[0]
    assert 1 / (1 + np.exp(-found.score)) == pytest.approx(probability, abs=1e-10)
    assert found.rest == 0.3
    others = np.setdiff1d(np.arange(len(CHANNELS)), read)
    assert not found.parts[:, others].any()
    assert not found.remainder[others].any()


@settings(max_examples=30)
@given(st.sampled_from(all_combinations()), st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_all_parts_of_a_private_model_add_up_to_its_attribution(groups, seed, stretch_s):
    values, feature_map = drawn_series(seed, seconds=70), AffectMap(CONSTANTS, groups)
    model = private_model(affect_study(groups), seed)
    direction = np.array(model.direction)
    row = temporal_features(values)
    found = resolve_private(values, feature_map, direction, model.threshold, stretch_s=stretch_s)
    whole = attribute_score(row, feature_map, direction, model.threshold)
    np.testing.assert_allclose(found.parts.sum(axis=0) + found.remainder, whole.parts, atol=1e-9)
    assert found.score == pytest.approx(model.scores(row[None], feature_map)[0], abs=1e-9)


def test_a_feature_at_the_public_mean_takes_the_tangent():
    """There the straight line has no second point; a limit value must stand in for it."""
    from shared.evaluation.time_resolved import _straight_line
    from shared.features import FEATURE_RANGES
    from shared.privacy.constants import standard_scores

    low, high = FEATURE_RANGES.T
    middle = low + (high - low) / (1 + np.exp(-CONSTANTS.feature_mean))
    mean, sd = CONSTANTS.feature_mean, CONSTANTS.feature_sd
    near = middle + 1e-6 * (high - low)
    _, secant = _straight_line(near, standard_scores(CONSTANTS, near), mean, sd)
    centre, tangent = _straight_line(middle, standard_scores(CONSTANTS, middle), mean, sd)
    np.testing.assert_allclose(centre, middle)
    np.testing.assert_allclose(tangent, secant, rtol=2e-2)


def test_what_happens_in_one_stretch_moves_that_stretch():
    values = drawn_series(7, seconds=60, gaps=False)
    model = PooledLogistic(np.zeros(16), np.ones(16), np.eye(16)[0], 0.0)
    livelier = values.copy()
    valence = CHANNELS.index("valence")
    livelier[20 * 24 : 30 * 24, valence] = 0.95
    before, after = (
        resolve_linear(v, model, ("valence",), stretch_s=10) for v in (values, livelier)
    )
    moved = np.abs(after.parts - before.parts)[:, valence].sum(axis=1)
    assert moved.argmax() == 2


def test_the_json_holds_the_sum_and_what_is_left():
    values = drawn_series(8, seconds=45)
    found = resolve_linear(values, linear(ATTRIBUTE_GROUPS, 1), ATTRIBUTE_GROUPS)
    written = found.as_json()
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    total = np.sum(written["parts"]) + np.sum(written["remainder"]) + written["rest"]
    assert total == pytest.approx(written["score"])
    assert np.shape(written["parts"]) == (3, len(CHANNELS))
    assert 0 < written["remainder_share"] < 1
    alone = resolve_linear(values, linear(ATTRIBUTE_GROUPS, 1), ATTRIBUTE_GROUPS, stretch_s=45)
    assert alone.remainder_share < 1e-5


def test_a_model_of_other_groups_is_refused():
    with pytest.raises(InputError, match="reads 16 features; au has 192"):
        resolve_linear(drawn_series(0, seconds=40), linear(("valence",), 0), ("au",))
