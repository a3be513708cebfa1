"""How long trainings in closed form take, beside the same trainings through Opacus."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from shared.channels import all_combinations
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID, on_grid
from shared.privacy.planner import CLIPPING_NORM, make_plan
from simulations.compare.leave_one_out import leave_one_out_scores
from simulations.compare.stacked import Rows, gradient_training

__all__ = ["StackedTiming", "time_stacked"]

_DIMENSION = 78
_REPEATS = 5


class StackedTiming(NamedTuple):
    """Seconds of the same work done in three ways.

    Attributes
    ----------
    combinations, participants, rounds : int
    one_release_s : float
        Leave-one-out scores of all combinations from one release.
    stacked_s, opacus_s : float
        A training of ``rounds`` rounds without each participant, for each combination: by stacked
        matrix products, and through Opacus (timed on one training, times their number).
    """

    combinations: int
    participants: int
    rounds: int
    one_release_s: float
    stacked_s: float
    opacus_s: float


def time_stacked(participants: int = 88, rounds: int = 4) -> StackedTiming:
    """Time leave-one-out over all attribute combinations on random unit vectors.

    Parameters
    ----------
    participants : int
    rounds : int
        Of the trainings that are repeated for every participant and combination.
    """
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((participants, _DIMENSION))
    phi = on_grid(raw / np.linalg.norm(raw, axis=1, keepdims=True)) / GRID
    rows = Rows(phi, rng.random(participants) < 0.5, np.zeros(participants, dtype=np.int64))
    combinations = len(all_combinations())
    plan = make_plan(
        epsilon=4.0,
        delta=1e-5,
        participants=participants,
        clinics=4,
        collusion_margin=1,
        top_eigenvalue=0.1,
        with_threshold=True,
        rounds=rounds,
    )
    noise = plan.sigma_gradient * rng.standard_normal(_DIMENSION)
    without_one = ~np.eye(participants, dtype=bool)

    def one_release() -> None:
        leave_one_out_scores(rows, noise)

    def stacked() -> None:
        for _ in range(combinations):
            gradient_training(rows, without_one, plan, lambda: noise)

    def opacus() -> None:
        weights = np.zeros(_DIMENSION)
        for number in range(rounds):
            opened = gradient_contribution(
                rows.phi,
                rows.asd,
                weights,
                variance=round((GRID * plan.sigma_gradient) ** 2),
                noise=SeededNoise(0, "bench"),
                release=str(number),
            )
            weights = weights - plan.step * CLIPPING_NORM * opened / GRID / participants

    return StackedTiming(
        combinations,
        participants,
        rounds,
        _median_s(one_release),
        _median_s(stacked),
        _median_s(opacus) * combinations * participants,
    )


def _median_s(work: Callable[[], None]) -> float:
    work()  # imports and caches
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
