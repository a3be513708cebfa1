"""How long all fifteen combinations take in nested cross-validation over many surrogate cohorts."""

import time
from typing import Final, NamedTuple

import numpy as np

from shared.channels import all_combinations
from shared.evaluation.combinations import compare_combinations
from shared.evaluation.folds import stratified_fold
from shared.evaluation.nested import C_GRID, INNER_FOLDS, OUTER_FOLDS, nested_cross_validation
from simulations.cohort import surrogate_features
from simulations.reproduce import parallel_map

__all__ = ["NestedTiming", "time_nested"]

_FIRST_SEED: Final = 9_300_000
"""Timing looks at no figure, but it looks at nobody else's cohorts either."""


class NestedTiming(NamedTuple):
    """Time of the whole work and of its parts.

    Attributes
    ----------
    cohorts, processes : int
    fits : int
        Logistic regressions fitted in all.
    features_s, nested_s : float
        Drawing the participants' series and measuring their features; nested cross-validation with
        the comparison of combinations. Summed over cohorts, whichever process did them.
    wall_s : float
        From start to end, processes' start included.
    """

    cohorts: int
    processes: int
    fits: int
    features_s: float
    nested_s: float
    wall_s: float


def time_nested(cohorts: int, processes: int) -> NestedTiming:
    """Run nested cross-validation of all combinations on surrogate cohorts of 88.

    Parameters
    ----------
    cohorts : int
    processes : int
    """
    started = time.perf_counter()
    parts = list(parallel_map(_one, [_FIRST_SEED + k for k in range(cohorts)], processes))
    wall = time.perf_counter() - started
    combinations = len(all_combinations())
    return NestedTiming(
        cohorts=cohorts,
        processes=min(processes, cohorts),
        fits=cohorts * OUTER_FOLDS * combinations * (INNER_FOLDS * len(C_GRID) + 1),
        features_s=sum(features for features, _ in parts),
        nested_s=sum(nested for _, nested in parts),
        wall_s=wall,
    )


def _one(seed: int) -> tuple[float, float]:
    started = time.perf_counter()
    table = surrogate_features(seed)
    measured = time.perf_counter()
    asd = np.asarray(table.asd, dtype=bool)
    fold = stratified_fold(asd, OUTER_FOLDS, np.random.default_rng(seed))
    nested = nested_cross_validation(table.values, asd, fold, seed=seed)
    compare_combinations(asd, nested.fold, nested.by_combination, nested.combinations)
    return measured - started, time.perf_counter() - measured
