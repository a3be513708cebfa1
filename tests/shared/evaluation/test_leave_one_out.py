"""Exact leave-one-out against trainings that really lacked the participant."""

import json

import numpy as np
import pytest

from shared.errors import InputError, PrivacyError
from shared.evaluation import classification_metrics
from shared.evaluation.leave_one_out import measure_one_round, one_round_scores
from shared.privacy.feature_map import unit_scores
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.leave_one_out import leave_one_out_scores
from shared.privacy.planner import CLIPPING_NORM, make_plan
from shared.privacy.threshold import clipped_contributions, score_limit, threshold_from_sum
from simulations.compare.stacked import Rows, gradient_training, scores_of, thresholds
from tests.support.small_federation import NoNoise, phi

N, K = 30, 12


def plan(**more):
    settings = {"rounds": 1, "epsilon": 4.0, "with_threshold": True} | more
    return make_plan(
        delta=1e-5, participants=N, clinics=3, collusion_margin=1, top_eigenvalue=0.3, **settings
    )


@pytest.fixture
def cohort():
    rng = np.random.default_rng(1)
    noise = 2 * rng.standard_normal((3, K))
    return phi(N, K, seed=2), rng.random(N) < 0.55, noise, rng.standard_normal(3)


@pytest.mark.parametrize("left_out", [0, 17])
def test_equals_the_products_own_training_without_the_participant(cohort, left_out):
    vectors, asd, noise, extra = cohort
    made = plan()
    found = one_round_scores(vectors, asd, made, gradient_noise=noise, threshold_noise=extra)
    others = np.arange(N) != left_out
    start = np.zeros(K)
    opened = gradient_contribution(
        vectors[others] / GRID, asd[others], start, variance=0, noise=NoNoise(), release="r"
    )
    weights = -made.step * CLIPPING_NORM * (opened / GRID + noise[1]) / N
    scores = leave_one_out_scores(vectors[others], asd[others], weights, made, start)
    total = clipped_contributions(scores / score_limit(K), asd[others]).sum(keepdims=True)
    limit = threshold_from_sum(total + np.rint(GRID * extra[1]).astype(int), K, N)
    expected = unit_scores(vectors[[left_out]], weights)[0] - limit
    assert found[1, left_out] == pytest.approx(expected, abs=1e-6)


def test_equals_the_stacked_trainings_of_the_comparison(cohort):
    vectors, asd, noise, extra = cohort
    made = plan()
    found = one_round_scores(vectors, asd, made, gradient_noise=noise, threshold_noise=extra)
    rows = Rows(vectors / GRID, asd, np.zeros(N, dtype=np.int64))
    without = ~np.eye(N, dtype=bool)
    for draw in range(3):
        weights = gradient_training(rows, without, made, lambda draw=draw: noise[draw])
        limit = thresholds(rows, without, weights, made, lambda draw=draw: np.full(N, extra[draw]))
        expected = np.diagonal(scores_of(rows, weights)) - limit
        np.testing.assert_allclose(found[draw], expected, atol=1e-4)


def test_without_noise_or_threshold(cohort):
    vectors, asd, _, _ = cohort
    bare = plan(with_threshold=False)
    found = one_round_scores(vectors, asd, bare)
    assert found.shape == (1, N)
    own = np.where(asd, 1.0, -1.0)[:, None] * vectors / GRID
    weights = own.sum(axis=0) - own
    expected = (weights * vectors / GRID).sum(axis=1) / np.linalg.norm(weights, axis=1)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_an_unusable_row_scores_minus_the_threshold(cohort):
    vectors, asd, _, _ = cohort
    vectors = vectors.copy()
    vectors[4] = 0
    found = one_round_scores(vectors, asd, plan(with_threshold=False))
    assert found[0, 4] == 0
    assert np.isfinite(one_round_scores(np.zeros((N, K), dtype=np.int64), asd, plan())).all()


def test_more_rounds_or_shapes_that_do_not_fit_are_refused(cohort):
    vectors, asd, noise, extra = cohort
    with pytest.raises(PrivacyError, match="4 rounds"):
        one_round_scores(vectors, asd, plan(rounds=4))
    with pytest.raises(InputError, match="give a diagnosis a vector"):
        one_round_scores(vectors, asd[:-1], plan())
    with pytest.raises(InputError, match=r"\(draws, 12\)"):
        one_round_scores(vectors, asd, plan(), gradient_noise=noise[:, :-1])
    with pytest.raises(InputError, match=r"\(draws,\)"):
        one_round_scores(vectors, asd, plan(), gradient_noise=noise, threshold_noise=extra[:1])


def test_figures_with_and_without_noise(cohort):
    vectors, _, _, _ = cohort
    asd = vectors[:, 0] > 0
    found = measure_one_round(vectors, asd, plan(epsilon=4.0), seed=0, draws=60)
    bare = one_round_scores(vectors, asd, plan(epsilon=4.0))[0]
    assert found.without_noise["auc"] == classification_metrics(asd, bare)["auc"]
    assert found.with_noise["auc"].low < found.with_noise["auc"].value
    assert found.with_noise["auc"].value < found.without_noise["auc"]
    weak = measure_one_round(vectors, asd, plan(epsilon=60.0), seed=0, draws=60)
    assert weak.with_noise["auc"].half_width < found.with_noise["auc"].half_width
    assert weak.with_noise["auc"].value > found.with_noise["auc"].value
    again = measure_one_round(vectors, asd, plan(epsilon=4.0), seed=0, draws=60)
    assert again == found
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["draws"] == 60
    with pytest.raises(InputError, match="same diagnosis"):
        measure_one_round(vectors, np.ones(N, dtype=bool), plan(), seed=0)
