import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from shared.errors import InputError
from shared.evaluation.calibration import (
    brier,
    calibration_in_the_large,
    calibration_slope,
    grouped_curve,
    measure_calibration,
)


def cohort(n: int = 88, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.05, 0.95, n)
    return rng.random(n) < probability, probability


def test_brier_is_scikit_learns() -> None:
    asd, probability = cohort()
    score = brier(asd, probability)
    assert score.value == pytest.approx(brier_score_loss(asd, probability))
    assert score.low < score.value < score.high


def test_a_shift_of_the_log_odds_is_found() -> None:
    asd, probability = cohort(20_000)
    shifted = expit(logit(probability) - 0.7)
    assert calibration_in_the_large(asd, shifted).value == pytest.approx(0.7, abs=0.05)
    moved = expit(logit(shifted) + calibration_in_the_large(asd, shifted).value)
    assert moved.mean() == pytest.approx(asd.mean())


def test_the_slope_is_unpenalised_logistic_regression() -> None:
    asd, probability = cohort()
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    fitted.fit(logit(probability)[:, None], asd)
    slope = calibration_slope(asd, probability)
    assert slope.value == pytest.approx(float(fitted.coef_[0, 0]), rel=1e-4)
    design = np.stack([np.ones(88), logit(probability)], axis=1)
    p = fitted.predict_proba(design[:, 1:])[:, 1]
    error = math.sqrt(np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)[1, 1])
    assert slope.half_width == pytest.approx(1.959964 * error, rel=1e-4)
    assert "exploratory" in slope.method


def test_exaggerated_probabilities_have_a_slope_below_one() -> None:
    asd, probability = cohort(20_000)
    assert calibration_slope(asd, expit(2 * logit(probability))).value == pytest.approx(
        0.5, abs=0.03
    )


@pytest.mark.parametrize("far", [1.0, 30.0])
def test_no_slope_without_overlap_or_spread(far: float) -> None:
    asd = np.arange(10) < 5
    assert math.isnan(calibration_slope(asd, expit(np.where(asd, far, -far))).value)
    assert math.isnan(calibration_slope(asd, np.full(10, 0.4)).value)


def test_probabilities_of_zero_and_one_are_survived() -> None:
    asd = np.array([True, True, False, False, True])
    found = measure_calibration(asd, np.array([1.0, 0.0, 0.0, 1.0, 0.5]))
    json.dumps(found.as_json(), allow_nan=False)
    assert math.isfinite(found.in_the_large.value)


def test_the_curve_holds_everyone_once() -> None:
    asd, probability = cohort()
    groups = grouped_curve(asd, probability)
    assert [group.participants for group in groups] == [18, 17, 18, 17, 18]
    assert sum(g.observed.value * g.participants for g in groups) == pytest.approx(asd.sum())
    assert sum(g.predicted * g.participants for g in groups) == pytest.approx(probability.sum())
    assert [g.predicted for g in groups] == sorted(g.predicted for g in groups)


def test_equal_probabilities_stay_in_one_group() -> None:
    groups = grouped_curve(np.arange(20) % 2 == 0, np.repeat([0.2, 0.7], 10))
    assert [group.participants for group in groups] == [10, 10]


def test_everything_with_what_is_exploratory() -> None:
    asd, probability = cohort()
    found = measure_calibration(asd, probability).as_json()
    assert found["exploratory"] == ["slope", "curve"]
    share = asd.mean()
    assert found["brier_of_prevalence"] == pytest.approx(share * (1 - share))


def test_too_few_of_a_class_have_no_interval() -> None:
    asd = np.array([True, False, False, False])
    probability = np.array([0.6, 0.2, 0.3, 0.5])
    assert math.isnan(brier(asd, probability).low)
    assert math.isnan(calibration_in_the_large(asd, probability).value)
    assert math.isnan(calibration_slope(~asd & asd, probability).value)
    assert math.isnan(brier(asd, asd.astype(float)).low)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="outside"):
        brier(np.array([True, False]), np.array([0.5, value]))


def test_lengths_and_groups_are_checked() -> None:
    asd, probability = cohort()
    with pytest.raises(InputError, match="88 labels were given with 3"):
        measure_calibration(asd, probability[:3])
    with pytest.raises(InputError, match="1 or more"):
        grouped_curve(asd, probability, 0)
