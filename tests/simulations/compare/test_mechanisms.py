"""Each mechanism scores everyone out of fold, with the noise its promise asks for."""

import math

import numpy as np
import pytest

from shared.privacy.accountant import composed_mu, mu_of
from shared.privacy.grid import GRID
from shared.study import LocalTraining
from simulations.compare import mechanisms
from simulations.compare.mechanisms import (
    DEFAULT,
    MECHANISMS,
    REFERENCES,
    Case,
    no_noise_scores,
)
from simulations.compare.metrics import mean_metrics
from simulations.compare.stacked import Rows
from tests.support.small_federation import phi

N, K, FOLDS, DRAWS = 53, 8, 5, 3
BY_NAME = {mechanism.name: mechanism for mechanism in MECHANISMS}
SETTINGS = LocalTraining(rounds=2, steps=1, learning_rate=4.0, clipping_norm=0.5)


@pytest.fixture(scope="module")
def case() -> Case:
    rng = np.random.default_rng(0)
    unit = phi(N, K, seed=1) / GRID
    asd = unit[:, 0] + 0.1 * rng.standard_normal(N) > 0
    clinic = np.sort(rng.integers(0, 4, N))
    return Case(
        rows=Rows(unit, asd, clinic),
        fold=np.arange(N) % FOLDS,
        top_eigenvalue=0.2,
        clinics=4,
        collusion_margin=1,
        delta=1e-5,
        draws=DRAWS,
        local={100.0: SETTINGS, 0.1: SETTINGS, 4.0: SETTINGS},
    )


@pytest.mark.parametrize("name", BY_NAME)
def test_little_noise_finds_the_signal_and_much_noise_hides_it(case, name):
    def auc(epsilon: float) -> float:
        scores = BY_NAME[name].scores(case, epsilon, np.random.default_rng(2))
        assert scores.shape == (DRAWS, N)
        assert np.isfinite(scores).all()
        return mean_metrics(case.rows.asd, scores, case.fold)["auc"]

    assert auc(100.0) > 0.85
    assert auc(0.1) < 0.75


def test_no_noise_is_repeatable_and_good(case):
    scores = no_noise_scores(case)
    assert scores.shape == (1, N)
    np.testing.assert_array_equal(scores, no_noise_scores(case))
    assert mean_metrics(case.rows.asd, scores, case.fold)["balanced_accuracy"] > 0.8


def test_tested_participants_take_no_part_in_their_own_scores(case):
    """Flipping the labels of one fold leaves that fold's scores as they were."""
    flipped = Case(
        **{
            **vars(case),
            "rows": Rows(
                case.rows.phi, np.where(case.fold == 2, ~case.rows.asd, case.rows.asd),
                case.rows.clinic,
            ),
        }
    )  # fmt: skip
    for mechanism in MECHANISMS:
        before = mechanism.scores(case, 4.0, np.random.default_rng(3))
        after = mechanism.scores(flipped, 4.0, np.random.default_rng(3))
        np.testing.assert_allclose(before[:, case.fold == 2], after[:, case.fold == 2])
        assert not np.allclose(before[:, case.fold != 2], after[:, case.fold != 2])


def test_folds_that_train_on_equally_many_share_a_plan(case):
    seen = np.zeros(FOLDS, dtype=int)
    for participants, folds, train in case.folds_by_size():
        assert (train.sum(axis=1) == participants).all()
        seen[folds] += 1
    assert (seen == 1).all()


def test_opened_sums_carry_what_the_promise_asks_for(case, monkeypatch):
    """K - t honest shares reach the plan; full noise per clinic adds up to sqrt(K) times it."""
    used: dict[str, list[float]] = {}

    def spread(name):
        def training(rows, train, plan, draw):
            used.setdefault(name, []).append(
                np.std([draw() for _ in range(60)]) / plan.sigma_gradient
            )
            return np.ones((len(train), K))

        return training

    for name in (DEFAULT, "local-noise"):
        monkeypatch.setattr(mechanisms, "gradient_training", spread(name))
        BY_NAME[name].scores(case, 4.0, np.random.default_rng(4))
    np.testing.assert_allclose(used[DEFAULT], math.sqrt(4 / 3), rtol=0.03)
    np.testing.assert_allclose(used["local-noise"], 2.0, rtol=0.03)


def test_adassp_and_local_steps_spend_the_budget_and_no_more(case, monkeypatch):
    sigmas: list[float] = []

    def ridge(rows, train, sigma, matrix_noise, vector_noise):
        sigmas.append(sigma / case.shared_noise)
        return vector_noise

    monkeypatch.setattr(mechanisms, "adassp_weights", ridge)
    BY_NAME["adassp"].scores(case, 4.0, np.random.default_rng(5))
    threshold = case.plan(4.0, 40).sigma_threshold
    assert composed_mu([sigmas[0], sigmas[0], threshold]) == pytest.approx(mu_of(4.0, 1e-5))

    def averaging(rows, train, settings, draw):
        sigmas.append(float(np.std([draw() for _ in range(40)])))
        return np.ones((len(train), K))

    monkeypatch.setattr(mechanisms, "local_training", averaging)
    BY_NAME["fedavg"].scores(case, 4.0, np.random.default_rng(6))
    assert composed_mu([sigmas[-1]] * 2) == pytest.approx(mu_of(4.0, 1e-5), rel=0.02)


def test_names_are_unique():
    names = [one.name for one in (*MECHANISMS, *REFERENCES)]
    assert len(set(names)) == len(names)
