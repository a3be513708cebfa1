import math

import numpy as np
import pytest
from scipy.stats import binomtest

from shared.errors import InputError
from shared.privacy.accountant import epsilon_of
from simulations.audit.bounds import FEWEST_RUNS, clopper_pearson, lower_bounds

DELTA = 1e-5


@pytest.mark.parametrize("trials", [1, 50, 3000])
def test_limits_are_those_of_the_exact_binomial_test(trials):
    hits = np.unique(np.array([0, 1, trials // 3, trials - 1, trials]))
    low, high = clopper_pearson(hits, trials)
    for k, lower, upper in zip(hits, low, high, strict=True):
        exact = binomtest(int(k), trials).proportion_ci(0.95, method="exact")
        assert (lower, upper) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize("mu", [0.25, 1.0, 3.0])
def test_two_normals_are_bounded_tightly_and_from_below(mu):
    rng = np.random.default_rng(1)
    found = lower_bounds(rng.normal(mu, 1, 400_000), rng.normal(0, 1, 400_000), DELTA)
    assert 0.9 * mu < found.mu <= mu
    assert 0 < found.epsilon < epsilon_of(mu, DELTA)


def test_a_bound_passes_the_truth_no_more_often_than_promised():
    """At most 5 % by construction; the two limits together make it about 0.3 %."""
    rng = np.random.default_rng(2)
    found = [
        lower_bounds(rng.normal(1, 1, 400), rng.normal(0, 1, 400), DELTA).mu for _ in range(300)
    ]
    assert np.mean(np.array(found) > 1) <= 0.05
    assert np.median(found) > 0.5


@pytest.mark.parametrize("flipped", [False, True])
def test_randomised_response_has_the_epsilon_it_is_built_with(flipped):
    """Truth with odds e^1: a mechanism that is not Gaussian, and its epsilon without a delta."""
    rng = np.random.default_rng(3)
    present = rng.random(200_000) < math.e / (1 + math.e)
    absent = rng.random(200_000) < 1 / (1 + math.e)
    if flipped:
        present, absent = absent, present
    found = lower_bounds(present.astype(float), absent.astype(float), 0.0)
    assert 0.95 < found.epsilon <= 1


def test_either_answer_can_carry_the_proof():
    """One side sometimes gives itself away, the other never does."""
    seldom, never = 1.0 * (np.random.default_rng(4).random(20_000) < 0.3), np.zeros(20_000)
    for present, absent in ((seldom, never), (never, -seldom), (-seldom, never), (never, seldom)):
        assert lower_bounds(present, absent, DELTA).epsilon > 5


def test_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(5)
    found = lower_bounds(rng.normal(0, 1, 20_000), rng.normal(0, 1, 20_000), DELTA)
    assert found == (0, 0)
    assert lower_bounds(np.ones(200), np.ones(200), DELTA) == (0, 0)


def test_a_sample_that_separates_is_bounded_by_its_size():
    found = lower_bounds(np.ones(1000), np.zeros(1000), DELTA)
    rate = 0.025 ** (1 / 500)  # lower limit of 500 hits in 500
    assert found.epsilon == pytest.approx(math.log((rate - DELTA) / (1 - rate)))
    assert np.isfinite(found.mu)


def test_a_handful_of_runs_is_refused():
    with pytest.raises(InputError, match=f"at least {FEWEST_RUNS}"):
        lower_bounds(np.zeros(FEWEST_RUNS), np.zeros(FEWEST_RUNS - 1), DELTA)
