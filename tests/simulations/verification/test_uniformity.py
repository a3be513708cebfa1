import numpy as np
import pytest

from shared.evaluation import group_differences as tested_module
from simulations.verification import uniformity
from simulations.verification.uniformity import check_uniformity, null_cohort


def test_p_values_of_null_cohorts_are_uniform():
    findings = check_uniformity(draws=120, seed=1)
    assert [one.name for one in findings if not one.holds] == []
    assert len(findings) == 10
    assert len({one.name for one in findings}) == 10


def test_a_test_that_ignores_clinics_is_found_out(monkeypatch):
    def careless(*given, clinic, **options):
        return tested_module.group_differences(*given, **options)

    monkeypatch.setattr(uniformity, "group_differences", careless)
    wrong = {one.name for one in check_uniformity(draws=120) if not one.holds}
    assert "p-value of a feature: distance from uniform" in wrong
    assert "family-wise error of max-T, nothing differs" in wrong


def test_p_values_without_correction_are_found_out(monkeypatch):
    monkeypatch.setattr(
        tested_module,
        "step_down_p_values",
        lambda observed, permuted: (permuted >= observed).mean(axis=0),
    )
    wrong = {one.name for one in check_uniformity(draws=120) if not one.holds}
    assert "family-wise error of max-T, nothing differs" in wrong
    assert "family-wise error of max-T, five of ten features differ" in wrong


def test_null_cohorts_differ_between_clinics_only():
    rng = np.random.default_rng(0)
    features, asd, clinic = null_cohort(rng)
    assert features.shape == (88, 10)
    assert (asd.sum(), len(np.unique(clinic))) == (49, 4)
    assert len({asd[clinic == c].mean() for c in range(4)}) == 4


@pytest.mark.soak
def test_p_values_are_uniform_over_many_cohorts():
    assert [one for one in check_uniformity(draws=2000, seed=2) if not one.holds] == []
