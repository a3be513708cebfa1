"""Choose the size of the group effect so that a pooled classifier gives the published table.

The published table is one cohort of 88, so its numbers are matched by the mean over many surrogate
cohorts. Per cohort: 10 folds by participant, stratified by label; the pooled logistic regression
of ``shared.learning.pooled`` (features standardised by the training rows, L2, C fixed, ASD where
the probability exceeds 0.5); decisions of the ten folds counted together.

What is fitted, per row of the table, is the mean of sensitivity and specificity:

    e_AU          from AU alone
    e_arousal     from AU + arousal
    e_expression  from all four groups
    e_valence     not fitted: the published third row lies below the second although it has more
                  inputs, which no effect can produce on average (one draw's luck). It keeps its
                  ratio to e_AU in the unscaled effects.

Search: separations add in squares, so with q = (inverse normal of the balanced accuracy) squared,
e is multiplied by the root of the wanted over the measured gain in q; a few such steps on 40
cohorts, one on all, and then the stored measurement on all. The outcome is a JSON file with its
provenance, and the generator reads its effects from there.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from shared.channels import (
    GROUP_CHANNELS,
    POSTER_COMBINATIONS,
    AttributeGroup,
    combination_name,
)
from shared.evaluation import classification_metrics
from shared.features import FEATURE_CHANNEL, FEATURES_VERSION
from shared.files import write_atomic
from shared.learning.pooled import REGULARISATION_C, THRESHOLD, THRESHOLD_RULE, train_pooled
from simulations.cohort.cohort import GENERATOR_VERSION
from simulations.cohort.features import surrogate_features
from simulations.cohort.population import UNSCALED_EFFECTS, Effects
from simulations.folds import stratified_folds

__all__ = [
    "CALIBRATION_COHORTS",
    "MEASURED",
    "PUBLISHED",
    "TOLERANCE",
    "Measurement",
    "calibrate_effects",
    "measure",
    "write_calibration",
]

CALIBRATION_COHORTS: Final = 200
SEARCH_COHORTS: Final = 40
SEARCH_STEPS: Final = 4
FOLDS: Final = 10

MEASURED: Final = ("f1", "sensitivity", "specificity", "balanced_accuracy", "auc")

PUBLISHED: Final[dict[str, tuple[float, float, float]]] = dict(
    zip(
        (combination_name(groups) for groups in POSTER_COMBINATIONS),
        ((0.69, 0.69, 0.62), (0.72, 0.71, 0.67), (0.69, 0.67, 0.67), (0.76, 0.76, 0.69)),
        strict=True,
    )
)
"""F1, sensitivity and specificity of Li et al., ICIP 2019, Table 1."""

TOLERANCE: Final[dict[str, float]] = dict(zip(PUBLISHED, (0.04, 0.04, 0.08, 0.02), strict=True))
"""How far each mean may lie from the published value."""

_LARGEST_FACTOR: Final = 1.5

Progress = Callable[[str, int, int], None]
"""Told the stage, and how many of how many cohorts are done."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Pooled performance per cohort and combination.

    Attributes
    ----------
    values : ndarray, shape (n_cohorts, 4, 5)
        Combinations in the order of ``PUBLISHED``, metrics in that of ``MEASURED``.
    """

    values: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over cohorts, shape (4, 5)."""
        average: NDArray[np.float64] = self.values.mean(axis=0)
        return average

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean, shape (4, 5)."""
        error: NDArray[np.float64] = self.values.std(axis=0, ddof=1) / np.sqrt(len(self.values))
        return error

    def within_tolerance(self) -> bool:
        """Whether F1, sensitivity and specificity of all rows lie within ``TOLERANCE``."""
        off = np.abs(self.mean[:, :3] - np.array(list(PUBLISHED.values())))
        return bool((off <= np.array(list(TOLERANCE.values()))[:, None]).all())


def measure(
    effects: Effects,
    cohorts: int = CALIBRATION_COHORTS,
    *,
    processes: int = 2,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Measurement:
    """Pooled performance on surrogate cohorts 0 to ``cohorts`` - 1.

    Parameters
    ----------
    effects : dict
        e_G per attribute group.
    cohorts : int
        At least 2.
    processes : int
        Worker processes, one thread each; 1 works in this process.
    on_progress : callable
        Told after each cohort.
    """
    tasks = [(seed, effects) for seed in range(cohorts)]
    results = []
    with _mapping(processes) as mapped:
        for done, values in enumerate(mapped(_measure_one, tasks), start=1):
            results.append(values)
            on_progress(done, cohorts)
    return Measurement(np.stack(results))


def calibrate_effects(
    cohorts: int = CALIBRATION_COHORTS,
    *,
    processes: int = 2,
    on_progress: Progress = lambda stage, done, total: None,
) -> tuple[Effects, Measurement]:
    """Search the effects, then measure them on all cohorts.

    Returns
    -------
    effects : dict
    measurement : Measurement
        Of these effects on cohorts 0 to ``cohorts`` - 1.
    """
    effects = dict(UNSCALED_EFFECTS)
    few = min(SEARCH_COHORTS, cohorts)
    stages = [(f"search {step + 1}", few) for step in range(SEARCH_STEPS)]
    stages.append(("correction", cohorts))
    for stage, n in stages:

        def tell(done: int, total: int, stage: str = stage) -> None:
            on_progress(stage, done, total)

        found = measure(effects, n, processes=processes, on_progress=tell)
        effects = _improved(effects, found)
    final = measure(
        effects,
        cohorts,
        processes=processes,
        on_progress=lambda done, total: on_progress("measurement", done, total),
    )
    return effects, final


def write_calibration(
    path: Path, effects: Effects, measurement: Measurement, *, seconds: float, processes: int
) -> None:
    """Store effects, what they give, and how they were found, as JSON."""
    mean, error = measurement.mean, measurement.standard_error
    content: dict[str, Any] = {
        "what": "Effect sizes of the surrogate cohort; written by fedaffect-sim calibrate.",
        "effects": effects,
        "table": {
            name: {
                "published": dict(zip(MEASURED, published, strict=False)),
                "mean": _named(mean[row]),
                "standard_error": _named(error[row]),
                "tolerance": TOLERANCE[name],
            }
            for row, (name, published) in enumerate(PUBLISHED.items())
        },
        "provenance": {
            "seeds": [0, len(measurement.values) - 1],
            "search_seeds": [0, min(SEARCH_COHORTS, len(measurement.values)) - 1],
            "classifier": "L2 logistic regression on features standardised by the training rows",
            "regularisation_c": REGULARISATION_C,
            "threshold_rule": THRESHOLD_RULE,
            "protocol": f"{FOLDS}-fold cross-validation by participant, stratified by label; "
            "decisions of all folds counted together, AUC as the mean over folds",
            "generator_version": GENERATOR_VERSION,
            "features_version": FEATURES_VERSION,
            "packages": {name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
            "seconds": round(seconds),
            "processes": processes,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def _improved(effects: Effects, found: Measurement) -> Effects:
    """Effects after one step of the search."""
    balanced = found.mean[:, MEASURED.index("balanced_accuracy")]
    wanted = np.array([(row[1] + row[2]) / 2 for row in PUBLISHED.values()])
    now, then = norm.ppf(balanced) ** 2, norm.ppf(wanted) ** 2

    def factor(wanted_gain: float, gain: float) -> float:
        ratio = np.sqrt(max(wanted_gain, 0.0) / gain) if gain > 0 else _LARGEST_FACTOR
        return float(np.clip(ratio, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR))

    au = effects["au"] * factor(then[0], now[0])
    # Row 3 moves with row 2; what valence adds to it is not fitted.
    third_then = then[1] + now[2] - now[1]
    return {
        "au": au,
        "arousal": effects["arousal"] * factor(then[1] - then[0], now[1] - now[0]),
        "valence": au * UNSCALED_EFFECTS["valence"] / UNSCALED_EFFECTS["au"],
        "expression": effects["expression"] * factor(then[3] - third_then, now[3] - now[2]),
    }


def _measure_one(task: tuple[int, Effects]) -> NDArray[np.float64]:
    seed, effects = task
    table = surrogate_features(seed, effects=effects)
    assert table.asd is not None
    fold = stratified_folds(table.asd, table.participants, n_splits=FOLDS, seed=seed)
    rows = [
        _cross_validated(table.values[:, _columns(groups)], table.asd, fold)
        for groups in POSTER_COMBINATIONS
    ]
    return np.array(rows)


def _cross_validated(
    features: NDArray[np.float64], asd: NDArray[np.bool_], fold: NDArray[np.int64]
) -> list[float]:
    scores = np.empty(len(asd))
    for number in range(FOLDS):
        tested = fold == number
        model = train_pooled(features[~tested], asd[~tested])
        scores[tested] = model.probability(features[tested]) - THRESHOLD
    metrics = classification_metrics(asd, scores, fold)
    return [metrics[name] for name in MEASURED]


def _columns(groups: tuple[AttributeGroup, ...]) -> NDArray[np.int64]:
    channels = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    return np.flatnonzero(np.isin(FEATURE_CHANNEL, channels))


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(MEASURED, values, strict=True)}


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[..., Iterable[NDArray[np.float64]]]]:
    """``map`` over worker processes, or the built-in one where one process is asked."""
    if processes == 1:
        yield map
        return
    # Spawned, since forking a process that runs a progress bar's thread is unsafe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        yield pool.map


def _one_thread() -> None:
    """Matrices are small: threads of two workers would only compete."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
