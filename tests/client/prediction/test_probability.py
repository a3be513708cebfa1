import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from client.prediction.probability import LogOdds

finite = st.floats(-20, 20)
variances = st.floats(0, 30)
shares = st.floats(0.001, 0.999)


def test_both_parts_widen_the_interval():
    stated = LogOdds(0.5, 0.8, 3.0, 1.0, 0.5).stated
    assert stated.probability == pytest.approx(expit(0.5))
    assert (stated.low, stated.high) == pytest.approx(
        (expit(0.8 - 1.96 * 2), expit(0.8 + 1.96 * 2)), abs=1e-4
    )
    alone = LogOdds(0.5, 0.8, None, 1.0, None)
    assert alone.spread == 1.0


@pytest.mark.parametrize(
    ("centre", "variance", "tells"),
    [(3.0, 1.0, "ASD"), (-3.0, 1.0, "non-ASD"), (3.0, 4.0, "neither"), (0.0, 0.0, "neither")],
)
def test_it_tells_only_where_the_whole_interval_lies_on_one_side(centre, variance, tells):
    assert LogOdds(centre, centre, variance, 0.0, 0.5).tells == tells


@given(finite, finite, variances, variances)
def test_the_probability_lies_in_its_interval(estimate, centre, model, recording):
    stated = LogOdds(estimate, centre, model, recording, 0.5).stated
    assert 0 <= stated.low <= stated.probability <= stated.high <= 1


@given(st.floats(-6, 6), shares, shares)
def test_another_share_follows_bayes(estimate, share, other):
    at = LogOdds(estimate, estimate, 0.5, 0.5, share).at(other)
    # Likelihood ratio of the recording, from the first share; the second share's prior odds.
    ratio = expit(estimate) / (1 - expit(estimate)) * (1 - share) / share
    expected = ratio * other / (ratio * other + 1 - other)
    assert at.probability == pytest.approx(expected, rel=1e-6)
    moved = logit(at.high) - logit(at.low)
    assert moved == pytest.approx(2 * 1.96, abs=1e-2) or not math.isfinite(moved)


def test_without_a_known_share_nothing_is_stated_again():
    with pytest.raises(ValueError, match="unknown"):
        LogOdds(0.0, 0.0, None, 1.0, None).at(0.1)
