"""The closed form against the product's own clinics and server, under the same noise."""

import hashlib
from collections.abc import Callable

import numpy as np
import opacus.optimizers.optimizer as opacus_optimizer
import pytest
import torch
from numpy.typing import NDArray

from server.training.local_dp import train_locally
from server.training.private import train_privately
from shared.evaluation import classification_metrics
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.grid import GRID, on_grid
from shared.study import LocalTraining
from simulations.compare.metrics import mean_metrics
from simulations.compare.stacked import (
    Rows,
    gradient_training,
    local_training,
    out_of_fold,
    scores_of,
    thresholds,
)
from tests.support.small_federation import CLINICS, converse, sites_of, study_of

N, K = 60, 6
SIZES = (28, 21, 11)


class UnitMap:
    """Features are already unit vectors; no constant coordinate, as affect features have none."""

    digest = hashlib.sha256(b"unit map of tests").hexdigest()
    dimension = K
    top_eigenvalue = 0.25
    constant_last = False
    releases_threshold = True

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        return on_grid(features)


class Recording(SeededNoise):
    """Seeded noise that remembers what it gave, release after release."""

    def __init__(self, seed: int, owner: str) -> None:
        super().__init__(seed, owner)
        self.given: list[NDArray[np.int64]] = []

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        self.given.append(super().integers(variance, total, release))
        return self.given[-1]


@pytest.fixture(scope="module")
def features() -> NDArray[np.float64]:
    rows = np.random.default_rng(3).standard_normal((N, K)) + 0.6 * np.eye(K)[0]
    return rows / np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def asd(features) -> NDArray[np.bool_]:
    return features[:, 1] + 0.3 * np.random.default_rng(4).standard_normal(N) > 0


@pytest.fixture(scope="module")
def rows(features, asd) -> Rows:
    return Rows(UnitMap().unit_vectors(features) / GRID, asd, np.repeat(np.arange(3), SIZES))


def _one_by_one(draws: list[NDArray[np.float64]]) -> Callable[[], NDArray[np.float64]]:
    left = iter(draws)
    return lambda: next(left)


@pytest.mark.parametrize("rounds", [1, 5])
def test_secure_sum_training_equals_the_product(rows, features, asd, rounds):
    feature_map = UnitMap()
    study = study_of(feature_map, participants=N, rounds=rounds, epsilon=8.0)
    sources = {name: Recording(1, name) for name in CLINICS}
    sites = sites_of(study, feature_map, features, asd, sizes=SIZES, noise=sources.__getitem__)
    model = converse(train_privately(study, feature_map), sites)

    plan = study.plan(feature_map)
    noise = [sum(given) / GRID for given in zip(*(s.given for s in sources.values()), strict=True)]
    assert len(noise) == rounds + 1
    everyone = np.ones((1, N), dtype=bool)
    weights = gradient_training(rows, everyone, plan, _one_by_one([n[None] for n in noise[:-1]]))
    limit = thresholds(rows, everyone, weights, plan, lambda: noise[-1])

    # A grid step a participant and round, as far as a step carries it, and the weight grid.
    reach = rounds * N / GRID * plan.step * 0.5 / N * 4 + rounds * 2.0**-20
    np.testing.assert_allclose(weights[0], model.direction, atol=reach)
    assert np.linalg.norm(weights[0]) > 1000 * reach
    assert limit[0] == pytest.approx(model.threshold, abs=1e-3)
    scores = scores_of(rows, weights)[0] - limit[0]
    np.testing.assert_allclose(scores, model.scores(features, feature_map), atol=2e-3)


@pytest.mark.parametrize("settings", [(3, 1, 4.0, 0.5), (2, 3, 1.0, 0.2)])
def test_local_training_equals_the_product(rows, features, asd, settings, monkeypatch):
    local = LocalTraining(
        rounds=settings[0], steps=settings[1], learning_rate=settings[2], clipping_norm=settings[3]
    )
    feature_map = UnitMap()
    study = study_of(feature_map, participants=N, method="local-dp", local=local, epsilon=8.0)
    rng = np.random.default_rng(9)
    given: list[NDArray[np.float64]] = []

    def noise(std: float, reference: torch.Tensor, **unused: object) -> torch.Tensor:
        drawn = rng.standard_normal(tuple(reference.shape))
        given.append(drawn * std / local.clipping_norm)
        return torch.from_numpy(drawn * std)

    monkeypatch.setattr(opacus_optimizer, "_generate_noise", noise)
    sites = sites_of(study, feature_map, features, asd, sizes=SIZES)
    model = converse(train_locally(study, feature_map), sites)

    everyone = np.ones((1, N), dtype=bool)
    weights = local_training(rows, everyone, local, _one_by_one(given))
    assert len(given) == local.rounds * local.steps * len(CLINICS)
    np.testing.assert_allclose(weights[0], model.direction, atol=1e-12)


def test_a_clinic_without_training_participants_keeps_the_weights(rows):
    local = LocalTraining(rounds=2, steps=2, learning_rate=1.0, clipping_norm=0.5)
    train = np.stack([rows.clinic != 2, np.ones(N, dtype=bool)])
    alone = Rows(rows.phi[:49], rows.asd[:49], rows.clinic[:49])
    noise = [np.full((2, K), 0.1)] * 12
    weights = local_training(rows, train, local, _one_by_one(noise))
    fewer = local_training(
        alone, np.ones((1, 49), dtype=bool), local, _one_by_one([n[:1] for n in noise])
    )
    np.testing.assert_allclose(weights[0], fewer[0])
    assert not np.allclose(weights[1], fewer[0])


def test_problems_do_not_touch_each_other(rows):
    plan = study_of(UnitMap(), participants=N).plan(UnitMap())
    rng = np.random.default_rng(5)
    train = rng.random((3, N)) < 0.8
    noise = rng.standard_normal((plan.rounds, 3, K))
    together = gradient_training(rows, train, plan, _one_by_one(list(noise)))
    for problem in range(3):
        own = [n[problem : problem + 1] for n in noise]
        one = gradient_training(rows, train[problem : problem + 1], plan, _one_by_one(own))
        np.testing.assert_allclose(together[problem], one[0], atol=1e-12)


def test_zero_weights_score_nothing(rows):
    assert not scores_of(rows, np.zeros((2, K))).any()


def test_out_of_fold_takes_each_participant_from_the_fold_that_tests_it():
    scores = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)
    fold = np.array([2, 0, 1, 2])
    np.testing.assert_array_equal(out_of_fold(scores, fold), [[8, 1, 6, 11], [20, 13, 18, 23]])


def test_metrics_of_draws_are_those_of_the_product():
    rng = np.random.default_rng(6)
    asd = rng.random(40) < 0.6
    fold = rng.integers(0, 4, 40)
    asd[fold == 3] = True  # a fold with one class has no AUC
    scores = np.round(rng.standard_normal((5, 40)), 1)  # with ties
    scores[4] = -1.0  # nobody is called ASD
    each = [classification_metrics(asd, row, fold) for row in scores]
    found = mean_metrics(asd, scores, fold)
    assert found == pytest.approx({name: np.mean([m[name] for m in each]) for name in each[0]})
