"""The private training with one round on one cohort: how well it ranks, and whether beyond chance.

Every participant is scored by the weights that lack them (exact, in closed form), for every
permutation with fresh noise. Such a test needs the rows in one place; a study would pay for each
release, so this is a statement about the mechanism, not a test a study runs.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from shared.channels import ATTRIBUTE_GROUPS, all_combinations
from shared.evaluation.chance import permutation_test
from shared.evaluation.cross_validated import cross_validated
from shared.evaluation.leave_one_out import one_round_scores
from shared.features import FeatureTable
from shared.privacy.constants import load_constants
from shared.privacy.grid import GRID
from shared.privacy.planner import make_plan
from shared.privacy.unit_vectors import AffectMap
from simulations.compare.leave_one_out import leave_one_out_scores
from simulations.compare.stacked import Rows

__all__ = ["PrivateOutcome", "private_outcome"]

_COLLUSION_MARGIN: Final = 1
_ALL_FOUR: Final = all_combinations().index(ATTRIBUTE_GROUPS)


class PrivateOutcome(NamedTuple):
    """Leave-one-out figures of one noised training, all four attribute groups.

    Attributes
    ----------
    auc, balanced_accuracy : float
    p : float
        Permutation test of the AUC.
    """

    auc: float
    balanced_accuracy: float
    p: float


def private_outcome(
    table: FeatureTable,
    *,
    epsilon: float,
    delta: float,
    permutations: int,
    stop_after: int,
    seed: int,
) -> PrivateOutcome:
    """Train once with noise, leave each one out, and compare with permuted features.

    Parameters
    ----------
    table : FeatureTable
        With labels and clinics.
    epsilon, delta : float
    permutations, stop_after : int
        As ``permutation_test`` takes them.
    seed : int
        Of the noise and the permutations.
    """
    asd = np.asarray(table.asd, dtype=bool)
    names, clinic = np.unique(np.array(table.clinic), return_inverse=True)
    affect = AffectMap(load_constants(), ATTRIBUTE_GROUPS)
    vectors = affect.unit_vectors(table.values)
    plan = make_plan(
        epsilon=epsilon,
        delta=delta,
        participants=len(asd),
        clinics=len(names),
        collusion_margin=_COLLUSION_MARGIN,
        top_eigenvalue=affect.top_eigenvalue,
        with_threshold=True,
        rounds=1,
    )
    # What the clinics that do not collude add is the planned noise; the others add theirs as well.
    shared = math.sqrt(len(names) / (len(names) - _COLLUSION_MARGIN))
    rng = np.random.default_rng(seed)
    gradient = shared * plan.sigma_gradient * rng.standard_normal((1, affect.dimension))
    threshold = shared * (plan.sigma_threshold or 0.0) * rng.standard_normal(1)
    scores = one_round_scores(
        vectors, asd, plan, gradient_noise=gradient, threshold_noise=threshold
    )[0]
    together = np.zeros(len(asd), dtype=np.int64)
    first = [gradient[0]]

    def statistic(order: np.ndarray) -> float:
        # The data as they are take the noise of the release above, a permutation takes new noise.
        noise = (
            first.pop()
            if first
            else shared * plan.sigma_gradient * rng.standard_normal(affect.dimension)
        )
        rows = Rows(vectors[order] / GRID, asd, clinic)
        ranked = leave_one_out_scores(rows, noise)[_ALL_FOUR]
        return float(cross_validated(asd, ranked, together, "auc"))

    chance = permutation_test(
        statistic, clinic, seed=seed + 1, permutations=permutations, stop_after=stop_after
    )
    return PrivateOutcome(
        auc=chance.observed,
        balanced_accuracy=float(cross_validated(asd, scores, together, "balanced_accuracy")),
        p=chance.p,
    )
