import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from released import affect_study, linear_model, private_model

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, GROUP_CHANNELS, all_combinations
from shared.features import FEATURE_CHANNEL, FEATURE_CLASS, FEATURE_RANGES, FEATURE_SIGN
from shared.model_file import model_inputs
from shared.privacy.attribution import attribute_log_odds, attribute_score
from shared.privacy.constants import load_constants
from shared.privacy.unit_vectors import AffectMap

CONSTANTS = load_constants()
LOW, HIGH = FEATURE_RANGES.T


def at(scores):
    """Features that lie at these public standard scores."""
    return LOW + (HIGH - LOW) / (
        1 + np.exp(-(CONSTANTS.feature_mean + CONSTANTS.feature_sd * scores))
    )


def features(seed):
    return at(1.2 * np.random.default_rng(seed).standard_normal(len(LOW)))


@given(st.sampled_from(all_combinations()), st.integers(0, 2**32 - 1))
def test_parts_add_up_to_the_score_that_the_model_gives(groups, seed):
    model = private_model(affect_study(groups), seed)
    feature_map = AffectMap(CONSTANTS, groups)
    row = features(seed)
    found = attribute_score(row, feature_map, np.array(model.direction), model.threshold)
    assert found.score == pytest.approx(model.scores(row[None], feature_map)[0], abs=1e-12)
    # What no channel has is the threshold, up to the grid of unit vectors.
    assert found.rest == pytest.approx(-model.threshold, abs=5e-5)
    read = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    assert not found.parts[np.setdiff1d(np.arange(len(CHANNELS)), read)].any()
    assert np.isfinite(found.deviations[read]).all()
    assert np.isnan(found.deviations).any() == (len(read) < len(CHANNELS))


def test_a_channels_part_is_what_it_changes_against_the_public_mean():
    """One channel at its mean loses its own part, and the others keep their proportions."""
    feature_map = AffectMap(CONSTANTS, ("arousal", "valence"))
    direction = np.array(private_model(affect_study(("arousal", "valence"))).direction)
    scores = 0.7 * np.random.default_rng(3).standard_normal(len(LOW))
    whole = attribute_score(at(scores), feature_map, direction, 0.0)
    valence = CHANNELS.index("valence")
    without = np.where(np.equal(FEATURE_CHANNEL, valence), 0.0, scores)
    left = attribute_score(at(without), feature_map, direction, 0.0)
    # All statistics at their means is very nearly all composites at theirs.
    assert np.abs(left.parts[valence]).sum() < 0.05 * np.abs(whole.parts[valence]).sum()
    arousal = CHANNELS.index("arousal")
    ratios = left.parts[arousal] / whole.parts[arousal]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_deviations_grow_with_what_the_class_says(kind):
    joy = CHANNELS.index("expression_joy")
    moved = np.equal(FEATURE_CHANNEL, joy) & np.equal(FEATURE_CLASS, kind)
    feature_map = AffectMap(CONSTANTS, ("expression",))
    direction = np.ones(feature_map.dimension)
    up = attribute_score(at(np.where(moved, FEATURE_SIGN, 0.0)), feature_map, direction, 0.0)
    assert up.deviations[joy, kind] > 1
    others = np.delete(up.deviations[list(GROUP_CHANNELS["expression"])].ravel(), 3 + kind)
    assert np.abs(others).max() < 0.2


def test_deviations_are_in_public_standard_deviations():
    rng = np.random.default_rng(0)
    feature_map = AffectMap(CONSTANTS, ATTRIBUTE_GROUPS)
    direction = np.ones(feature_map.dimension)
    # One common shift of all statistics of a class is the most a composite can vary by.
    shared = rng.standard_normal((300, len(CHANNELS), 3))
    rows = [at(FEATURE_SIGN * one[FEATURE_CHANNEL, FEATURE_CLASS]) for one in shared]
    found = [attribute_score(row, feature_map, direction, 0.0).deviations for row in rows]
    spread = np.std(found, axis=0)
    assert (spread > 0.9).all()
    assert (spread < 2.5).all()


def test_scaling_scales_every_part_and_shifts_what_no_channel_has():
    feature_map = AffectMap(CONSTANTS, ("au",))
    found = attribute_score(features(1), feature_map, np.ones(feature_map.dimension), 0.1)
    scaled = found.scaled(3.0, 0.5)
    assert scaled.score == pytest.approx(3 * found.score + 0.5)
    np.testing.assert_allclose(scaled.parts, 3 * found.parts)


@given(st.sampled_from(all_combinations()), st.integers(0, 2**32 - 1))
def test_parts_of_a_linear_model_add_up_to_its_log_odds(groups, seed):
    model = linear_model(affect_study(groups, method="federated"), seed)
    row = features(seed)
    found = attribute_log_odds(row, model, groups, CONSTANTS)
    assert found.score == pytest.approx(model.scores(row[None, model_inputs(groups)])[0], abs=1e-9)
    assert found.rest == model.intercept
