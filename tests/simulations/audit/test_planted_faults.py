"""Break the mechanism in the ways that matter, and expect the audit to say so.

The sound mechanism passes with the same number of runs, so no fault is found by chance, and none is
missed for want of runs.
"""

from dataclasses import replace

import numpy as np
import pytest

from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM, make_plan
from shared.privacy.secure_sum import share_variance
from simulations.audit import PRODUCT, audit_arithmetic
from simulations.audit.batched_noise import discrete_gaussians

EPSILON, DELTA = 4.0, 1e-5
RUNS = 100_000


def audit(mechanism=PRODUCT, **settings):
    return audit_arithmetic(EPSILON, DELTA, runs=RUNS, seed=0, mechanism=mechanism, **settings)


def without_clip(gradients):
    return np.rint(GRID * gradients / CLIPPING_NORM).astype(np.int64)


def clipped_a_fifth_too_long(gradients):
    return np.rint(1.2 * PRODUCT.quantise_gradients(gradients)).astype(np.int64)


def unclipped_scores(scores, asd):
    return np.rint(GRID * (scores - np.where(asd, 1.0, -1.0))).astype(np.int64)


def less_the_clinic_mean(gradients):
    """Centring before the clip: one participant then moves everybody else's gradient."""
    return PRODUCT.quantise_gradients(gradients - gradients.mean(axis=-2, keepdims=True))


def shares_for_too_many(sigma, grid, clinics, collusion_margin):
    """Standard deviation divided by the roster, where the variance should be."""
    return share_variance(sigma / clinics, grid, 1, 0)


def shares_without_margin(sigma, grid, clinics, collusion_margin):
    return share_variance(sigma, grid, clinics, 0)


def one_share_missing(variance, shape, rng):
    noise = discrete_gaussians(variance, shape, rng)
    noise[-1] = 0
    return noise


def threshold_for_nothing(**promise):
    """Give all of mu^2 to the gradients and release the threshold on top."""
    plan = make_plan(**promise)
    return replace(plan, sigma_gradient=np.sqrt(plan.rounds) / plan.mu)


def two_trainings(plan):
    """A ledger that forgot the first training lets a second one through."""
    return [*plan.releases, *plan.releases]


FAULTS = {
    "no clip": {"quantise_gradients": without_clip},
    "clip a fifth too long": {"quantise_gradients": clipped_a_fifth_too_long},
    "threshold scores not clipped": {"quantise_scores": unclipped_scores},
    "gradients centred by the clinic's mean": {"quantise_gradients": less_the_clinic_mean},
    "shares sigma/K": {"share_variance": shares_for_too_many},
    "shares without the collusion margin": {"share_variance": shares_without_margin},
    "one share missing": {"noise": one_share_missing},
    "threshold not paid for": {"plan": threshold_for_nothing},
    "ledger reset between two trainings": {"releases": two_trainings},
}


def test_the_sound_mechanism_stands_and_the_audit_has_power():
    found = audit()
    assert not found.refuted
    assert 0.9 < found.ratio <= 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    found = audit(replace(PRODUCT, **FAULTS[fault]))
    assert found.refuted
    assert found.mu_lower > found.mu_claim


def test_one_colluder_more_than_the_margin_is_found():
    """The promise covers one colluder; a coalition of two is outside it, and the audit can tell."""
    assert audit(colluders=1).refuted is False
    assert audit(colluders=2).refuted is True


def test_a_smaller_coalition_sees_less():
    """All four shares are unknown: noise sqrt(4/3) of what the claim needs."""
    found = audit(colluders=0)
    assert found.ratio == pytest.approx(np.sqrt(3 / 4), abs=0.04)


@pytest.mark.parametrize("bins", [2, 8])
def test_counts_by_label_and_score_are_paid_for(bins):
    found = audit(evaluation_bins=bins)
    assert not found.refuted
    assert found.ratio > 0.9
    assert found.sums == found.rounds + 2


def test_counts_that_are_not_paid_for_are_found():
    def without_counts_in_mind(**promise):
        counted = make_plan(**promise)
        plain = make_plan(**(promise | {"evaluation_bins": 0}))
        sigma = counted.sigma_evaluation
        return replace(plain, sigma_evaluation=sigma, evaluation_bins=counted.evaluation_bins)

    assert audit(replace(PRODUCT, plan=without_counts_in_mind), evaluation_bins=2).refuted


def test_a_participant_who_is_counted_twice_is_found():
    def twice(scores, asd, bins):
        return 2 * PRODUCT.count_cells(scores, asd, bins)

    assert audit(replace(PRODUCT, count_cells=twice), evaluation_bins=8).refuted
