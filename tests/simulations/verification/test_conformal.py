import numpy as np
import pytest

from shared.evaluation.conformal import ConformalRule, calibrate
from simulations.verification import conformal
from simulations.verification.conformal import check_conformal


def test_coverage_is_within_two_points_of_nominal():
    findings = check_conformal(draws=300, seed=1)
    assert [one for one in findings if one.holds is False] == []
    assert [one.name for one in findings if one.holds is None] == [
        "Venn-Abers: mean width of the interval"
    ]


def test_calibrating_without_classes_shows_per_class(monkeypatch):
    """Coverage by class is what the check measures: it falls where classes are thrown together."""

    def together(probability, asd, alpha, *, by_class=True):
        return calibrate(probability, asd, alpha, by_class=False)

    monkeypatch.setattr(conformal, "calibrate", together)
    wrong = [
        one.name for one in conformal._split(200, 0.1, np.random.default_rng(0)) if not one.holds
    ]
    assert wrong == [
        "split conformal 90% by class, ASD",
        "split conformal 90% by class, not ASD",
    ]


def test_a_limit_one_child_too_low_is_found_out(monkeypatch):
    def careless(probability, asd, alpha, *, by_class=True):
        limits = [
            float(np.quantile(part, 0.94 * (1 - alpha)))
            for part in (probability[~asd], 1 - probability[asd])
        ]
        return ConformalRule(*limits, alpha, by_class)

    monkeypatch.setattr(conformal, "calibrate", careless)
    assert not any(one.holds for one in conformal._split(200, 0.1, np.random.default_rng(0)))


@pytest.mark.soak
def test_coverage_over_many_cohorts():
    assert [one for one in check_conformal(draws=4000, seed=3) if one.holds is False] == []
