import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.evaluation.conformal import (
    calibrate,
    cross_conformal,
    held_out_sets,
    measure_sets,
)


def drawn(seed, n=40):
    rng = np.random.default_rng(seed)
    return rng.random(n), np.arange(n) % 2 == 0


def p_value(theirs, calibration):
    """Conformal p-value by its definition."""
    return (1 + sum(score >= theirs for score in calibration)) / (len(calibration) + 1)


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98), st.booleans(), st.booleans())
def test_a_set_holds_the_diagnoses_whose_p_value_exceeds_alpha(seed, alpha, by_class, ties):
    probability, asd = drawn(seed)
    new = np.random.default_rng([seed, 1]).random(5)
    if ties:
        probability, new = np.round(probability, 1), np.round(new, 1)
    # At the boundary the two definitions differ by the rounding of (n + 1)(1 - alpha).
    for size in (20, 40):
        assume(abs(alpha * (size + 1) - round(alpha * (size + 1))) > 1e-6)
    found = calibrate(probability, asd, alpha, by_class=by_class).sets(new)
    own = np.where(asd, 1 - probability, probability)
    for label in (0, 1):
        pool = own[asd == label] if by_class else own
        theirs = new if label == 0 else 1 - new
        wanted = [p_value(x - 1e-12, pool) > alpha for x in theirs]
        np.testing.assert_array_equal(found[:, label], wanted)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.5), st.booleans())
def test_cross_conformal_sums_over_folds(seed, alpha, by_class):
    probability, asd = drawn(seed)
    rng = np.random.default_rng([seed, 2])
    fold, new = rng.permutation(np.arange(40) % 4), rng.random((3, 4))
    for size in (20, 40):
        assume(abs(alpha * (size + 1) - round(alpha * (size + 1))) > 1e-6)
    found = cross_conformal(probability, asd, fold, new, alpha, by_class=by_class)
    own = np.where(asd, 1 - probability, probability)
    for label in (0, 1):
        used = np.flatnonzero(asd == label) if by_class else np.arange(40)
        for row, kept in zip(new, found[:, label], strict=True):
            theirs = row if label == 0 else 1 - row
            reached = sum(own[i] >= theirs[fold[i]] for i in used)
            assert kept == ((1 + reached) / (len(used) + 1) > alpha)


def test_held_out_sets_are_calibrated_on_the_other_folds_alone():
    probability, asd = drawn(3)
    fold = np.repeat([0, 1, 2, 3], 10)
    before = held_out_sets(probability, asd, fold)
    changed = probability.copy()
    changed[fold == 2] = 0.5
    after = held_out_sets(changed, asd, fold)
    wanted = calibrate(probability[fold != 2], asd[fold != 2]).sets(probability[fold == 2])
    np.testing.assert_array_equal(before[fold == 2], wanted)
    assert (after[fold != 2] != before[fold != 2]).any()


def test_too_few_calibration_children_leave_everything_possible():
    sets = calibrate(np.array([0.9, 0.1]), np.array([True, False]), 0.1).sets(np.array([0.0, 1.0]))
    assert sets.all()


def test_measures_count_what_the_sets_hold():
    sets = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [1, 0]], dtype=bool)
    asd = np.array([False, True, True, True, True])
    found = measure_sets(sets, asd, 0.2)
    assert found.coverage.value == pytest.approx(3 / 5)
    assert found.coverage_asd.value == pytest.approx(2 / 4)
    assert found.coverage_other.value == 1
    assert (found.single.value, found.both.value, found.none.value) == (0.6, 0.2, 0.2)
    assert found.single_correct.value == pytest.approx(2 / 3)
    assert found.nominal == 0.8
    written = found.as_json()
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert written["coverage"]["method"] == "Wilson"
    alone = measure_sets(sets[:1], asd[:1], 0.2).as_json()
    assert alone["coverage_asd"]["value"] is None


@pytest.mark.parametrize(
    ("probability", "asd", "alpha", "words"),
    [
        ([0.5], [True], 0.0, "error rate of 0.0"),
        ([0.5], [True], 1.0, "error rate of 1.0"),
        ([], [], 0.1, "at least one child"),
        ([0.5, 0.5], [True], 0.1, "one probability for each"),
        ([1.2], [True], 0.1, "between 0 and 1"),
        ([np.nan], [True], 0.1, "between 0 and 1"),
    ],
)
def test_faults_are_said(probability, asd, alpha, words):
    with pytest.raises(InputError, match=words):
        calibrate(np.array(probability), np.array(asd, dtype=bool), alpha)


def test_faulty_folds_are_said():
    probability, asd = drawn(0)
    with pytest.raises(InputError, match="Only one fold"):
        held_out_sets(probability, asd, np.zeros(40, dtype=int))
    with pytest.raises(InputError, match="one probability for each fold"):
        cross_conformal(probability, asd, np.arange(40) % 3, np.zeros((2, 4)))
