import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PrivacyError
from shared.privacy.accountant import epsilon_of, mu_of
from shared.privacy.planner import make_plan

DEFAULTS = {
    "epsilon": 4.0,
    "delta": 1e-5,
    "participants": 88,
    "clinics": 4,
    "collusion_margin": 1,
    "top_eigenvalue": 0.2,
    "with_threshold": True,
}


def planned(**changes):
    return make_plan(**(DEFAULTS | changes))


def keeps_its_promise(plan):
    """Squared mu of all releases, from the noise they carry, against the promise."""
    spent = plan.rounds / plan.sigma_gradient**2
    if plan.sigma_threshold is not None:
        spent += 1 / plan.sigma_threshold**2
    return math.isclose(spent, mu_of(plan.epsilon, plan.delta) ** 2, rel_tol=1e-9)


@given(
    epsilon=st.floats(0.05, 20),
    delta=st.floats(1e-8, 1e-3),
    participants=st.integers(2, 900),
    top_eigenvalue=st.floats(0.01, 1),
    with_threshold=st.booleans(),
)
def test_every_plan_keeps_its_promise_by_the_rounds_rule(
    epsilon, delta, participants, top_eigenvalue, with_threshold
):
    plan = planned(
        epsilon=epsilon,
        delta=delta,
        participants=participants,
        top_eigenvalue=top_eigenvalue,
        with_threshold=with_threshold,
    )
    assert keeps_its_promise(plan)
    assert epsilon_of(plan.spent_mu(), delta) == pytest.approx(epsilon, rel=1e-6)
    assert 4 <= plan.rounds <= 64
    assert 0 < plan.step <= 4 / top_eigenvalue  # 1/L of the logistic loss
    total = min(participants * plan.mu, 512)
    assert plan.rounds * plan.step == pytest.approx(min(total, plan.rounds * 4 / top_eigenvalue))
    assert (plan.sigma_threshold is not None) == (with_threshold and epsilon > 0.5)
    assert plan.exchanges == plan.rounds + (plan.sigma_threshold is not None)


@pytest.mark.parametrize(
    ("changes", "rounds"),
    [
        ({"epsilon": 1.0}, 4),
        ({"epsilon": 4.0}, 5),
        ({"epsilon": 8.0}, 8),
        ({"epsilon": 8.0, "participants": 900, "top_eigenvalue": 1.0}, 64),
        # The heart disease table: 486 training rows, public ranges only.
        (
            {
                "epsilon": 1.0,
                "delta": 1e-4,
                "participants": 486,
                "top_eigenvalue": 1.0,
                "with_threshold": False,
            },
            39,
        ),
    ],
)
def test_rounds_of_known_studies(changes, rounds):
    assert planned(**changes).rounds == rounds


def test_a_plan_that_forgets_the_threshold_is_found_out():
    plan = planned()
    forgetful = dataclasses.replace(plan, sigma_gradient=math.sqrt(plan.rounds) / plan.mu)
    assert keeps_its_promise(plan)
    assert not keeps_its_promise(forgetful)
    assert not keeps_its_promise(dataclasses.replace(plan, rounds=plan.rounds + 1))
    assert epsilon_of(forgetful.spent_mu(), plan.delta) > plan.epsilon


def test_words_tell_the_promise():
    words = planned().in_words()
    assert "(4, 1e-05)-differentially private" in words
    assert "epsilon recomputed 4.000" in words
    assert "24 times in 100" in words
    assert "5 noised gradient sums and one sum for the threshold over 4 clinics" in words
    assert "no threshold sum" in planned(epsilon=0.5).in_words()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"participants": 0}, "0 participants"),
        ({"clinics": 1, "collusion_margin": 0}, "at least 2 clinics"),
        ({"collusion_margin": 4}, "4 clinics with 4 of them"),
        ({"collusion_margin": -1}, "-1 of them"),
        ({"top_eigenvalue": 0.0}, "top eigenvalue 0"),
        ({"top_eigenvalue": 1.5}, "top eigenvalue 1.5"),
        ({"top_eigenvalue": math.nan}, "top eigenvalue nan"),
        ({"delta": 1 / 88}, "1/88"),
        ({"epsilon": math.nan}, "epsilon nan"),
        ({"epsilon": -1.0}, "epsilon -1"),
        ({"delta": 0.0}, "delta 0"),
        ({"delta": math.nan}, "delta nan"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, message):
    with pytest.raises(PrivacyError, match=message):
        planned(**changes)
