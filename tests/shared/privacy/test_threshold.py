import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from small_federation import NoNoise, grid_weights, phi

from shared.privacy import threshold
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID
from shared.privacy.threshold import (
    clipped_contributions,
    score_limit,
    threshold_contribution,
    threshold_from_sum,
)

K = 20
SD = 1 / np.sqrt(K)  # of the scores of random unit vectors
DIRECTION = grid_weights(K, 1, 4.0)
any_scores = arrays(
    np.float64,
    st.integers(0, 8),
    elements=st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, -np.inf, 5e-324]),
)


def scores_of(n, seed=0):
    return unit_scores(phi(n, K, seed), DIRECTION)


def labels(n):
    return np.arange(n) % 3 != 0


def contribution(scores, asd, variance=0, noise=None):
    return threshold_contribution(
        scores, asd, K, variance=variance, noise=noise or NoNoise(), release="r"
    )


def one_participant_moves_it_by_at_most_one(scores):
    return all(
        abs(int(contribution(scores[i : i + 1], np.array([asd]))[0])) <= GRID
        for asd in (True, False)
        for i in range(len(scores))
    )


@given(any_scores)
def test_one_participant_moves_it_by_at_most_one_unit(scores):
    assert one_participant_moves_it_by_at_most_one(scores)


@given(any_scores, st.data())
def test_a_clinics_sum_is_exactly_the_sum_of_its_participants(scores, data):
    asd = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))), dtype=bool
    )
    alone = [contribution(scores[i : i + 1], asd[i : i + 1]) for i in range(len(scores))]
    total = contribution(scores, asd)
    assert total.shape == (1,)
    assert int(total[0]) == sum(int(part[0]) for part in alone)
    shuffled = np.random.default_rng(0).permutation(len(scores))
    np.testing.assert_array_equal(contribution(scores[shuffled], asd[shuffled]), total)


def test_the_largest_contribution_fits_and_one_that_is_not_clipped_does_not(monkeypatch):
    # A high score without ASD: 1 + 2 / 1.8, more than the bound of 1.6.
    assert contribution(np.ones(1), np.array([False])).tolist() == [GRID]
    assert contribution(-np.ones(1), np.array([True])).tolist() == [-GRID]
    assert one_participant_moves_it_by_at_most_one(np.ones(1))
    monkeypatch.setattr(threshold, "_CONTRIBUTION_LIMIT", 1.0)
    monkeypatch.setattr(threshold.np, "clip", lambda values, low, high: values)
    assert not one_participant_moves_it_by_at_most_one(np.ones(1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_adds_nothing(bad):
    assert clipped_contributions(np.array([bad, 0.0]), np.array([True, True]))[0] == 0
    np.testing.assert_array_equal(
        contribution(np.array([0.1, bad]), labels(2)), contribution(np.array([0.1]), labels(1))
    )


def test_batches_of_clinics_are_clipped_alike():
    scores, asd = scores_of(12).reshape(3, 4), labels(12).reshape(3, 4)
    rows = [clipped_contributions(s, a) for s, a in zip(scores, asd, strict=True)]
    np.testing.assert_array_equal(clipped_contributions(scores, asd), rows)


def test_noiseless_sum_gives_back_mean_score_less_two_deviations_of_the_balance():
    scores, asd = scores_of(60), labels(60)
    assert score_limit(K) == pytest.approx(1.8 * SD)
    clipped = np.clip(scores, -1.8 * SD, 1.8 * SD)
    each = clipped - 2 * SD * np.where(asd, 1, -1)
    expected = np.clip(each, -1.6 * 1.8 * SD, 1.6 * 1.8 * SD).mean()
    found = threshold_from_sum(contribution(scores, asd), K, 60)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found < clipped.mean()  # two thirds have ASD, so ASD is called more readily


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_the_threshold_calls_nearly_as_few_people_wrongly_as_the_best_one(distance, share):
    """Two normal classes of equal spread, their means ``distance`` deviations apart."""
    middle, n = 0.1 * SD, 1000
    asd = np.arange(n) < share * n
    quantiles = [norm.ppf((np.arange(m) + 0.5) / m) for m in (asd.sum(), n - asd.sum())]
    scores = middle + SD * (np.concatenate(quantiles) + np.where(asd, 1, -1) * distance / 2)
    found = threshold_from_sum(contribution(np.clip(scores, -1, 1), asd), K, n)
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
    two = contribution(unit_scores(phi(2, K), np.zeros(K)), np.array([True, False]))
    assert two.tolist() == [0]
    assert contribution(scores_of(0), labels(0)).tolist() == [0]
    assert threshold_from_sum(np.zeros(1, dtype=np.int64), K, 60) == 0


def test_the_asked_noise_is_added_to_the_exact_sum():
    scores, asd, noise = scores_of(5), labels(5), SeededNoise(0, "Aspen")
    clean = contribution(scores, asd)
    added = contribution(scores, asd, variance=GRID**2, noise=noise) - clean
    np.testing.assert_array_equal(added, noise.integers(GRID**2, clean, "r"))
