"""Nested cross-validation against a loop over the pooled fit, and what it must not see."""

import json

import numpy as np
import pytest

from shared.channels import all_combinations
from shared.errors import InputError
from shared.evaluation.folds import stratified_fold
from shared.evaluation.nested import attribute_columns, nested_cross_validation
from shared.features import FEATURE_NAMES
from shared.learning.pooled import train_pooled

GROUPS = tuple(np.arange(4 * g, 4 * g + 4) for g in range(4))
C = (0.01, 1.0)


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    asd = np.arange(44) < 24
    x = rng.standard_normal((44, 16))
    x[:, 4:6] += 1.2 * asd[:, None]  # arousal tells
    x[3, 9] = np.nan
    fold = np.stack([stratified_fold(asd, 4, rng) for _ in range(2)])
    return x, asd, fold


def run(x, asd, fold, seed=3):
    return nested_cross_validation(x, asd, fold, seed=seed, groups=GROUPS, c_grid=C, inner_folds=3)


def columns(combination):
    order = ("au", "arousal", "valence", "expression")
    return np.concatenate([GROUPS[order.index(group)] for group in combination])


def test_equals_a_loop_over_pooled_fits(cohort):
    x, asd, fold = cohort
    found = run(x, asd, fold)
    for r, k in ((0, 0), (1, 3)):
        train = np.flatnonzero(fold[r] != k)
        tested = fold[r] == k
        inner = stratified_fold(asd[train], 3, np.random.default_rng([3, r, k]))
        losses = np.zeros((15, 2))
        for i, combination in enumerate(all_combinations()):
            own = columns(combination)
            for j, c in enumerate(C):
                for part in range(3):
                    known, held = train[inner != part], train[inner == part]
                    p = train_pooled(x[known][:, own], asd[known], c).probability(x[held][:, own])
                    losses[i, j] -= np.log(np.where(asd[held], p, 1 - p)).sum()
        best, place = np.unravel_index(losses.argmin(), losses.shape)
        assert found.chosen[r, k] == best
        assert found.chosen_c[r, k] == C[place]
        np.testing.assert_array_equal(
            found.c_by_combination[:, r, k], np.array(C)[losses.argmin(axis=1)]
        )
        for i in (0, best):
            own = columns(all_combinations()[i])
            model = train_pooled(x[train][:, own], asd[train], C[losses[i].argmin()])
            likely = 1 / (1 + np.exp(-found.by_combination[i, r, tested]))
            np.testing.assert_allclose(likely, model.probability(x[tested][:, own]), atol=1e-6)
        np.testing.assert_array_equal(found.score[r, tested], found.by_combination[best, r, tested])


def test_a_tested_participants_diagnosis_is_never_seen(cohort):
    x, asd, fold = cohort
    turned = np.where(fold[0] == 2, ~asd, asd)
    one, other = run(x, asd, fold[0]), run(x, turned, fold[0])
    tested = fold[0] == 2
    np.testing.assert_array_equal(one.score[0, tested], other.score[0, tested])
    assert (one.score[0, ~tested] != other.score[0, ~tested]).all()


def test_other_tested_participants_features_are_never_seen(cohort):
    x, asd, fold = cohort
    tested = np.flatnonzero(fold[0] == 1)
    moved = x.copy()
    moved[tested[1:]] *= 100
    one, other = run(x, asd, fold[0]), run(moved, asd, fold[0])
    np.testing.assert_array_equal(one.score[0, tested[0]], other.score[0, tested[0]])
    assert one.score[0, tested[1]] != other.score[0, tested[1]]


def test_it_finds_the_group_that_tells_and_says_so(cohort):
    found = run(*cohort)
    assert sum(share for name, share in found.choices().items() if "arousal" in name) == 1
    said = found.as_json()
    json.dumps(said, allow_nan=False)
    assert said["auc"]["low"] > 0.5
    assert sum(said["chosen_c"].values()) == pytest.approx(1)
    assert said["outer_folds"] == 4
    assert found.estimate("auc", all_combinations().index(("valence",))).value < 0.7
    np.testing.assert_array_equal(found.probability > 0.5, found.score > 0)


def test_the_seed_draws_the_inner_folds_and_nothing_else(cohort):
    x, asd, fold = cohort
    one, same, other = run(x, asd, fold), run(x, asd, fold), run(x, asd, fold, seed=4)
    np.testing.assert_array_equal(one.score, same.score)
    equal_c = one.c_by_combination == other.c_by_combination
    assert 0 < equal_c.mean() < 1


def test_attribute_columns_cover_all_features_once():
    together = np.sort(np.concatenate(attribute_columns()))
    np.testing.assert_array_equal(together, np.arange(len(FEATURE_NAMES)))


def test_what_does_not_fit_is_refused(cohort):
    x, asd, fold = cohort
    with pytest.raises(InputError, match="every partition needs one fold"):
        run(x, asd, fold[:, :-1])
    with pytest.raises(InputError, match="same number of folds"):
        run(x, asd, np.stack([fold[0], fold[0] % 2]))
    with pytest.raises(InputError, match="as many diagnoses as rows"):
        run(x[:-1], asd, fold)
    with pytest.raises(InputError, match="every C above 0"):
        nested_cross_validation(x, asd, fold, seed=0, groups=GROUPS, c_grid=(0.0,))
    with pytest.raises(InputError, match="at least one of each"):
        nested_cross_validation(x, asd, fold, seed=0, groups=GROUPS, combinations=())
    with pytest.raises(InputError, match="folds are possible"):
        nested_cross_validation(x, asd, fold, seed=0, groups=GROUPS, inner_folds=20)
