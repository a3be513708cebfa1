import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PrivacyError
from shared.privacy import planner
from shared.privacy.accountant import epsilon_of, mu_of
from shared.privacy.grid import GRID
from shared.privacy.planner import evaluation_share, make_plan
from shared.privacy.secure_sum import largest_sum

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


def keeps_its_promise(plan, spent_mu2=0.0):
    """Squared mu of all releases, from the noise they carry, against what is left to promise."""
    spent = math.fsum(1 / release.sigma**2 for release in plan.releases)
    whole = mu_of(plan.epsilon, plan.delta) ** 2
    return math.isclose(spent, whole - spent_mu2, rel_tol=1e-12)


@given(
    epsilon=st.floats(0.05, 20),
    delta=st.floats(1e-8, 1e-3),
    participants=st.integers(2, 900),
    top_eigenvalue=st.floats(0.01, 1),
    with_threshold=st.booleans(),
    evaluation_bins=st.sampled_from([0, 2, 4, 6, 8]),
    rounds=st.none() | st.integers(1, 64),
    share_spent=st.sampled_from([0.0, 0.0, 1e-9, 0.3, 0.999]),
)
def test_every_plan_keeps_its_promise_by_the_rounds_rule(share_spent, **asked):
    epsilon, delta = asked["epsilon"], asked["delta"]
    spent_mu2 = share_spent * mu_of(epsilon, delta) ** 2
    plan = planned(**asked, spent_mu2=spent_mu2)
    assert keeps_its_promise(plan, spent_mu2)
    assert plan.mu == pytest.approx(plan.spent_mu(), rel=1e-12)
    assert epsilon_of(math.hypot(plan.spent_mu(), math.sqrt(spent_mu2)), delta) == pytest.approx(
        epsilon, rel=1e-6
    )
    assert plan.rounds == (asked["rounds"] or plan.rounds)
    assert asked["rounds"] or 4 <= plan.rounds <= 64
    assert 0 < plan.step <= 4 / asked["top_eigenvalue"]  # 1/L of the logistic loss
    total = min(0.5 * asked["participants"] * plan.mu, 512)
    assert plan.rounds * plan.step == pytest.approx(
        min(total, plan.rounds * 4 / asked["top_eigenvalue"])
    )
    assert (plan.sigma_threshold is not None) == (asked["with_threshold"] and epsilon > 0.5)
    assert (plan.sigma_evaluation is not None) == (asked["evaluation_bins"] > 0)
    assert plan.exchanges == len(plan.releases)


def test_releases_are_numbered_in_the_order_in_which_they_are_opened():
    plan = planned(evaluation_bins=2, rounds=5)
    assert [release.round for release in plan.releases] == [1, 2, 3, 4, 5, 6, 7]
    assert [release.kind for release in plan.releases] == ["gradient"] * 5 + [
        "threshold",
        "evaluation",
    ]
    assert {release.sigma for release in plan.releases[:5]} == {plan.sigma_gradient}
    assert [release.sigma for release in plan.releases[5:]] == [
        plan.sigma_threshold,
        plan.sigma_evaluation,
    ]
    only = planned(epsilon=0.5, rounds=1)
    assert only.releases == ((1, "gradient", only.sigma_gradient),)


def test_the_budget_is_shared_as_documented():
    plan = planned(evaluation_bins=2)
    share = {"gradient": 0.0, "threshold": 0.0, "evaluation": 0.0}
    for release in plan.releases:
        share[release.kind] += release.sigma**-2 / plan.mu**2
    assert share == pytest.approx(
        {"gradient": 0.9 * 0.92, "threshold": 0.9 * 0.08, "evaluation": 0.1}
    )


@given(
    bins=st.sampled_from([2, 4, 6, 8]),
    participants=st.integers(2, 5000),
    mu=st.floats(0.05, 5),
)
def test_more_bins_take_what_makes_noise_no_larger_than_sampling_within_bounds(
    bins, participants, mu
):
    share = evaluation_share(bins, participants, mu)
    assert 0.1 <= share <= 0.2
    if 0.1 < share < 0.2:
        noise = bins / 2 / (mu**2 * share) * (0.75**2 + 0.25**2) / (participants / 2) ** 2
        assert noise == pytest.approx(0.75 * 0.25 / (participants / 2))
        assert bins > 2


