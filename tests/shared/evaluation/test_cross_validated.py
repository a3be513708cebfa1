import numpy as np
import pytest
from scipy.stats import t

from shared.errors import InputError
from shared.evaluation import classification_metrics
from shared.evaluation.cross_validated import (
    CV_METRICS,
    by_fold,
    corrected_estimate,
    cross_validated,
    fold_figures,
)
from shared.evaluation.folds import stratified_fold


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    asd = np.arange(44) < 25
    fold = np.stack([stratified_fold(asd, 5, rng) for _ in range(3)])
    score = np.round(rng.standard_normal((2, 3, 44)) + asd, 1)  # with ties
    return asd, score, fold


@pytest.mark.parametrize("metric", CV_METRICS)
def test_figures_are_those_of_the_six_metrics(case, metric):
    asd, score, fold = case
    found = [cross_validated(asd, score[0, r], fold[r], metric) for r in range(3)]
    expected = [classification_metrics(asd, score[0, r], fold[r])[metric] for r in range(3)]
    np.testing.assert_allclose(found, expected)
    assert fold_figures(asd, score, fold, metric).value[0] == pytest.approx(np.mean(expected))


def test_the_corrected_interval_is_nadeaus_and_bengios(case):
    asd, score, fold = case
    found = corrected_estimate(asd, score[0, :1], fold[:1], "auc")
    areas = by_fold(asd, score[0, 0], fold[0], "auc")
    half = t.ppf(0.975, 4) * np.sqrt((1 / 5 + 1 / 4) * areas.var(ddof=1))
    assert found.value == pytest.approx(areas.mean())
    assert found.low == pytest.approx(areas.mean() - half)
    assert found.high == pytest.approx(min(1.0, areas.mean() + half))


def test_repeats_do_not_shrink_the_part_of_overlapping_training_sets(case):
    asd, score, fold = case
    same = corrected_estimate(
        asd, np.repeat(score[0, :1], 50, 0), np.repeat(fold[:1], 50, 0), "auc"
    )
    once = corrected_estimate(asd, score[0, :1], fold[:1], "auc")
    shrunk = (same.value - same.low) / (once.value - once.low)
    assert shrunk == pytest.approx(np.sqrt((1 / 250 + 1 / 4) / (1 / 5 + 1 / 4)))


def test_contrasts_are_those_of_the_fold_figures(case):
    asd, score, fold = case
    both = fold_figures(asd, score, fold, "auc")
    (difference,) = both.estimates(np.array([[1.0, -1.0]]))
    assert difference.value == pytest.approx(both.value[0] - both.value[1])
    (nothing,) = both.estimates(np.array([[0.0, 0.0]]))
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_one_fold_gives_a_figure_without_interval(case):
    asd, score, _ = case
    found = corrected_estimate(asd, score[0, :1], np.zeros((1, 44), dtype=int), "auc")
    assert 0.5 < found.value <= 1
    assert np.isnan([found.low, found.high]).all()


def test_folds_without_both_diagnoses_are_left_out_or_refused(case):
    asd, score, _ = case
    fold = np.where(asd, 0, 1)
    with pytest.raises(InputError, match="None of 2 folds"):
        by_fold(asd, score[0, 0], fold, "auc")
    fold[0] = 1
    assert by_fold(asd, score[0, 0], fold, "auc").shape == (1,)
    uneven = np.stack([fold, np.arange(44) % 2])
    with pytest.raises(InputError, match="different numbers of folds"):
        fold_figures(asd, score[:, :2], uneven, "auc")
