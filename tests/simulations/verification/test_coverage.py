import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from shared.evaluation import calibration
from shared.evaluation.calibration import brier, calibration_in_the_large, calibration_slope
from shared.evaluation.confusion import Confusion
from shared.evaluation.decision_curve import net_benefit
from simulations.verification import coverage
from simulations.verification.coverage import (
    STRENGTHS,
    World,
    check_coverage,
    check_exploratory,
    check_noisy_counts,
)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_truths_are_those_of_a_very_large_cohort(
    strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "ASD", 49 * 6000)
    monkeypatch.setattr(coverage, "NON_ASD", 39 * 6000)
    world = World.of(strength)
    asd, odds = world.draw(np.random.default_rng(0))
    truths = world.truths
    counted = Confusion.of(asd, odds > 0)
    for name, value in (
        ("sensitivity", counted.sensitivity.value),
        ("specificity", counted.specificity.value),
        ("F1", counted.f1.value),
        ("balanced accuracy", counted.balanced_accuracy.value),
        ("accuracy", counted.accuracy.value),
        ("PPV at the study's mix", counted.ppv.value),
        ("NPV at the study's mix", counted.npv.value),
        ("PPV at 10%", counted.predictive_values((0.1,))[0].ppv.value),
        ("NPV at 10%", counted.predictive_values((0.1,))[0].npv.value),
        ("AUC", roc_auc_score(asd, odds)),
        ("Brier score", brier(asd, expit(odds)).value),
        ("calibration in the large", calibration_in_the_large(asd, expit(odds)).value),
        ("net benefit at 0.3", net_benefit(asd, expit(odds) > 0.3, 0.3).value),
        ("calibration slope", calibration_slope(asd, expit(odds)).value),
    ):
        assert truths[name] == pytest.approx(value, abs=0.012), name


def test_every_figure_offered_is_judged_at_every_strength() -> None:
    found = check_coverage(100, 0)
    names = {one.name for one in found}
    assert len(found) == len(names) * len(STRENGTHS)
    assert {
        *("sensitivity", "specificity", "F1", "balanced accuracy", "AUC", "Brier score"),
        *(f"{value} at {p}%" for value in ("PPV", "NPV") for p in (2, 10, 30, 50)),
        *("calibration in the large", "net benefit at 0.3"),
    } <= names
    assert all(one.holds is not None for one in found)
    assert {(one.low, one.high) for one in found} == {(0.92, 0.98)}
    # 100 draws: within four standard errors of nominal.
    assert all(one.value > 0.86 for one in found)


def test_intervals_that_are_too_narrow_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "normal", lambda value, error, method: _narrow(value, error))
    found = {one.name: one for one in check_coverage(100, 0)}
    assert found["calibration in the large"].holds is False


def _narrow(value: float, error: float) -> object:
    from shared.evaluation.estimate import Estimate

    return Estimate(value, value - error, value + error, "one standard error")


def test_noisy_counts_are_judged_and_the_mix_is_not() -> None:
    found = check_noisy_counts(100, 0)
    assert {one.name for one in found if one.holds is None} == {
        "PPV at the study's mix",
        "NPV at the study's mix",
    }
    assert all(one.value > 0.86 for one in found)


def test_the_slope_is_exploratory_and_not_judged() -> None:
    found = check_exploratory(100, 0)
    assert all(one.holds is None for one in found)
    assert any(one.name == "calibration slope (exploratory)" for one in found)


@pytest.mark.soak
def test_all_intervals_hold_the_truth_in_92_to_98_of_100_cohorts() -> None:
    assert [one for one in check_coverage(1000, 0) if not one.holds] == []
    assert [one for one in check_noisy_counts(1000, 0) if one.holds is False] == []
