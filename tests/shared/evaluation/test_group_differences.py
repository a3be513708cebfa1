import json
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ranksums

from shared.channels import CHANNELS, GROUP_CHANNELS
from shared.errors import InputError
from shared.evaluation.group_differences import (
    attribute_group_columns,
    group_differences,
    step_down_p_values,
)
from shared.features import FEATURE_NAMES


def differences_of(features, asd, clinic=None, groups=None, **options):
    names = [f"f{j}" for j in range(features.shape[1])]
    groups = groups or {"all": range(features.shape[1])}
    return group_differences(features, asd, names=names, groups=groups, clinic=clinic, **options)


def test_without_clinics_the_statistic_is_the_rank_sum_test_of_scipy():
    rng = np.random.default_rng(0)
    features, asd = rng.standard_normal((30, 5)), rng.random(30) < 0.5
    wanted = [ranksums(column[asd], column[~asd]).statistic for column in features.T]
    np.testing.assert_allclose(differences_of(features, asd, draws=19).features.statistic, wanted)


def arrangements(asd, clinic):
    """Every way to give out the diagnoses within clinics."""
    each = []
    for c in np.unique(clinic):
        here = np.flatnonzero(clinic == c)
        each.append([set(chosen) for chosen in combinations(here, int(asd[here].sum()))])
    for chosen in product(*each):
        members = set().union(*chosen)
        yield np.array([i in members for i in range(len(asd))])


def van_elteren(values, asd, clinic):
    total = 0.0
    for c in np.unique(clinic):
        here = np.flatnonzero(clinic == c)
        for i in here[asd[here]]:
            below = np.sum(values[here] < values[i]) + np.sum(values[here] == values[i]) / 2 + 0.5
            total += below / (len(here) + 1)
    return total


def test_statistic_and_p_value_agree_with_all_arrangements_within_clinics():
    rng = np.random.default_rng(3)
    asd = np.array([1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0], dtype=bool)
    clinic = np.array(list("aaaaabbbbcc"))
    values = rng.integers(0, 9, 11).astype(float)
    every = np.array([van_elteren(values, a, clinic) for a in arrangements(asd, clinic)])
    here = (van_elteren(values, asd, clinic) - every.mean()) / every.std()
    found = differences_of(values[:, None], asd, clinic, draws=20_000)
    assert found.features.statistic[0] == pytest.approx(here)
    exact = np.mean(np.abs(every - every.mean()) / every.std() >= abs(here) - 1e-9)
    assert found.features.p[0] == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert found.stratified


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.booleans())
def test_step_down_is_westfall_and_youngs_algorithm(seed, d, whole_numbers):
    rng = np.random.default_rng(seed)
    observed, permuted = rng.standard_normal(d) + 1, rng.standard_normal((60, d))
    if whole_numbers:
        observed, permuted = np.round(observed), np.round(permuted)
    wanted, least = np.empty(d), 0.0
    left = sorted(range(d), key=lambda j: -observed[j])
    while left:
        first = left[0]
        reached = sum(max(row[j] for j in left) >= observed[first] for row in permuted)
        least = max(least, (1 + reached) / 61)
        wanted[first] = least
        left = left[1:]
    found = step_down_p_values(observed, permuted)
    # Equal statistics share a p-value, whichever comes first.
    for value in np.unique(observed):
        wanted[observed == value] = wanted[observed == value].max()
        found[observed == value] = found[observed == value].max()
    np.testing.assert_allclose(found, wanted)


def test_a_true_difference_is_found_and_the_others_are_not():
    rng = np.random.default_rng(2)
    asd, clinic = np.arange(88) < 49, np.arange(88) % 4
    features = rng.standard_normal((88, 40))
    features[:, 7] -= 1.5 * asd
    groups = {"with": range(10), "without": range(10, 40)}
    found = differences_of(features, asd, clinic, groups, draws=999)
    assert np.flatnonzero(found.features.p_family <= 0.05).tolist() == [7]
    assert np.flatnonzero(found.features.q <= 0.05).tolist() == [7]
    assert found.features.statistic[7] < -4
    assert found.hedges_g.high[7] < 0
    assert found.cliffs_delta.high[7] < 0
    assert found.groups.names == ("with", "without")
    assert found.groups.p_family[0] <= 0.05 < found.groups.p_family[1]
    assert (found.features.p <= found.features.p_family).all()
    assert (found.asd, found.other, found.draws) == (49, 39, 999)


def test_a_difference_between_clinics_is_none_between_diagnoses():
    rng = np.random.default_rng(1)
    clinic = np.repeat([0, 1], 60)
    asd = rng.random(120) < np.where(clinic == 0, 0.8, 0.2)
    features = rng.standard_normal((120, 3)) + 3 * clinic[:, None]
    assert differences_of(features, asd, draws=499).features.p_family.max() <= 0.01
    assert differences_of(features, asd, clinic, draws=499).features.p_family.min() > 0.05


def test_a_feature_without_variation_has_no_p_value_below_one():
    features = np.column_stack([np.ones(20), np.full(20, np.nan), np.arange(20.0)])
    found = differences_of(features, np.arange(20) < 10, draws=99)
    np.testing.assert_array_equal(found.features.p[:2], 1)
    np.testing.assert_array_equal(found.features.statistic[:2], 0)
    assert found.features.p[2] == 0.01


def test_the_same_seed_gives_the_same_and_the_json_is_plain():
    rng = np.random.default_rng(6)
    features = np.column_stack([rng.standard_normal(30), np.ones(30)])
    first, second, other = (
        differences_of(features, np.arange(30) < 12, draws=99, seed=seed).as_json()
        for seed in (1, 1, 2)
    )
    assert first == second != other
    assert json.loads(json.dumps(first, allow_nan=False)) == first


def test_columns_of_the_attribute_groups():
    columns = attribute_group_columns()
    assert sorted(np.concatenate(list(columns.values()))) == list(range(len(FEATURE_NAMES)))
    for group, channels in GROUP_CHANNELS.items():
        named = {FEATURE_NAMES[column].split("__")[0] for column in columns[group]}
        assert named == {CHANNELS[channel] for channel in channels}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"draws": 18}, "18 permutations asked"),
        ({"names": ["a"]}, "1 names"),
        ({"groups": {"au": []}}, "without any feature: au"),
        ({"groups": {}}, "without any feature: all"),
        ({"features": np.full((4, 2), np.inf)}, "infinite"),
    ],
)
def test_faults_are_said(change, words):
    given_ = {"features": np.zeros((4, 2)), "names": ["a", "b"], "groups": {"g": [0]}} | change
    features = given_.pop("features")
    with pytest.raises(InputError, match=words):
        group_differences(features, np.array([True, False, True, False]), **given_)
