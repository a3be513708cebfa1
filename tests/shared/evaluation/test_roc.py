import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_curve

from shared.errors import InputError
from shared.evaluation.metrics import classification_metrics
from shared.evaluation.resampling import stratified_weights
from shared.evaluation.roc import auc, auc_draws, paired_delong, roc_curve
from simulations.verification.delong import reference_delong

ASD = np.arange(88) < 49


def scores(seed: int = 0, ties: bool = False) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = np.random.default_rng(seed).standard_normal(88) + 1.2 * ASD
    return np.asarray(np.round(drawn), dtype=np.float64) if ties else drawn


@given(
    arrays(np.float64, (2, 17), elements=st.integers(-3, 3).map(float)),
    arrays(np.bool_, 17).filter(lambda asd: 2 <= asd.sum() <= 15),
)
def test_delong_is_the_reference_pair_by_pair(
    two: NDArray[np.float64], asd: NDArray[np.bool_]
) -> None:
    areas, covariance = reference_delong(asd, two)
    pair = paired_delong(asd, *two)
    assert pair.first.value == pytest.approx(areas[0])
    assert pair.first.value == pytest.approx(roc_auc_score(asd, two[0]))
    variance = covariance[0][0] + covariance[1][1] - 2 * covariance[0][1]
    if variance > 1e-12:
        z = (areas[0] - areas[1]) / math.sqrt(variance)
        assert pair.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))
        assert pair.difference.half_width == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)
    if 0 < areas[0] < 1 and covariance[0][0] > 1e-12:
        odds = [math.log(x / (1 - x)) for x in (pair.first.low, pair.first.high)]
        width = 2 * 1.959964 * math.sqrt(covariance[0][0]) / (areas[0] * (1 - areas[0]))
        assert odds[1] - odds[0] == pytest.approx(width, rel=1e-5)


def test_with_folds_only_pairs_of_a_fold_are_compared() -> None:
    fold = np.arange(88) % 5
    # A shift per fold ruins the comparison between folds and must not matter within.
    shifted = scores() + 10.0 * fold
    assert auc(ASD, shifted, fold) == auc(ASD, scores(), fold)
    by_fold = classification_metrics(ASD, shifted, fold)["auc"]
    assert auc(ASD, shifted, fold).value == pytest.approx(by_fold)
    assert auc(ASD, shifted).value < 0.75 < by_fold


def test_the_variance_with_folds_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    fold = np.arange(88) % 10
    drawn = [auc(ASD, rng.standard_normal(88) + 1.2 * ASD, fold) for _ in range(1500)]
    spread = np.std([one.value for one in drawn])
    errors = []
    for one in drawn:
        odds = [math.log(x / (1 - x)) for x in (one.low, one.high)]
        errors.append((odds[1] - odds[0]) / 2 / 1.96 * one.value * (1 - one.value))
    assert np.mean(errors) == pytest.approx(spread, rel=0.06)


def test_a_perfect_ranking_has_an_interval_below_one() -> None:
    perfect = auc(ASD, ASD.astype(float))
    assert perfect.value == perfect.high == 1.0
    assert 0.9 < perfect.low < 1.0
    upside_down = auc(ASD, -ASD.astype(float))
    assert upside_down.low == 0.0
    assert upside_down.high == pytest.approx(1 - perfect.low)
    assert "Newcombe" in perfect.method


def test_equal_rankings_differ_by_nothing() -> None:
    pair = paired_delong(ASD, scores(), 2 * scores() + 1)
    assert (pair.difference.value, pair.difference.low, pair.p_value) == (0.0, 0.0, 1.0)


def test_nothing_is_claimed_where_no_variance_is_left() -> None:
    pair = paired_delong(ASD, ASD.astype(float), -ASD.astype(float))
    assert pair.difference.value == 1.0
    assert math.isnan(pair.p_value)
    assert math.isnan(pair.difference.low)


def test_a_missing_class_has_no_area() -> None:
    assert math.isnan(auc(np.ones(5, dtype=bool), np.arange(5.0)).value)
    missing = paired_delong(np.ones(5, dtype=bool), np.arange(5.0), np.arange(5.0))
    assert math.isnan(missing.p_value)
    json.dumps(missing.as_json(), allow_nan=False)


def test_one_participant_of_a_class_still_has_an_interval() -> None:
    lone = auc(np.array([True, False, False, False]), np.array([0.5, 0.1, 0.7, 0.2]))
    assert lone.value == pytest.approx(2 / 3)
    assert 0 < lone.low < lone.value < lone.high < 1


@pytest.mark.parametrize("ties", [False, True])
def test_areas_of_resamples_are_scikit_learns_of_repeated_rows(ties: bool) -> None:
    weights = stratified_weights(ASD, 20, np.random.default_rng(0))
    drawn = auc_draws(ASD, scores(ties=ties), weights)
    for area, weight in zip(drawn, weights, strict=True):
        again = np.repeat(np.arange(88), weight.astype(int))
        assert area == pytest.approx(roc_auc_score(ASD[again], scores(ties=ties)[again]))


def test_a_resample_without_a_class_has_no_area() -> None:
    weights = np.stack([ASD.astype(float), np.ones(88)])
    drawn = auc_draws(ASD, scores(), weights)
    assert np.isnan(drawn[0])
    assert drawn[1] == pytest.approx(auc(ASD, scores()).value)


def test_the_bootstrap_agrees_with_delong() -> None:
    area = auc(ASD, scores())
    weights = stratified_weights(ASD, 4000, np.random.default_rng(0))
    low, high = np.quantile(auc_draws(ASD, scores(), weights), (0.025, 0.975))
    assert (low, high) == pytest.approx((area.low, area.high), abs=0.02)


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_scikit_learns(ties: bool) -> None:
    curve = roc_curve(ASD, scores(ties=ties), rng=np.random.default_rng(0), draws=50)
    alarm, found, _ = sklearn_curve(ASD, scores(ties=ties), drop_intermediate=False)
    for x, y in zip(curve.false_positive_rate, curve.sensitivity, strict=True):
        here = np.isclose(alarm, x)
        expected = found[here].max() if here.any() else np.interp(x, alarm, found)
        assert y == pytest.approx(expected)
    assert (curve.low <= curve.sensitivity + 1e-12).mean() > 0.9
    assert (curve.low <= curve.high).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    json.dumps(curve.as_json(), allow_nan=False)


def test_the_curve_with_folds_is_their_mean() -> None:
    fold = np.arange(88) % 2
    rng = np.random.default_rng(0)
    both = roc_curve(ASD, scores(), fold, rng=rng, draws=10).sensitivity
    single = [
        roc_curve(ASD[fold == k], scores()[fold == k], rng=rng, draws=10).sensitivity
        for k in (0, 1)
    ]
    assert both == pytest.approx(np.mean(single, axis=0))


def test_input_that_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="88 labels were given with 5 scores"):
        auc(ASD, np.zeros(5))
    with pytest.raises(InputError, match="3 folds"):
        auc(ASD, scores(), np.zeros(3, dtype=np.int64))
    with pytest.raises(InputError, match="not a number"):
        auc(ASD, np.full(88, np.nan))
    with pytest.raises(InputError, match="in pairs"):
        paired_delong(ASD, scores(), np.zeros(5))
    with pytest.raises(InputError, match="no fold holds both"):
        roc_curve(ASD, scores(), ASD.astype(np.int64), rng=rng)
