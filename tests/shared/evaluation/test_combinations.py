import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.channels import ATTRIBUTE_GROUPS, all_combinations, combination_name
from shared.errors import InputError
from shared.evaluation.combinations import (
    _compared,
    compare_combinations,
    shapley_shares,
    shapley_weights,
)
from shared.evaluation.cross_validated import CV_METRICS, FoldFigures, fold_figures
from shared.evaluation.folds import stratified_fold

ALL = all_combinations()


def scored(gain, n=80, repeats=2, seed=0):
    """Scores whose separation grows with what each group brings."""
    rng = np.random.default_rng(seed)
    asd = np.arange(n) < n // 2
    fold = np.stack([stratified_fold(asd, 10, rng) for _ in range(repeats)])
    parts = dict(zip(ATTRIBUTE_GROUPS, rng.standard_normal((4, repeats, n)), strict=True))
    scores = np.stack(
        [
            sum(parts[g] + gain[g] * np.where(asd, 1, -1) for g in groups) / len(groups)
            for groups in ALL
        ]
    )
    return asd, fold, scores


GAIN = {"au": 0.3, "arousal": 1.5, "valence": 0.0, "expression": 0.2}


def test_a_group_that_helps_is_found_and_one_that_does_not_is_not():
    asd, fold, scores = scored(GAIN)
    found = compare_combinations(asd, fold, scores, ALL)
    assert found.row("arousal", "auc").p_adjusted < 0.05
    assert found.row("arousal", "auc").difference.low > 0
    assert found.row("au+valence", "auc").p_adjusted > 0.05
    assert found.row("au", "auc").difference is None
    for metric in CV_METRICS:
        shares = found.shapley[metric]
        assert max(shares, key=lambda g: shares[g].value) == "arousal"
        total = sum(share.value for share in shares.values())
        assert total == pytest.approx(
            found.row(combination_name(ATTRIBUTE_GROUPS), metric).figure.value - 0.5
        )
    json.dumps(found.as_json(), allow_nan=False)
    assert len(found.rows) == 30


def test_adjustment_only_raises_p_and_agrees_with_the_interval():
    asd, fold, scores = scored(GAIN, seed=2)
    for row in compare_combinations(asd, fold, scores, ALL).rows:
        if row.difference is None:
            continue
        assert row.p <= row.p_adjusted
        outside = not row.difference.low <= 0 <= row.difference.high
        assert outside == (row.p_adjusted <= 0.05) or abs(row.p_adjusted - 0.05) < 0.005


def test_equal_scores_differ_by_nothing():
    asd, fold, scores = scored(GAIN)
    same = np.repeat(scores[:1], 15, axis=0)
    for row in compare_combinations(asd, fold, same, ALL).rows:
        if row.difference is not None:
            assert (row.difference.value, row.p, row.p_adjusted) == (0, 1, 1)


def test_another_reference_turns_the_difference_round():
    asd, fold, scores = scored(GAIN)
    one = compare_combinations(asd, fold, scores, ALL)
    other = compare_combinations(asd, fold, scores, ALL, reference=("arousal",))
    assert other.row("au", "auc").difference.value == pytest.approx(
        -one.row("arousal", "auc").difference.value
    )


def test_fewer_combinations_have_no_shapley_shares():
    asd, fold, scores = scored(GAIN)
    found = compare_combinations(asd, fold, scores[:4], ALL[:4])
    assert found.shapley == {}
    with pytest.raises(InputError, match="need all 15"):
        shapley_weights(ALL[:4])


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.floats(-1, 1), st.permutations(ALL))
def test_shapley_gives_each_group_its_own_part_and_halves_what_two_share(own, joint, order):
    value = np.array(
        [
            sum(own[ATTRIBUTE_GROUPS.index(g)] for g in groups)
            + joint * ("au" in groups and "valence" in groups)
            for groups in order
        ]
    )
    shares = shapley_weights(tuple(order)) @ value
    expected = np.array(own) + joint / 2 * np.array([1, 0, 1, 0])
    np.testing.assert_allclose(shares, expected, atol=1e-12)


def test_no_group_at_all_is_worth_chance():
    figures = FoldFigures(np.full(15, 0.5), np.full((15, 1, 10), 0.5))
    shares = shapley_shares(figures, ALL)
    assert all(share.value == pytest.approx(0) for share in shares.values())
    assert all(share.low == pytest.approx(0) for share in shares.values())


def test_what_does_not_fit_is_refused():
    asd, fold, scores = scored(GAIN)
    with pytest.raises(InputError, match="one score per combination"):
        compare_combinations(asd, fold, scores[:, :1], ALL)
    with pytest.raises(InputError, match="Reference 'arousal' asked"):
        compare_combinations(asd, fold, scores[:1], ALL[:1], reference=("arousal",))
    found = compare_combinations(asd, fold, scores, ALL)
    with pytest.raises(InputError, match="'mouth'"):
        found.row("mouth", "auc")


@pytest.mark.soak
def test_any_false_claim_among_fourteen_comparisons_is_as_rare_as_said():
    """Figures as the correction assumes them: independent folds plus an overlap in common."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((15, 15)) + 2
    contrast = np.eye(15)[1:] - np.eye(15)[0]
    draws, claimed = 500, 0
    for _ in range(draws):
        each = mix @ rng.standard_normal((15, 10))
        value = each.mean(axis=1) + mix @ rng.standard_normal(15) / np.sqrt(9)
        figures = FoldFigures(value, each[:, None])
        claimed += min(p for _, _, p in _compared(figures, contrast, rng)) <= 0.05
    assert 0.02 < claimed / draws < 0.08  # three standard deviations


def test_figures_of_a_run_are_clipped_but_differences_are_not():
    asd, fold, scores = scored({**GAIN, "arousal": 9.0})
    found = compare_combinations(asd, fold, scores, ALL)
    assert found.row("arousal", "auc").figure.high == 1
    assert fold_figures(asd, scores, fold, "auc").value[ALL.index(("arousal",))] == 1
