"""Tune the baseline (DP-SGD at each clinic, FedAvg) in its own favour.

For each epsilon the settings with the best mean AUC are kept, chosen on cohorts that no reported
result uses, over many draws of the noise so that the choice does not follow one of them. The
comparison is therefore never lost by a careless baseline; tuning costs it no privacy, which real
users would have to pay.
"""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from shared.channels import ATTRIBUTE_GROUPS
from shared.files import write_atomic
from shared.privacy.accountant import mu_of
from shared.privacy.constants import DEFAULT_CONSTANTS, load_constants
from shared.privacy.grid import GRID
from shared.study import LocalTraining
from simulations.cohort import GENERATOR_VERSION, surrogate_features
from simulations.compare.metrics import mean_metrics
from simulations.compare.stacked import Rows, local_training, out_of_fold, scores_of
from simulations.folds import stratified_folds
from simulations.reproduce import (
    BASELINE_SETTINGS,
    DEFAULT_EPSILONS,
    FOLDS,
    cohort_sample,
    parallel_map,
)
from simulations.results import software_versions

__all__ = ["TUNING_SEEDS", "tune_baseline"]

TUNING_SEEDS: Final = tuple(range(3000, 3010))
"""Cohorts used here and nowhere else."""

_SCHEDULES: Final = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 5), (2, 5), (4, 5))
_LEARNING_RATES: Final = (1.0, 4.0, 16.0)
_CLIPPING_NORMS: Final = (0.5, 1.0)
_DRAWS: Final = 64


def tune_baseline(
    *,
    seeds: Sequence[int] = TUNING_SEEDS,
    epsilons: Sequence[float] = DEFAULT_EPSILONS,
    delta: float = 1e-5,
    processes: int,
    on_cohort: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Search rounds, local steps, learning rate and clipping norm for each epsilon.

    Returns
    -------
    dict
        The content of the settings file: chosen settings with their AUC, grid and provenance.
    """
    grid = [
        LocalTraining(rounds=r, steps=s, learning_rate=rate, clipping_norm=norm)
        for (r, s), rate, norm in itertools.product(_SCHEDULES, _LEARNING_RATES, _CLIPPING_NORMS)
    ]
    arms = [(epsilon, delta, setting) for epsilon in epsilons for setting in grid]
    tasks = [(seed, arms) for seed in seeds]
    areas = []
    for found in parallel_map(_areas, tasks, processes):
        areas.append(found)
        on_cohort()
    mean = np.mean(areas, axis=0).reshape(len(epsilons), len(grid))
    best = {epsilon: int(np.argmax(mean[i])) for i, epsilon in enumerate(epsilons)}
    return {
        "settings": {f"{e:g}": grid[index].model_dump() for e, index in best.items()},
        "auc": {f"{e:g}": round(float(mean[i, best[e]]), 4) for i, e in enumerate(epsilons)},
        "provenance": {
            "command": "fedaffect-sim tune-baseline",
            "data": f"surrogate cohorts (generator {GENERATOR_VERSION}), seeds "
            f"{min(seeds)} to {max(seeds)}, all four attribute groups, 4 clinics, "
            f"{FOLDS}-fold cross-validation, {_DRAWS} draws of the noise, delta {delta:g}",
            "rule": "highest mean AUC within folds",
            "grid": {
                "rounds_and_steps": [list(pair) for pair in _SCHEDULES],
                "learning_rate": list(_LEARNING_RATES),
                "clipping_norm": list(_CLIPPING_NORMS),
            },
            "software": software_versions(),
        },
    }


def write_baseline_settings(content: dict[str, Any]) -> None:
    """Store tuned settings where the reproduction reads them."""
    write_atomic(BASELINE_SETTINGS, json.dumps(content, indent=1) + "\n")


def _areas(task: tuple[int, list[tuple[float, float, LocalTraining]]]) -> list[float]:
    """Mean AUC of every epsilon and setting on one cohort."""
    seed, arms = task
    table = surrogate_features(seed)
    sample = cohort_sample(table, ATTRIBUTE_GROUPS, load_constants(DEFAULT_CONSTANTS), f"{seed}")
    rows = Rows(sample.vectors / GRID, sample.asd, sample.clinic)
    fold = stratified_folds(sample.asd, table.participants, n_splits=FOLDS, seed=seed)
    train = np.tile(fold[None, :] != np.arange(FOLDS)[:, None], (_DRAWS, 1))
    size = (len(train), rows.phi.shape[1])
    areas = []
    for epsilon, delta, settings in arms:
        sigma = math.sqrt(settings.rounds * settings.steps) / mu_of(epsilon, delta)
        rng = np.random.default_rng(seed)  # the same draws for every setting

        def noise(sigma: float = sigma, rng: np.random.Generator = rng) -> np.ndarray:
            return sigma * rng.standard_normal(size)

        weights = local_training(rows, train, settings, noise)
        scores = scores_of(rows, weights).reshape(_DRAWS, FOLDS, -1)
        areas.append(mean_metrics(sample.asd, out_of_fold(scores, fold), fold)["auc"])
    return areas
