import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from small_federation import converse, ranges_map, sites_of, study_of

from server.training import start_training
from server.training.exact import train_exactly
from shared.errors import FederationError
from shared.learning.pooled import train_pooled
from shared.messages import Answer

NO_MAP = ranges_map(1)  # plays no part without privacy


def rows(n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, d)) * np.geomspace(0.01, 100, d) + np.linspace(-50, 50, d)
    asd = features[:, 0] / 0.01 + rng.standard_normal(n) > np.median(features[:, 0] / 0.01)
    return features, asd


def with_gaps(features, asd):
    features[::7, 1] = np.nan
    features[3:20, 2] = np.nan
    return features, asd


def with_a_constant(features, asd):
    features[:, 1] = 0.1
    return features, asd


def with_an_empty_column(features, asd):
    features[:, 1] = np.nan
    return features, asd


def sorted_by_label(features, asd):
    order = np.argsort(asd)
    return features[order], asd[order]


def unchanged(features, asd):
    return features, asd


def trained(features, asd, *, sizes=None, c=1.0):
    study = study_of(method="federated", regularisation_c=c)
    return converse(
        start_training(study, NO_MAP), sites_of(study, NO_MAP, features, asd, sizes=sizes)
    )


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    ("shape", "change", "sizes"),
    [
        ((60, 5), unchanged, None),
        ((40, 120), unchanged, None),
        ((60, 5), with_gaps, None),
        ((60, 5), with_a_constant, None),
        ((60, 5), with_an_empty_column, None),
        ((60, 5), sorted_by_label, [30, 10, 20]),  # the first and the last hold one class
        ((60, 5), unchanged, [1, 29, 30]),
        ((60, 5), unchanged, [0, 30, 30]),
    ],
)
def test_equals_scikit_learn_on_the_pooled_rows(shape, change, sizes, c):
    features, asd = change(*rows(*shape))
    model = trained(features, asd, sizes=sizes, c=c)

    present = ~np.isnan(features).all(axis=0)
    mean = np.nanmean(features[:, present], axis=0)
    scale = np.nanstd(features[:, present], axis=0)
    standard = np.zeros_like(features)
    standard[:, present] = np.nan_to_num(
        (features[:, present] - mean) / np.where(scale > 1e-12, scale, 1), nan=0.0
    )
    other = LogisticRegression(C=c, tol=1e-12, solver="newton-cholesky").fit(standard, asd)
    np.testing.assert_allclose(model.coefficients, other.coef_[0], atol=1e-6)
    assert model.intercept == pytest.approx(other.intercept_[0], abs=1e-6)
    np.testing.assert_allclose(model.scores(features), other.decision_function(standard), atol=1e-5)


def test_equals_the_pooled_fit_of_this_product():
    features, asd = with_gaps(*rows())
    one, other = trained(features, asd), train_pooled(features, asd)
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-9)
    np.testing.assert_allclose(one.mean, other.mean)
    np.testing.assert_allclose(one.scale, other.scale)


def test_separable_rows_with_a_weak_penalty_converge():
    features = np.linspace(-1, 1, 30)[:, None]
    model = trained(features, features[:, 0] > 0, c=1e6)
    assert model.coefficients[0] > 20
    assert (np.sign(model.scores(features)) == np.sign(features[:, 0])).all()


@pytest.mark.parametrize("seed", [45, 145])
def test_a_newton_step_that_overshoots_is_halved(seed):
    # Heavy tails, hardly a penalty: here full steps alone go up again on the way.
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((20, 3)) ** 3
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    asd = standard[:, 0] + 0.1 * rng.standard_normal(20) > 1
    model = trained(features, asd, c=1e6)
    residual = expit(model.scores(features)) - asd
    gradient = residual @ standard + np.array(model.coefficients) / 1e6
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


@pytest.mark.parametrize("label", [True, False])
def test_one_label_everywhere_is_refused(label):
    features, _ = rows()
    with pytest.raises(FederationError, match=r"all 60 participants .* carry one label"):
        trained(features, np.full(60, label))


def moments_of(width, **changes):
    arrays = {
        "count": np.ones(width),
        "total": np.ones(width),
        "square": np.ones(width),
        "labels": np.array([2.0, 1.0]),
    }
    return Answer({k: v for k, v in (arrays | changes).items() if v is not None}, 1, "")


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (moments_of(3), r"'count' with shapes \[\(2,\), \(3,\)\]"),
        (moments_of(2, total=None), "'total' with shapes"),
        (moments_of(2, square=np.array([1.0, np.nan])), "'square' over the clinics is not finite"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(odd, message):
    training = train_exactly(study_of(method="federated"))
    next(training)
    with pytest.raises(FederationError, match=message):
        training.send([moments_of(2), odd])


def test_a_short_hessian_is_refused():
    training = train_exactly(study_of(method="federated"))
    next(training)
    for _ in range(2):
        training.send([moments_of(2)])
    short = Answer({"loss": np.ones(1), "gradient": np.ones(3), "hessian": np.ones(5)}, 3, "")
    with pytest.raises(FederationError, match="Hessian of 5 numbers; 6 are expected"):
        training.send([short])
