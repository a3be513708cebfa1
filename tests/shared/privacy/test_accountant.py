import math
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PrivacyError
from shared.privacy.accountant import (
    attack_success,
    composed_mu,
    delta_of,
    epsilon_of,
    mu_of,
)

epsilons = st.floats(0.01, 20)
mus = st.floats(0.01, 8)
deltas = st.floats(1e-10, 0.1)


def exact_delta(epsilon, mu):
    with mpmath.workdps(60):
        e, m = mpmath.mpf(epsilon), mpmath.mpf(mu)
        return mpmath.ncdf(-e / m + m / 2) - mpmath.exp(e) * mpmath.ncdf(-e / m - m / 2)


@given(epsilons, mus)
def test_delta_equals_the_closed_form_in_high_precision(epsilon, mu):
    assert delta_of(epsilon, mu) == pytest.approx(float(exact_delta(epsilon, mu)), abs=2e-15)


@given(epsilons, mus, st.floats(1.01, 2))
def test_delta_falls_with_epsilon_and_grows_with_mu(epsilon, mu, factor):
    assert delta_of(epsilon * factor, mu) <= delta_of(epsilon, mu) <= delta_of(epsilon, mu * factor)


@given(epsilons, deltas)
def test_epsilon_and_mu_are_inverse(epsilon, delta):
    mu = mu_of(epsilon, delta)
    assert delta_of(epsilon, mu) == pytest.approx(delta, rel=1e-6)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-6)


@given(st.floats(1e-12, 100), st.floats(1e-14, 0.5))
def test_every_promise_up_to_100_can_be_planned_for(epsilon, delta):
    assert delta_of(epsilon, mu_of(epsilon, delta)) <= delta * (1 + 1e-6) + 1e-14


def test_a_stronger_promise_allows_less():
    found = [mu_of(epsilon, 1e-5) for epsilon in (0.5, 1, 2, 4, 8)]
    np.testing.assert_allclose(found, [0.142, 0.268, 0.502, 0.925, 1.666], atol=6e-4)
    assert mu_of(4, 1e-5) < mu_of(4, 1e-3)


def test_nothing_released_costs_nothing():
    assert delta_of(1.0, 0.0) == 0.0
    assert epsilon_of(0.0, 1e-5) == 0.0
    assert composed_mu([]) == 0.0
    assert epsilon_of(1e-4, 0.01) == 0.0  # delta alone covers it


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30))
def test_releases_compose_in_squares(sigmas):
    assert composed_mu(sigmas) == pytest.approx(math.sqrt(sum(1 / s**2 for s in sigmas)))
    assert composed_mu(sigmas + sigmas) == pytest.approx(math.sqrt(2) * composed_mu(sigmas))


def test_three_studies_of_epsilon_2_cost_less_than_one_of_4():
    assert composed_mu([1 / mu_of(2, 1e-5)] * 3) < mu_of(4, 1e-5)


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-3])
@pytest.mark.parametrize("steps", [1, 6])
def test_agrees_with_opacus_and_dp_accounting(epsilon, delta, steps):
    from opacus.accountants import PRVAccountant

    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    sigma = math.sqrt(steps) / mu_of(epsilon, delta)
    opacus = PRVAccountant()
    opacus.history = [(sigma, 1.0, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert opacus.get_epsilon(delta) == pytest.approx(epsilon, abs=0.02)
    found = pld.from_gaussian_mechanism(
        sigma / math.sqrt(steps), value_discretization_interval=1e-3
    ).get_epsilon_for_delta(delta)
    assert found == pytest.approx(epsilon, abs=0.005)


@pytest.mark.parametrize("bad", [math.nan, -1.0, math.inf])
def test_impossible_numbers_are_refused_by_name(bad):
    with pytest.raises(PrivacyError, match=rf"epsilon {bad}.*finite"):
        delta_of(bad, 1.0)
    with pytest.raises(PrivacyError, match=rf"mu {bad}.*finite"):
        delta_of(1.0, bad)
    with pytest.raises(PrivacyError, match=rf"epsilon {bad}.*finite"):
        mu_of(bad, 1e-5)
    with pytest.raises(PrivacyError, match=rf"mu {bad}.*finite"):
        epsilon_of(bad, 1e-5)
    with pytest.raises(PrivacyError, match=rf"delta {bad}.*between 0 and 1"):
        mu_of(1.0, bad)
    with pytest.raises(PrivacyError, match=rf"delta {bad}.*between 0 and 1"):
        epsilon_of(1.0, bad)
    with pytest.raises(PrivacyError, match=rf"multiplier {bad} cannot"):
        composed_mu([1.0, bad])


def test_no_privacy_and_all_privacy_are_refused():
    with pytest.raises(PrivacyError, match="epsilon 0 asked"):
        mu_of(0.0, 1e-5)
    with pytest.raises(PrivacyError, match="no privacy at all"):
        mu_of(1e5, 1e-5)
    with pytest.raises(PrivacyError, match="multiplier 0"):
        composed_mu([0.0])


def test_the_best_attack_names_few():
    assert attack_success(0.0) == pytest.approx(0.05)
    assert attack_success(mu_of(4, 1e-5)) == pytest.approx(0.236, abs=1e-3)
    assert attack_success(mu_of(8, 1e-5), 0.01) < attack_success(mu_of(8, 1e-5))
