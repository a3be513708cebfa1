import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.evaluation.indeterminate import (
    Zone,
    choose_zone,
    held_out_zone,
    measure_zone,
)


def outside(asd, score, zone):
    given_ = ~zone.holds(score)
    hits = (score > 0)[given_ & asd]
    clear = (score <= 0)[given_ & ~asd]
    return hits, clear


def size(asd, score, zone):
    inside = zone.holds(score)
    return inside[asd].mean() + inside[~asd].mean()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.7, 0.9, 1.0]), st.booleans())
def test_no_smaller_zone_reaches_the_targets(seed, target, ties):
    rng = np.random.default_rng(seed)
    asd = rng.permutation(np.arange(14) < 7)
    score = rng.normal(asd - 0.5, 1.0)
    if ties:
        score = np.round(score, 1)
    options = {"sensitivity": target, "specificity": target, "most_indeterminate": 0.8}
    found = choose_zone(asd, score, **options)
    edges = [Zone.empty()]
    lows = [np.nextafter(0, 1), *score[score <= 0]]
    highs = [0.0, *score[score > 0]]
    edges += [Zone(low, high) for low in lows for high in highs]
    good = []
    for zone in edges:
        hits, clear = outside(asd, score, zone)
        left_out = max(zone.holds(score)[asd].mean(), zone.holds(score)[~asd].mean())
        if (
            len(hits)
            and len(clear)
            and min(hits.mean(), clear.mean()) >= target - 1e-9
            and left_out <= 0.8 + 1e-9
        ):
            good.append(size(asd, score, zone))
    if found is None:
        assert not good
    else:
        hits, clear = outside(asd, score, found)
        assert min(hits.mean(), clear.mean()) >= target - 1e-9
        assert size(asd, score, found) == pytest.approx(min(good))


def test_a_classifier_without_error_needs_no_zone():
    asd = np.array([True, True, False, False])
    zone = choose_zone(asd, np.array([2.0, 1.0, -1.0, -2.0]))
    assert zone == Zone.empty()
    assert not zone.holds(np.array([0.0, 1e-9])).any()


def test_no_zone_where_the_targets_are_out_of_reach():
    asd = np.array([True, True, False, False])
    assert choose_zone(asd, np.array([-2.0, -1.0, 1.0, 2.0])) is None


def test_many_scores_take_evenly_spaced_edges():
    rng = np.random.default_rng(0)
    asd = np.arange(4000) < 2000
    score = rng.normal(2 * (asd - 0.5), 1.0)
    zone = choose_zone(asd, score, sensitivity=0.95, specificity=0.95)
    hits, clear = outside(asd, score, zone)
    # Two normal groups 2 apart: outside +-0.335 both are .95 (and only just).
    assert 0.95 <= hits.mean() < 0.953
    assert 0.95 <= clear.mean() < 0.953


def test_measures_count_inside_and_outside():
    asd = np.array([1, 1, 1, 1, 0, 0, 0], dtype=bool)
    score = np.array([2.0, 0.1, -0.1, -2.0, -2.0, 0.05, 3.0])
    found = measure_zone(asd, score, Zone(-0.5, 0.5).holds(score))
    assert (found.true_asd, found.missed_asd, found.true_other, found.false_asd) == (1, 1, 1, 1)
    assert found.indeterminate.value == pytest.approx(3 / 7)
    assert found.indeterminate_asd.value == 0.5
    assert found.indeterminate_other.value == pytest.approx(1 / 3)
    assert (found.sensitivity.value, found.specificity.value) == (0.5, 0.5)
    assert (found.ppv.value, found.npv.value) == (0.5, 0.5)
    assert (found.sensitivity_all.value, found.specificity_all.value) == (
        0.25,
        pytest.approx(1 / 3),
    )
    assert found.n == 7
    everything = measure_zone(asd, score, np.ones(7, dtype=bool)).as_json()
    assert everything["sensitivity"]["value"] is None
    assert json.loads(json.dumps(everything, allow_nan=False)) == everything


def test_each_fold_takes_the_zone_of_the_others():
    rng = np.random.default_rng(2)
    asd = np.arange(60) % 2 == 0
    score, fold = rng.normal(2.0 * (asd - 0.5), 1.0), np.arange(60) // 2 % 3
    zones, inside = held_out_zone(asd, score, fold)
    for k, zone in enumerate(zones):
        assert zone == choose_zone(asd[fold != k], score[fold != k])
        np.testing.assert_array_equal(inside[fold == k], zone.holds(score[fold == k]))
    assert inside.any()


def test_a_fold_without_a_zone_gives_everybody_a_diagnosis():
    asd = np.array([True, False] * 4)
    score = np.where(asd, -1.0, 1.0) * np.arange(1, 9)
    zones, inside = held_out_zone(asd, score, np.arange(8) // 4)
    assert zones == [None, None]
    assert not inside.any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sensitivity": 0.0}, "target sensitivity of 0.0"),
        ({"specificity": 1.1}, "target specificity of 1.1"),
        ({"most_indeterminate": 1.0}, "At most 1.0"),
        ({"score": np.array([np.nan, 0.0])}, "one finite score"),
        ({"score": np.zeros(3)}, "one finite score"),
        ({"asd": np.array([True, True])}, "same diagnosis"),
    ],
)
def test_faults_are_said(change, words):
    options = {"asd": np.array([True, False]), "score": np.array([1.0, -1.0])} | change
    with pytest.raises(InputError, match=words):
        choose_zone(**options)


def test_one_fold_is_too_few():
    with pytest.raises(InputError, match="at least two are needed"):
        held_out_zone(np.array([True, False]), np.array([1.0, -1.0]), np.zeros(2, dtype=int))
