"""The permutation test of "better than chance"."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.evaluation import classification_metrics
from shared.evaluation.chance import (
    logistic_statistic,
    nested_statistic,
    permutation_test,
    within,
)
from shared.evaluation.folds import stratified_fold
from shared.evaluation.nested import nested_cross_validation
from shared.learning.pooled import train_pooled

N = 40


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    asd = np.arange(N) % 2 == 0
    clinic = np.repeat(["a", "b"], N // 2)
    x = rng.standard_normal((N, 50))
    return x, asd, clinic, stratified_fold(asd, 5, rng)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 99))
def test_rows_stay_in_their_clinic(clinics, seed):
    clinic = np.unique(clinics, return_inverse=True)[1][np.arange(len(clinics))]
    order = within(clinic, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(order), np.arange(len(clinic)))
    np.testing.assert_array_equal(clinic[order], clinic)


def test_every_order_within_a_clinic_is_as_likely():
    rng = np.random.default_rng(0)
    drawn = [tuple(within(np.array([1, 0, 1, 1]), rng)) for _ in range(3000)]
    orders, count = np.unique(drawn, axis=0, return_counts=True)
    assert len(orders) == 6
    assert (orders[:, 1] == 1).all()
    assert abs(count - 500).max() < 100  # 5 standard deviations


def test_the_statistic_is_the_cross_validated_figure_of_pooled_fits(cohort):
    x, asd, _, fold = cohort
    order = np.random.default_rng(1).permutation(N)
    score = np.empty(N)
    for k in range(5):
        model = train_pooled(x[order][fold != k], asd[fold != k], 0.3)
        score[fold == k] = model.probability(x[order][fold == k]) - 0.5
    expected = classification_metrics(asd, score, fold)
    for metric in ("auc", "balanced_accuracy"):
        found = logistic_statistic(x, asd, fold, c=0.3, metric=metric)(order)
        assert found == pytest.approx(expected[metric])


def test_a_signal_is_found_and_noise_is_not(cohort):
    x, asd, clinic, fold = cohort
    told = x.copy()
    told[:, :4] += 1.5 * asd[:, None]
    found = permutation_test(logistic_statistic(told, asd, fold), clinic, seed=0, permutations=99)
    assert found.p == 1 / 100
    assert found.observed > 0.8
    noise = permutation_test(logistic_statistic(x, asd, fold), clinic, seed=0, permutations=99)
    assert noise.p > 0.05
    json.dumps(found.as_json(), allow_nan=False)


def test_a_camera_that_gives_the_clinic_away_is_no_evidence():
    """One clinic sees mostly ASD and has another camera: a classifier ranks well, by clinic."""
    rng = np.random.default_rng(3)
    clinic = np.repeat([0, 1], 30)
    asd = rng.random(60) < np.where(clinic == 0, 0.85, 0.15)
    x = rng.standard_normal((60, 20)) + 3 * clinic[:, None]
    statistic = logistic_statistic(x, asd, stratified_fold(asd, 5, rng))
    inside = permutation_test(statistic, clinic, seed=0, permutations=99)
    across = permutation_test(statistic, np.zeros(60), seed=0, permutations=99)
    assert inside.observed > 0.7
    assert inside.p > 0.05
    assert across.p <= 0.05


def test_p_counts_the_data_and_ties():
    values = iter([0.5, 0.5, 0.4, 0.6, 0.3])
    found = permutation_test(lambda order: next(values), np.zeros(3), seed=0, permutations=4)
    assert (found.at_least_as_good, found.permutations, found.p) == (2, 4, 3 / 5)
    assert not found.stopped


def test_it_stops_when_enough_were_as_good():
    values = iter([0.5, 0.4, 0.5, 0.1, 0.9, 0.0])
    found = permutation_test(
        lambda order: next(values), np.zeros(3), seed=0, permutations=99, stop_after=2
    )
    assert (found.permutations, found.stopped, found.p) == (4, True, 2 / 4)


@pytest.mark.parametrize(("permutations", "stop_after"), [(19, None), (19, 1), (99, 5)])
def test_p_values_under_the_null_are_valid(permutations, stop_after):
    rng = np.random.default_rng(5)
    p = []
    for seed in range(600):
        x, y = rng.standard_normal((2, 12))
        p.append(
            permutation_test(
                lambda order, x=x, y=y: float(x[order] @ y),
                np.zeros(12),
                seed=seed,
                permutations=permutations,
                stop_after=stop_after,
            ).p
        )
    for level in (0.05, 0.2, 0.5):
        rate = np.mean(np.array(p) <= level)
        error = np.sqrt(level * (1 - level) / 600)
        assert rate < level + 3.5 * error
        if level == 0.05:
            assert rate > level - 3.5 * error  # the test is exact there, not merely careful


def test_the_nested_recipe_is_permuted_as_a_whole(cohort):
    x, asd, clinic, fold = cohort
    settings = {
        "groups": tuple(np.arange(4 * g, 4 * g + 4) for g in range(4)),
        "c_grid": (0.1,),
        "inner_folds": 2,
    }
    told = x[:, :16].copy()
    told[:, :3] += 2 * asd[:, None]
    known = nested_cross_validation(told, asd, fold, seed=1, **settings)
    statistic = nested_statistic(told, asd, fold, seed=1, **settings)
    shortcut = nested_statistic(told, asd, fold, seed=1, known=known, **settings)
    assert shortcut(np.arange(N)) == statistic(np.arange(N)) == known.estimate("auc").value
    other = within(np.zeros(N, dtype=int), np.random.default_rng(0))
    again = nested_cross_validation(told[other], asd, fold, seed=1, **settings)
    assert shortcut(other) == again.estimate("auc").value
    found = permutation_test(shortcut, clinic, seed=0, permutations=19, stop_after=1)
    assert found.p == pytest.approx(0.05)


def test_what_cannot_be_permuted_is_refused():
    with pytest.raises(InputError, match="No clinic has two"):
        permutation_test(lambda order: 0.0, np.arange(5), seed=0)
    with pytest.raises(InputError, match="0 permutations"):
        permutation_test(lambda order: 0.0, np.zeros(5), seed=0, permutations=0)
    with pytest.raises(InputError, match="stopping after 0"):
        permutation_test(lambda order: 0.0, np.zeros(5), seed=0, stop_after=0)
