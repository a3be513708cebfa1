import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from small_federation import NoNoise

from shared.privacy import threshold
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID
from shared.privacy.threshold import threshold_contribution, threshold_from_sum

K = 20
SD = 1 / np.sqrt(K)  # of the scores of random unit vectors
DIRECTION = np.random.default_rng(1).standard_normal(K)


def vectors(n, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, K))
    return np.trunc((GRID - K) * rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(int)


def labels(n):
    return np.arange(n) % 3 != 0


def contribution(rows, asd, direction=DIRECTION, variance=0, noise=None):
    return threshold_contribution(
        rows, asd, direction, variance=variance, noise=noise or NoNoise(), release="r"
    )


def one_participant_moves_it_by_at_most_one(row, direction):
    return all(
        abs(int(contribution(row[None], np.array([asd]), direction)[0])) <= GRID
        for asd in (True, False)
    )


@given(st.integers(0, 100), st.floats(-1e150, 1e150))
def test_one_participant_moves_it_by_at_most_one_unit(seed, factor):
    assert one_participant_moves_it_by_at_most_one(vectors(1, seed)[0], factor * DIRECTION)


def test_the_largest_contribution_fits_and_one_that_is_not_clipped_does_not(monkeypatch):
    aligned = np.rint((GRID - K) * DIRECTION / np.linalg.norm(DIRECTION)).astype(int)
    # A high score without ASD: 1 + 2 / 1.8, more than the bound of 1.6.
    assert contribution(aligned[None], np.array([False])).tolist() == [GRID]
    assert contribution(-aligned[None], np.array([True])).tolist() == [-GRID]
    assert one_participant_moves_it_by_at_most_one(aligned, DIRECTION)
    monkeypatch.setattr(threshold, "_CONTRIBUTION_LIMIT", 1.0)
    monkeypatch.setattr(threshold.np, "clip", lambda values, low, high: values)
    assert not one_participant_moves_it_by_at_most_one(aligned, DIRECTION)


def test_noiseless_sum_gives_back_mean_score_less_two_deviations_of_the_balance():
    rows, asd = vectors(60), labels(60)
    clipped = np.clip(unit_scores(rows, DIRECTION), -1.8 * SD, 1.8 * SD)
    each = clipped - 2 * SD * np.where(asd, 1, -1)
    expected = np.clip(each, -1.6 * 1.8 * SD, 1.6 * 1.8 * SD).mean()
    found = threshold_from_sum(contribution(rows, asd), K, 60)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found < clipped.mean()  # two thirds have ASD, so ASD is called more readily


def test_clinics_add_up():
    rows, asd = vectors(60), labels(60)
    parts = [
        contribution(rows[part], asd[part])
        for part in (slice(0, 7), slice(7, 7), slice(7, 8), slice(8, 60))
    ]
    np.testing.assert_array_equal(sum(parts), contribution(rows, asd))


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_the_threshold_calls_nearly_as_few_people_wrongly_as_the_best_one(distance, share):
    """Two normal classes of equal spread, their means ``distance`` deviations apart."""
    middle, n = 0.1 * SD, 1000
    asd = np.arange(n) < share * n
    quantiles = [norm.ppf((np.arange(m) + 0.5) / m) for m in (asd.sum(), n - asd.sum())]
    scores = middle + SD * (np.concatenate(quantiles) + np.where(asd, 1, -1) * distance / 2)
    rows = np.zeros((n, K), dtype=np.int64)
    rows[:, 0] = np.rint(GRID * np.clip(scores, -1, 1))
    found = threshold_from_sum(contribution(rows, asd, np.eye(K)[0]), K, n)
    best = middle - SD / distance * np.log(share / (1 - share))

    def wrong(cut):
        missed = share * norm.cdf((cut - middle) / SD - distance / 2)
        return missed + (1 - share) * norm.sf((cut - middle) / SD + distance / 2)

    assert wrong(found) <= wrong(best) + 0.01


def test_noise_cannot_throw_the_threshold_beyond_all_scores():
    for sign in (1, -1):
        far = np.array([sign * 10**4 * GRID])
        assert threshold_from_sum(far, K, 60) == pytest.approx(sign * 1.8 * SD)


def test_no_direction_and_no_participants():
    two = contribution(vectors(2), np.array([True, False]), np.zeros(K))
    assert two.tolist() == [0]
    assert contribution(vectors(0), labels(0)).tolist() == [0]
    assert threshold_from_sum(np.zeros(1, dtype=np.int64), K, 60) == 0


def test_the_asked_noise_is_added():
    rows, asd, noise = vectors(5), labels(5), SeededNoise(0, "Aspen")
    noised = contribution(rows, asd, variance=GRID**2, noise=noise)
    added = noised - contribution(rows, asd)
    np.testing.assert_array_equal(added, noise.integers(GRID**2, 1, "r"))
