"""Leave-one-out from one release against trainings that really left one out."""

import time

import numpy as np
import pytest

from shared.channels import ATTRIBUTE_GROUPS, all_combinations
from shared.privacy.constants import load_constants
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM
from shared.privacy.unit_vectors import AffectMap
from simulations.compare.leave_one_out import group_columns, leave_one_out_scores
from simulations.compare.stacked import Rows
from tests.support.small_federation import NoNoise, phi

N, K = 88, 78


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(1)
    return Rows(phi(N, K, seed=2) / GRID, rng.random(N) < 0.55, np.zeros(N, dtype=np.int64))


def test_columns_are_those_of_the_map():
    constants = load_constants()
    columns = group_columns()
    assert [len(c) for c in columns] == [
        AffectMap(constants, (group,)).dimension for group in ATTRIBUTE_GROUPS
    ]
    assert np.array_equal(np.concatenate(columns), np.arange(K))


@pytest.mark.parametrize("left_out", [0, 41, 87])
def test_scores_equal_a_training_through_opacus_without_the_participant(rows, left_out):
    noise = 5 * np.random.default_rng(3).standard_normal(K)
    found = leave_one_out_scores(rows, noise)
    others = np.arange(N) != left_out
    opened = gradient_contribution(
        rows.phi[others],
        rows.asd[others],
        np.zeros(K),
        variance=0,
        noise=NoNoise(),
        release="without one",
    )
    weights = -CLIPPING_NORM * (opened / GRID + noise)
    for number, combination in enumerate(all_combinations()):
        chosen = np.concatenate(
            [
                columns
                for group, columns in zip(ATTRIBUTE_GROUPS, group_columns(), strict=True)
                if group in combination
            ]
        )
        expected = rows.phi[left_out, chosen] @ weights[chosen] / np.linalg.norm(weights[chosen])
        assert found[number, left_out] == pytest.approx(expected, abs=2e-5)


def test_draws_are_scored_together_and_in_time(rows):
    noise = np.random.default_rng(4).standard_normal((3, K))
    together = leave_one_out_scores(rows, noise)
    assert together.shape == (3, 15, N)
    for draw in range(3):
        np.testing.assert_allclose(together[draw], leave_one_out_scores(rows, noise[draw]))
    started = time.perf_counter()
    leave_one_out_scores(rows, noise[0])
    assert time.perf_counter() - started < 0.5