def test_two_bins_take_a_tenth_and_none_take_nothing():
    assert evaluation_share(2, 20, 0.1) == 0.1
    assert evaluation_share(0, 20, 0.1) == 0
    assert evaluation_share(4, 88, mu_of(4.0, 1e-5)) == pytest.approx(0.177, abs=1e-3)
    assert evaluation_share(8, 88, mu_of(4.0, 1e-5)) == 0.2
    assert evaluation_share(8, 968, mu_of(4.0, 1e-5)) == 0.1


@pytest.mark.parametrize("bins", [4, 8])
def test_a_plan_gives_the_counts_their_share(bins):
    plan = planned(evaluation_bins=bins)
    assert plan.evaluation_bins == bins
    share = evaluation_share(bins, plan.participants, plan.mu)
    assert plan.sigma_evaluation**-2 == pytest.approx(share * plan.mu**2)
    assert keeps_its_promise(plan)


def test_a_study_without_evaluation_has_the_plan_it_always_had():
    plan = planned()
    assert (plan.sigma_evaluation, plan.evaluation_bins) == (None, 0)
    assert plan.sigma_gradient == math.sqrt(plan.rounds / 0.92) / plan.mu
    assert plan.sigma_threshold == 1 / (plan.mu * math.sqrt(0.08))


def test_stopping_after_three_of_five_rounds_leaves_what_the_formula_says():
    plan = planned(rounds=5)
    spent = math.fsum(release.sigma**-2 for release in plan.releases[:3])
    assert spent == pytest.approx(3 / 5 * 0.92 * plan.mu**2)
    left = planned(rounds=5, spent_mu2=spent)
    assert left.mu**2 == pytest.approx((1 - 0.552) * plan.mu**2)
    # Of (4, 1e-5), mu .925: .448 mu^2 are left, mu .619 or epsilon 2.53.
    assert plan.mu == pytest.approx(0.925, abs=5e-4)
    assert left.mu == pytest.approx(0.619, abs=5e-4)
    assert epsilon_of(left.mu, 1e-5) == pytest.approx(2.53, abs=5e-3)
    assert left.epsilon == plan.epsilon  # the promise is the family's, not the successor's


def test_two_parties_with_the_same_numbers_have_the_same_plan():
    assert planned().digest == planned().digest
    changes = {
        "epsilon": math.nextafter(4.0, 5.0),
        "delta": 1.1e-5,
        "participants": 89,
        "clinics": 5,
        "collusion_margin": 0,
        "top_eigenvalue": 0.9,
        "with_threshold": False,
        "rounds": 1,
        "evaluation_bins": 2,
        "spent_mu2": 0.01,
    }
    assert set(changes) >= set(DEFAULTS)
    digests = {planned(**{name: value}).digest for name, value in changes.items()}
    assert len(digests | {planned().digest}) == len(changes) + 1


@pytest.mark.parametrize(
    ("changes", "rounds"),
    [
        ({"epsilon": 1.0}, 4),
        ({"epsilon": 4.0}, 4),
        ({"epsilon": 8.0}, 4),
        ({"epsilon": 8.0, "participants": 300}, 13),
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
            20,
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


def test_a_planner_that_forgets_the_thresholds_share_refuses_its_own_plan(monkeypatch):
    monkeypatch.setattr(planner, "_THRESHOLD_SHARE", _ForgottenByTheDirection(0.08))
    with pytest.raises(PrivacyError, match="cost more than the promise; this is a defect"):
        planned()


class _ForgottenByTheDirection(float):
    """A share that is spent and that nobody else gives up."""

    def __rsub__(self, other):
        return other


def test_a_sum_that_could_wrap_around_is_refused():
    barely = {"epsilon": 1e-12, "delta": 1e-13, "clinics": 20}
    fits = planned(**barely, collusion_margin=0)
    assert largest_sum(88, fits.sigma_gradient, GRID) < 2**63
    with pytest.raises(PrivacyError, match="largest integer of 64 bits"):
        planned(**barely | {"epsilon": 1e-13, "delta": 1e-14}, collusion_margin=0)
    # The shares of colluders count too: 20 clinics that withstand 19 add 20 times the variance.
    with pytest.raises(PrivacyError, match="largest integer of 64 bits"):
        planned(**barely, collusion_margin=19)


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
        ({"rounds": 0}, "0 rounds asked; choose 1 to 64"),
        ({"rounds": 65}, "65 rounds"),
        ({"spent_mu2": -0.1}, "spent mu"),
        ({"spent_mu2": math.nan}, "spent mu"),
        ({"spent_mu2": mu_of(4.0, 1e-5) ** 2}, "nothing is left"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, message):
    with pytest.raises(PrivacyError, match=message):
        planned(**changes)
