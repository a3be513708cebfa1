import math

import pytest
from ledger_cases import LIMIT, plan

from client.ledger import Limit, PlannedRelease
from client.ledger.budget import TOLERANCE, cost, fits, refusal
from client.ledger.history import cost_of_plan
from shared.errors import LedgerError, PrivacyError
from shared.privacy.accountant import mu_of

FULL = LIMIT.mu_squared


@pytest.mark.parametrize(
    ("spent", "requested", "allowed"),
    [
        (0.0, FULL, True),
        (FULL, 0.0, True),
        (FULL / 2, FULL / 2, True),
        (FULL / 3, 2 * FULL / 3, True),
        (0.0, math.nextafter(FULL, 2), True),
        (0.0, math.nextafter(FULL, 0), True),
        (0.0, FULL * (1 + TOLERANCE / 2), True),
        (FULL * (1 - 1e-12), FULL * 1e-12, True),
        (0.0, FULL * (1 + 2 * TOLERANCE), False),
        (FULL, FULL * 2 * TOLERANCE, False),
        (FULL, 2e-9, False),
        (FULL / 2, FULL / 2 + 1e-6, False),
        (math.nextafter(FULL, 2), FULL, False),
        (0.0, 1e300, False),
    ],
)
def test_the_boundary(spent, requested, allowed):
    assert fits(spent, requested, LIMIT) is allowed


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-12])
def test_impossible_amounts_are_refused_by_name(value):
    with pytest.raises(LedgerError, match=r"spent mu\^2"):
        fits(value, 0.1, LIMIT)
    with pytest.raises(LedgerError, match=r"requested mu\^2"):
        fits(0.1, value, LIMIT)


@pytest.mark.parametrize(
    ("epsilon", "delta", "name"),
    [
        (math.nan, 1e-5, "epsilon nan"),
        (math.inf, 1e-5, "epsilon inf"),
        (-1.0, 1e-5, "epsilon -1.0"),
        (0.0, 1e-5, "epsilon 0"),
        (4.0, math.nan, "delta nan"),
        (4.0, 0.0, "delta 0.0"),
        (4.0, 1.0, "delta 1.0"),
    ],
)
def test_a_limit_is_a_promise(epsilon, delta, name):
    with pytest.raises(PrivacyError, match=name):
        Limit(epsilon, delta)


def test_a_release_costs_the_square_of_sensitivity_over_noise():
    release = PlannedRelease(round=1, kind="gradient", sigma=2.0, sensitivity=0.5)
    assert cost(release) == 0.0625
    with pytest.raises(LedgerError, match="mu inf asked in round 3"):
        cost(PlannedRelease(round=3, kind="gradient", sigma=1e-300, sensitivity=1e300))
    with pytest.raises(LedgerError, match=r"mu 1e\+200 asked"):
        cost(PlannedRelease(round=1, kind="gradient", sigma=1e-200))


@pytest.mark.parametrize("rounds", [1, 4, 7, 64])
def test_a_plan_made_for_the_limit_fits_it_exactly(rounds):
    assert cost_of_plan(plan(1.0, rounds)) == pytest.approx(FULL, rel=1e-12)
    assert fits(0.0, cost_of_plan(plan(1.0, rounds)), LIMIT)


def test_a_refusal_says_requested_remaining_gap_and_what_to_do():
    requested = mu_of(3.0, 1e-5) ** 2
    spent = FULL - 0.5937**2
    assert refusal(spent, requested, LIMIT) == (
        "budget exceeded: requested mu .719 (epsilon 3.00), remaining mu .594 (epsilon 2.42) of "
        "mu .925 (epsilon 4.00, delta 1e-5), gap in mu^2 .165. Ask the coordinator for a study "
        "that fits the remaining budget, or leave out the children whose budget is spent when you "
        "approve it"
    )


def test_a_refusal_shows_small_gaps_and_absurd_requests():
    assert "gap in mu^2 1.0e-07" in refusal(0.0, FULL + 1e-7, LIMIT)
    assert "remaining mu .000 (epsilon 0.00)" in refusal(2 * FULL, 0.1, LIMIT)
    assert "requested mu 100.000 (epsilon beyond any use)" in refusal(0.0, 1e4, LIMIT)
