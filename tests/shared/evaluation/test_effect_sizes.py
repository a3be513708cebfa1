import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.evaluation.effect_sizes import cliffs_delta, hedges_g, strata_of


def two_groups(asd, other):
    return np.concatenate([asd, other])[:, None], np.arange(len(asd) + len(other)) < len(asd)


def with_mean_and_sd(n, mean, sd):
    row = np.arange(n, dtype=float)
    return mean + sd * (row - row.mean()) / row.std(ddof=1)


def test_hedges_g_is_that_of_a_textbook():
    """Borenstein et al. 2009, Introduction to Meta-Analysis, chapter 4: g .5924, variance .0411."""
    features, asd = two_groups(with_mean_and_sd(50, 103, 5.5), with_mean_and_sd(50, 100, 4.5))
    found = hedges_g(features, asd)
    assert found.value[0] == pytest.approx(0.5924, abs=1e-4)
    half = 1.959964 * np.sqrt(0.0411)
    np.testing.assert_allclose(
        [found.low[0], found.high[0]], 0.5924 + half * np.array([-1, 1]), atol=5e-4
    )


def loop_delta(values, asd, clinic):
    pairs = [
        np.sign(values[i] - values[j])
        for i in np.flatnonzero(asd)
        for j in np.flatnonzero(~asd)
        if clinic[i] == clinic[j] and not np.isnan(values[i] + values[j])
    ]
    return np.mean(pairs)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_cliffs_delta_counts_pairs_of_one_clinic(seed, gaps):
    rng = np.random.default_rng(seed)
    asd, clinic = np.arange(24) % 2 == 0, np.arange(24) // 2 % 3
    features = rng.integers(0, 6, (24, 2)).astype(float)
    if gaps:
        features[rng.random(features.shape) < 0.2] = np.nan
        features[:12] = np.nan_to_num(features[:12])
    found = cliffs_delta(features, asd, clinic)
    for column in range(2):
        values = features[:, column]
        assert found.value[column] == pytest.approx(loop_delta(values, asd, clinic), abs=1e-12)


def test_interval_of_cliffs_delta_follows_its_formula():
    rng = np.random.default_rng(4)
    values = rng.standard_normal(20)
    asd = np.arange(20) < 12
    clinic = np.zeros(20)
    variance = 0.0
    for group in (asd, ~asd):
        left = [
            loop_delta(*(a[np.arange(20) != i] for a in (values, asd, clinic)))
            for i in np.flatnonzero(group)
        ]
        variance += (len(left) - 1) * np.var(left)
    delta, z2 = loop_delta(values, asd, clinic), 1.959963984540054**2
    reach = np.sqrt(z2 * variance * ((1 - delta**2) ** 2 + z2 * variance))
    bounds = (delta - delta**3 + np.array([-1, 1]) * reach) / (1 - delta**2 + z2 * variance)
    found = cliffs_delta(values[:, None], asd)
    np.testing.assert_allclose([found.low[0], found.high[0]], bounds, rtol=1e-9)


def test_groups_that_do_not_overlap_have_an_interval_up_to_the_end():
    features, asd = two_groups(np.arange(10.0, 30), np.arange(10.0))
    above, below = cliffs_delta(features, asd), cliffs_delta(-features, asd)
    nearest = (10 - 1.96**2) / (10 + 1.96**2)
    assert (above.value[0], above.high[0]) == (1, 1)
    assert above.low[0] == pytest.approx(nearest, abs=1e-4)
    assert (below.value[0], below.low[0]) == (-1, -1)
    assert below.high[0] == pytest.approx(-nearest, abs=1e-4)


@pytest.mark.parametrize("measure", [hedges_g, cliffs_delta])
def test_a_missing_value_is_left_out(measure):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 1))
    asd, clinic = np.arange(30) % 3 == 0, np.arange(30) % 2
    gone = np.array([3, 8])
    missing = features.copy()
    missing[gone] = np.nan
    kept = np.delete(np.arange(30), gone)
    found, wanted = measure(missing, asd, clinic), measure(features[kept], asd[kept], clinic[kept])
    for part in ("value", "low", "high"):
        np.testing.assert_allclose(getattr(found, part), getattr(wanted, part), rtol=1e-12)


@pytest.mark.parametrize("measure", [hedges_g, cliffs_delta])
def test_differences_between_clinics_are_no_effect(measure):
    rng = np.random.default_rng(1)
    clinic = np.repeat([0, 1], 100)
    asd = rng.random(200) < np.where(clinic == 0, 0.8, 0.2)
    features = rng.standard_normal((200, 1)) + 5 * clinic[:, None]
    assert abs(measure(features, asd, clinic).value[0]) < 0.3
    assert measure(features, asd).high[0] < -0.5


def test_a_constant_feature_has_no_g_and_no_dominance():
    features, asd = np.full((10, 1), 0.1), np.arange(10) < 5
    g = hedges_g(features, asd)
    assert np.isnan([g.value, g.low, g.high]).all()
    assert cliffs_delta(features, asd).value[0] == 0
    assert json.loads(json.dumps(g.as_json(), allow_nan=False))["value"] == [None]


@pytest.mark.soak
@pytest.mark.parametrize(("measure", "truth"), [(hedges_g, 0.6), (cliffs_delta, 0.32863)])
def test_intervals_cover(measure, truth):
    """Two normal groups 0.6 apart: P(higher) - P(lower) is 2 Phi(0.6 / sqrt 2) - 1."""
    rng = np.random.default_rng(5)
    asd = np.arange(88) < 49
    found = measure(rng.standard_normal((88, 4000)) + 0.6 * asd[:, None], asd)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert 0.935 <= covered <= 0.965


@pytest.mark.parametrize(
    ("asd", "clinic", "words"),
    [
        ([True, False], [0, 1], "None of 2 clinics"),
        ([True, True], None, "None of 1 clinics"),
        ([True, False], [0], "1 clinics were given for 2"),
    ],
)
def test_nothing_to_compare_is_said(asd, clinic, words):
    with pytest.raises(InputError, match=words):
        strata_of(np.array(asd), clinic)
