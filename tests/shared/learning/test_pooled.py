import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from shared.errors import InputError
from shared.learning.pooled import fit_pooled_logistic, train_pooled


def rows(n, d, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    asd = x[:, 0] + 0.5 * rng.standard_normal(n) > 0
    return x, asd


@pytest.mark.parametrize(("n", "d"), [(80, 300), (300, 20)])
@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_equals_scikit_learn(n, d, c):
    x, asd = rows(n, d)
    coefficients, intercept = fit_pooled_logistic(x, asd, c)
    other = LogisticRegression(C=c, tol=1e-10, solver="newton-cholesky").fit(x, asd)
    np.testing.assert_allclose(coefficients, other.coef_[0], atol=1e-6)
    assert intercept == pytest.approx(other.intercept_[0], abs=1e-6)


def test_intercept_is_not_penalised():
    x, asd = rows(100, 5)
    asd[:] = np.arange(100) < 80
    coefficients, intercept = fit_pooled_logistic(x, asd, 1e-8)
    assert np.abs(coefficients).max() < 1e-4
    assert intercept == pytest.approx(np.log(4), abs=1e-3)


def test_training_standardises_by_its_own_rows_and_takes_missing_as_mean():
    x, asd = rows(60, 4)
    x[3, 1] = np.nan
    x = np.hstack([x, np.full((60, 1), 7.0)])
    model = train_pooled(x, asd)
    moved = train_pooled(5 * x + 100, asd)
    np.testing.assert_allclose(moved.coefficients, model.coefficients, atol=1e-8)
    np.testing.assert_allclose(moved.probability(5 * x + 100), model.probability(x), atol=1e-8)
    assert model.coefficients[4] == 0
    filled = x[3].copy()
    filled[1] = np.nanmean(x[:, 1])
    assert model.probability(x[3:4]) == pytest.approx(model.probability(filled[None]))


def test_one_class_or_no_penalty_is_refused():
    x, asd = rows(20, 3)
    with pytest.raises(InputError, match="same diagnosis"):
        fit_pooled_logistic(x, np.ones(20, dtype=bool))
    with pytest.raises(InputError, match="above 0"):
        fit_pooled_logistic(x, asd, 0.0)
