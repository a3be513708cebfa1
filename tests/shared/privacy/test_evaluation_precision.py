import math

import numpy as np
import pytest

from shared.evaluation.confusion import Confusion
from shared.privacy.evaluation_precision import expected_precision, opened_sd
from shared.privacy.planner import make_plan


def test_without_noise_it_is_the_binomial_interval():
    exact = expected_precision(4, 88, 0.0)
    assert exact.rate == exact.rate_without_noise
    assert exact.rate == pytest.approx(1.96 * math.sqrt(0.75 * 0.25 / 44), rel=1e-4)
    assert exact.bin_share == pytest.approx(1.96 * math.sqrt(0.25 / 22), rel=1e-4)


@pytest.mark.parametrize("bins", [2, 4, 8])
@pytest.mark.parametrize("participants", [88, 264])
def test_it_foretells_the_half_width_of_the_reports_intervals(bins, participants):
    sd = 3.9
    each = participants / 2
    counts = Confusion(
        0.75 * each, 0.25 * each, 0.25 * each, 0.75 * each, noise_sd=sd * math.sqrt(bins / 2)
    )
    expected = expected_precision(bins, participants, sd)
    # Wilson's interval is cut at 1; the more noise, the more.
    near = 0.015 if expected.rate < 0.25 else 0.06
    assert expected.rate == pytest.approx(counts.sensitivity.half_width, abs=near)


def test_it_is_the_spread_of_noised_shares():
    rng = np.random.default_rng(0)
    each, noise = 132, 4.0 * math.sqrt(2)  # four bins: two noised cells a side
    right = rng.binomial(each, 0.75, 40_000)
    tp, fn = right + rng.normal(0, noise, 40_000), each - right + rng.normal(0, noise, 40_000)
    spread = np.std(tp / (tp + fn))
    assert expected_precision(4, 2 * each, 4.0).rate == pytest.approx(1.96 * spread, rel=0.05)


def test_what_cannot_be_told_is_one_half():
    assert expected_precision(8, 20, 50.0).rate == 0.5
    assert expected_precision(8, 20, 50.0).bin_share == 0.5


def test_an_opened_sum_holds_the_colluders_shares_too():
    plan = make_plan(
        epsilon=4.0,
        delta=1e-5,
        participants=88,
        clinics=4,
        collusion_margin=1,
        top_eigenvalue=0.2,
        with_threshold=True,
    )
    assert opened_sd(3.0, plan) == pytest.approx(3.0 * math.sqrt(4 / 3))
