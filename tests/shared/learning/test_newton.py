import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.newton import moments, newton_step, newton_sums, standardisation


def cohort(n=50, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.random(n) < 0.4


def loss_at(weights, rows, asd):
    margin = rows @ weights[:-1] + weights[-1]
    return np.log1p(np.exp(-np.where(asd, margin, -margin))).sum()


def test_moments_leave_missing_values_out():
    features, asd = cohort()
    features[:7, 1] = np.nan
    centre = np.array([0.0, 1.0, 2.0, 3.0])
    found = moments(features, asd, centre)
    assert found.count.tolist() == [50, 43, 50, 50]
    np.testing.assert_allclose(found.total, np.nansum(features - centre, axis=0))
    np.testing.assert_allclose(found.square, np.nansum((features - centre) ** 2, axis=0))
    assert found.labels.tolist() == [50, asd.sum()]


@given(st.integers(0, 50))
def test_moments_and_newton_sums_add_up_over_clinics(cut):
    features, asd = cohort()
    centre, weights = np.full(4, 0.3), np.linspace(-1, 1, 5)
    whole_moments, whole = moments(features, asd, centre), newton_sums(features, asd, weights)
    parts = [(features[:cut], asd[:cut]), (features[cut:], asd[cut:])]
    split_moments = [moments(*part, centre) for part in parts]
    split = [newton_sums(*part, weights) for part in parts]
    for name in ("count", "total", "square", "labels"):
        added = sum(getattr(part, name) for part in split_moments)
        np.testing.assert_allclose(added, getattr(whole_moments, name), atol=1e-12)
    for name in ("loss", "gradient", "hessian"):
        added = sum(getattr(part, name) for part in split)
        np.testing.assert_allclose(added, getattr(whole, name), atol=1e-12)


def test_two_passes_keep_the_digits_of_a_far_off_feature():
    features, asd = cohort()
    far = features + 1e9
    rough = moments(far, asd, np.zeros(4)).total / 50
    mean, scale = standardisation(rough, moments(far, asd, rough))
    np.testing.assert_allclose(mean, far.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scale, features.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9 / 3, 1e-300])
def test_a_constant_or_empty_feature_has_scale_one(value):
    features, asd = cohort()
    features[:, 1] = value
    features[:, 2] = np.nan
    rough = moments(features, asd, np.zeros(4))
    rough_mean = rough.total / np.maximum(rough.count, 1)
    mean, scale = standardisation(rough_mean, moments(features, asd, rough_mean))
    assert scale[[1, 2]].tolist() == [1, 1]
    assert mean[1] == pytest.approx(value)
    assert mean[2] == 0


def test_sums_are_the_derivatives_of_the_loss():
    features, asd = cohort()
    weights, step = np.linspace(-1, 1, 5), 1e-5
    sums = newton_sums(features, asd, weights)
    assert sums.loss == pytest.approx(loss_at(weights, features, asd))
    for j in range(5):
        shift = step * np.eye(5)[j]
        plus, minus = (newton_sums(features, asd, weights + s * shift) for s in (1, -1))
        assert sums.gradient[j] == pytest.approx((plus.loss - minus.loss) / (2 * step), abs=1e-5)
        np.testing.assert_allclose(
            sums.hessian[j], (plus.gradient - minus.gradient) / (2 * step), atol=1e-5
        )


def test_large_margins_do_not_overflow():
    sums = newton_sums(np.array([[1e4]]), np.array([False]), np.array([1e3, 0.0]))
    assert sums.loss == pytest.approx(1e7)
    assert np.isfinite(sums.gradient).all()


def test_step_solves_the_penalised_system_with_a_free_intercept():
    features, asd = cohort()
    weights, c = np.linspace(-1, 1, 5), 0.5
    sums = newton_sums(features, asd, weights)
    step = newton_step(sums, weights, c)
    penalty = np.array([2, 2, 2, 2, 0])
    np.testing.assert_allclose(
        (sums.hessian + np.diag(penalty)) @ step, -(sums.gradient + penalty * weights), atol=1e-9
    )


def test_step_exists_without_any_row():
    nobody = newton_sums(np.zeros((0, 3)), np.zeros(0, dtype=bool), np.ones(4))
    assert nobody.loss == 0
    np.testing.assert_allclose(newton_step(nobody, np.ones(4), 1.0), [-1, -1, -1, 0])
