import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from shared.errors import InputError
from shared.evaluation.stability import bootstrap_coefficients, coefficient_stability
from shared.learning.pooled import fit_pooled_logistic, train_pooled


def cohort(n, d, seed=0):
    rng = np.random.default_rng(seed)
    features, asd = rng.standard_normal((n, d)), rng.permutation(np.arange(n) % 2 == 0)
    return features, asd


@pytest.mark.parametrize("d", [4, 60])
def test_every_refit_is_the_fit_of_scikit_learn_with_these_weights(d):
    features, asd = cohort(40, d)
    counts = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), size=3).astype(float)
    found = bootstrap_coefficients(features, asd, counts, c=0.5)
    for row, weights in zip(found, counts, strict=True):
        reference = LogisticRegression(C=0.5, tol=1e-10, max_iter=2000)
        reference.fit(features, asd, sample_weight=weights)
        np.testing.assert_allclose(row, reference.coef_[0], atol=1e-6)


def test_a_refit_with_everybody_once_is_the_pooled_fit():
    features, asd = cohort(30, 50)
    wanted, _ = fit_pooled_logistic(features, asd, 2.0)
    found = bootstrap_coefficients(features, asd, np.ones((1, 30)), 2.0)[0]
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_separable_rows_with_hardly_any_penalty_still_converge():
    features = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    asd = features[:, 0] > 0
    found = bootstrap_coefficients(features, asd, np.ones((1, 4)), 1e4)[0]
    np.testing.assert_allclose(found, fit_pooled_logistic(features, asd, 1e4)[0], rtol=1e-6)


def test_a_true_feature_is_stable_and_noise_is_no_more_so_than_by_chance():
    features, asd = cohort(88, 80, seed=3)
    features[:, 0] += 1.5 * asd
    features[:, 1] = 2.0
    found = coefficient_stability(features, asd, names=[f"f{j}" for j in range(80)], draws=200)
    np.testing.assert_allclose(found.coefficient, train_pooled(features, asd).coefficients)
    assert found.same_sign[0] == 1
    assert found.stable[0]
    assert found.low[0] > 0
    assert np.isnan(found.same_sign[1])
    assert not found.stable[1]
    assert abs(found.stable[2:].mean() - found.by_chance) < 0.15
    assert 0 < found.by_chance < 0.4


def test_participants_are_drawn_within_clinic_and_diagnosis():
    """A clinic with one child of a diagnosis keeps that child in every draw."""
    features, asd = np.array([[5.0], [0.0], [0.1], [0.2]]), np.array([True, False, False, False])
    one = coefficient_stability(features, asd, names=["f"], clinic=[0, 0, 1, 1], draws=40)
    assert one.same_sign[0] == 1


def test_the_same_seed_gives_the_same_and_the_json_is_plain():
    features, asd = cohort(20, 3)
    features[:, 2] = 0.0
    first, second, other = (
        coefficient_stability(features, asd, names="abc", draws=40, seed=seed).as_json()
        for seed in (1, 1, 2)
    )
    assert first == second != other
    assert json.loads(json.dumps(first, allow_nan=False)) == first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"draws": 39}, "39 bootstrap draws asked"),
        ({"names": "ab"}, "2 names"),
        ({"c": 0.0}, "must be above 0"),
        ({"asd": np.ones(20, dtype=bool)}, "same diagnosis"),
    ],
)
def test_faults_are_said(change, words):
    features, asd = cohort(20, 3)
    options = {"names": "abc"} | change
    with pytest.raises(InputError, match=words):
        coefficient_stability(features, options.pop("asd", asd), **options)
