"""What an audit looks at: the product's own functions, each in a slot of its own.

An audit that cannot fail proves nothing, so tests put a broken function into one of the slots and
expect to be told. The product needs no switch for that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.evaluation_counts import evaluation_contribution, score_bins
from shared.privacy.gradient_sum import quantised_gradients
from shared.privacy.planner import Plan, PlannedRelease, make_plan
from shared.privacy.secure_sum import add_modulo, seal, share_variance
from shared.privacy.threshold import clipped_contributions, score_limit
from simulations.audit.batched_noise import discrete_gaussians

__all__ = ["PRODUCT", "Mechanism"]


def _planned_releases(plan: Plan) -> Sequence[PlannedRelease]:
    return plan.releases


class _NoNoise:
    """The audit adds the noise of all runs itself."""

    def integers(self, variance: int, total: NDArray[np.int64], release: str) -> NDArray[np.int64]:
        raise AssertionError("a contribution without variance asked for noise")


def _cells(scores: NDArray[np.float64], asd: NDArray[np.bool_], bins: int) -> NDArray[np.int64]:
    none: NoiseSource = _NoNoise()
    found = score_bins(scores * score_limit(1), 0.0, bins, 1)
    return evaluation_contribution(found, asd, bins, variance=0, noise=none, release="")


@dataclass(frozen=True)
class Mechanism:
    """The steps from participants' numbers to opened sums.

    Attributes
    ----------
    plan : callable
        ``plan(epsilon=, delta=, participants=, ...)``: rounds and noise of a promise.
    releases : callable
        ``releases(plan)``: the sums that are opened on one charge of the budget.
    quantise_gradients : callable
        Gradients, shape (..., participants, k), to the integers that are summed.
    quantise_scores : callable
        Scores and labels, shape (..., participants), to the integers of the threshold sum.
    count_cells : callable
        Scores less the threshold and labels, shape (participants,), and the number of score bins,
        to the counts by label and score.
    share_variance : callable
        ``share_variance(sigma, grid, clinics, collusion_margin)``: each clinic's noise.
    noise : callable
        ``noise(variance, shape, rng)`` with shape (clinics, runs, k).
    seal : callable
        ``seal(values, mask)``: what a clinic sends.
    add : callable
        ``add(messages)``: the opened sums, over the first axis.
    """

    plan: Callable[..., Plan] = make_plan
    releases: Callable[[Plan], Sequence[PlannedRelease]] = _planned_releases
    quantise_gradients: Callable[[NDArray[np.float64]], NDArray[np.int64]] = quantised_gradients
    quantise_scores: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.int64]] = (
        clipped_contributions
    )
    count_cells: Callable[[NDArray[np.float64], NDArray[np.bool_], int], NDArray[np.int64]] = _cells
    share_variance: Callable[[float, int, int, int], int] = share_variance
    noise: Callable[[int, tuple[int, ...], np.random.Generator], NDArray[np.int64]] = (
        discrete_gaussians
    )
    seal: Callable[[NDArray[np.int64], NDArray[np.uint64]], NDArray[np.uint64]] = seal
    add: Callable[[NDArray[np.uint64]], NDArray[np.int64]] = add_modulo


PRODUCT = Mechanism()
"""The mechanism as clinics and server run it; only its noise is drawn by the batched sampler."""
