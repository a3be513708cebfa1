import math

import numpy as np
import pytest

from shared.evaluation.resampling import cluster_interval, cluster_weights, stratified_weights


def test_strata_keep_their_sizes_and_rows_are_drawn_evenly() -> None:
    strata = np.array(["a"] * 5 + ["b"] * 9)
    weights = stratified_weights(strata, 4000, np.random.default_rng(0))
    assert (weights[:, :5].sum(1) == 5).all()
    assert (weights[:, 5:].sum(1) == 9).all()
    assert weights.mean(0) == pytest.approx(np.ones(14), abs=0.07)
    # A row is missing from (1 - 1/9)^9 of the resamples.
    assert (weights[:, 7] == 0).mean() == pytest.approx((8 / 9) ** 9, abs=0.03)


def test_clusters_are_drawn_whole_and_as_many_as_there_are() -> None:
    clusters = np.array([3, 3, 1, 7, 7, 7])
    weights = cluster_weights(clusters, 500, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, 0] + weights[:, 2] + weights[:, 3] == 3).all()


def test_the_same_seed_draws_the_same() -> None:
    strata = np.zeros(6)
    first, second = (stratified_weights(strata, 10, np.random.default_rng(4)) for _ in range(2))
    assert (first == second).all()


def test_interval_over_clinics() -> None:
    draws = np.random.default_rng(0).normal(0.7, 0.05, 20_000)
    four = cluster_interval(0.7, draws, 4)
    # sqrt(4 / 3) times t with 3 degrees of freedom.
    assert four.high - four.value == pytest.approx(0.05 * math.sqrt(4 / 3) * 3.182, rel=0.02)
    assert cluster_interval(0.95, draws, 4).high == 1.0


@pytest.mark.parametrize(
    ("draws", "clusters"), [([0.5, 0.6], 1), ([np.nan, np.nan], 4), ([0.5], 4)]
)
def test_no_interval_without_variation_between_clinics(draws: list[float], clusters: int) -> None:
    assert math.isnan(cluster_interval(0.5, np.array(draws), clusters).low)
