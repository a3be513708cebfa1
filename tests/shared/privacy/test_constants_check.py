import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.channels import ATTRIBUTE_GROUPS
from shared.features import FEATURE_RANGES
from shared.privacy.constants import feature_logits, load_constants
from shared.privacy.constants_building import build_constants
from shared.privacy.constants_check import FAR, FEWEST_CHECKED, check_constants
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

LOW, HIGH = FEATURE_RANGES.T


def people(n, seed=0, shift=0.0):
    """Correlated features; ``shift`` moves every logit by so many of its deviations."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((6, len(LOW)))
    logits = 0.3 * rng.standard_normal((n, 6)) @ mixing + 0.5 * rng.standard_normal((n, len(LOW)))
    return LOW + (HIGH - LOW) / (1 + np.exp(1.0 - logits - shift * np.hypot(0.73, 0.5)))


CONSTANTS = build_constants(people(200), "made-up")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_constants_of_the_right_population_fit(seed):
    finding = check_constants(CONSTANTS, people(22, seed))
    assert finding.people == 22
    assert finding.shared_direction < FAR
    assert not finding.far
    assert "they fit this clinic (shared direction" in finding.in_words()


def off_by_a_random_deviation(features, seed=0):
    """Every statistic off by a random public standard deviation, as with another camera."""
    rng = np.random.default_rng(seed)
    logits = feature_logits(features) + CONSTANTS.feature_sd * rng.standard_normal(len(LOW))
    return LOW + (HIGH - LOW) / (1 + np.exp(-logits))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_constants_that_are_off_by_a_deviation_are_far_and_the_words_say_where(seed):
    finding = check_constants(CONSTANTS, off_by_a_random_deviation(people(22, seed), seed))
    assert finding.far
    assert len(finding.farthest) == 3
    sizes = [abs(mean) for _, mean in finding.farthest]
    assert sizes == sorted(sizes, reverse=True)
    words = finding.in_words()
    assert "far from them" in words
    assert f"most at {finding.farthest[0][0]} {finding.farthest[0][1]:+.1f} sd" in words
    assert "privacy is not affected" in words
    assert "at least 20 consented, unlabelled recordings" in words


def test_the_farthest_composite_is_the_one_that_was_moved():
    features = people(22, 4)
    logits = feature_logits(features)
    from shared.features import FEATURE_CHANNEL, FEATURE_CLASS, FEATURE_SIGN

    arousal_level = (np.array(FEATURE_CHANNEL) == 9) & (np.array(FEATURE_CLASS) == 0)
    logits += np.where(arousal_level, 2.5 * np.array(FEATURE_SIGN) * CONSTANTS.feature_sd, 0.0)
    finding = check_constants(CONSTANTS, LOW + (HIGH - LOW) / (1 + np.exp(-logits)))
    assert finding.farthest[0][0] == "arousal level"
    assert finding.farthest[0][1] > 1


def test_the_shared_direction_is_the_mean_product_of_two_different_people():
    features = people(9, 5)
    phi = AffectMap(CONSTANTS, ATTRIBUTE_GROUPS).unit_vectors(features) / GRID
    pairs = [phi[i] @ phi[j] for i in range(9) for j in range(9) if i != j]
    finding = check_constants(CONSTANTS, features)
    assert finding.shared_direction == pytest.approx(np.mean(pairs))
    same = check_constants(CONSTANTS, np.repeat(features[:1], 6, axis=0))
    assert same.shared_direction == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("n", range(FEWEST_CHECKED))
def test_fewer_than_five_people_are_not_judged(n):
    finding = check_constants(CONSTANTS, people(n, 1, shift=5.0))
    assert (finding.people, finding.far) == (n, False)
    assert f"not checked, {n} usable participants are too few" in finding.in_words()


def test_rows_that_are_not_finite_are_left_out():
    features = people(12, 6)
    spoilt = np.insert(features, [0, 7], np.nan, axis=0)
    spoilt[1, 5] = spoilt[1, 5]
    assert check_constants(CONSTANTS, spoilt) == check_constants(CONSTANTS, features)


@settings(max_examples=25)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(0, 8), st.just(len(LOW))),
        elements=st.sampled_from([0.0, 0.5, 1.0, -1e308, 1e308, np.nan, np.inf, 5e-324]),
        fill=st.floats(0, 1),
    )
)
def test_no_features_whatsoever_make_it_raise(features):
    finding = check_constants(load_constants(), features)
    assert np.isfinite(finding.shared_direction)
    assert finding.in_words()
