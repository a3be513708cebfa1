import numpy as np
import pytest
from scipy.special import expit

from simulations.verification import cross_validated
from simulations.verification.cross_validated import check_cross_validated


def test_coverage_is_measured_for_both_readings() -> None:
    found = check_cross_validated(100, 0)
    assert {one.case for one in found} == {
        "folds' own models",
        "such models on average",
        "figure minus truth",
    }
    assert all(one.holds is None for one in found)
    shares = [one.value for one in found if one.case != "figure minus truth"]
    assert all(0.7 < share <= 1 for share in shares)
    # A cross-validation is nearly unbiased for models of its training size.
    assert all(abs(one.value) < 0.03 for one in found if one.case == "figure minus truth")


def test_the_truth_of_a_linear_model_is_that_of_many_children() -> None:
    rng = np.random.default_rng(0)
    weights, middle = np.array([1.0, -0.5]), np.array([0.6, 0.2])
    asd = np.arange(400_000) % 2 == 0
    rows = rng.standard_normal((len(asd), 2)) + np.where(asd[:, None], middle, -middle)
    called = expit(rows @ weights + 0.3) > 0.5
    found, cleared, _ = cross_validated._truth(weights, 0.3, middle)
    assert found == pytest.approx(called[asd].mean(), abs=0.005)
    assert cleared == pytest.approx((~called)[~asd].mean(), abs=0.005)
