"""Reproduce the published Table 1, and show what federation and privacy cost beside it.

Many surrogate cohorts (or one real cohort, repeated over folds and noise) go through every method
on the same ten folds. Cohorts are independent, so they run in as many processes as there are cores.
"""

import concurrent.futures
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.channels import GROUP_CHANNELS, AttributeGroup, combination_name
from shared.evaluation import classification_metrics
from shared.features import FEATURE_CHANNEL, FeatureTable
from shared.learning.pooled import REGULARISATION_C
from shared.privacy.constants import DEFAULT_CONSTANTS, PublicConstants, load_constants
from shared.privacy.feature_map import FeatureMap
from shared.privacy.planner import Plan, make_plan
from shared.privacy.unit_vectors import AffectMap
from shared.study import LocalTraining
from simulations.engines.federation import Engine
from simulations.experiment import (
    Arm,
    Sample,
    Split,
    alone_scores,
    federated_scores,
    pooled_scores,
)
from simulations.folds import stratified_folds
from simulations.results import Method as ResultMethod

__all__ = [
    "BASELINE_SETTINGS",
    "DEFAULT_EPSILONS",
    "FOLDS",
    "Measured",
    "Protocol",
    "cohort_sample",
    "declared_plan",
    "evaluate_cohort",
    "evaluate_cohorts",
    "load_baseline_settings",
    "parallel_map",
    "usable_cores",
]

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

FOLDS: Final = 10
DEFAULT_EPSILONS: Final = (8.0, 4.0, 2.0, 1.0)
BASELINE_SETTINGS: Final = Path(__file__).with_name("local_dp_settings.json")
"""Settings of the local-dp baseline by epsilon, written by ``fedaffect-sim tune-baseline``."""


@dataclass(frozen=True)
class Protocol:
    """What is compared, and how.

    Attributes
    ----------
    combinations : tuple of tuple of AttributeGroup
    epsilons : tuple of float
    delta : float
    collusion_margin : int
        Clinics that may side with the server (shared noise).
    engine : Engine
    constants : Path
        Public constants file.
    """

    combinations: tuple[tuple[AttributeGroup, ...], ...]
    epsilons: tuple[float, ...] = DEFAULT_EPSILONS
    delta: float = 1e-5
    collusion_margin: int = 1
    engine: Engine = "inprocess"
    constants: Path = DEFAULT_CONSTANTS


class Measured(NamedTuple):
    """Metrics of one method on one combination in one cohort."""

    method: ResultMethod
    combination: str
    site: str | None
    epsilon: float | None
    metrics: dict[str, float]


def load_baseline_settings(epsilons: Sequence[float]) -> dict[float, LocalTraining]:
    """Tuned settings of the baseline; another epsilon takes those of the nearest tuned one."""
    stored = json.loads(BASELINE_SETTINGS.read_text(encoding="utf-8"))["settings"]
    tuned = {float(epsilon): LocalTraining(**settings) for epsilon, settings in stored.items()}
    return {
        epsilon: tuned[min(tuned, key=lambda known: abs(np.log(known / epsilon)))]
        for epsilon in epsilons
    }


def cohort_sample(
    table: FeatureTable, groups: tuple[AttributeGroup, ...], constants: PublicConstants, name: str
) -> Sample:
    """One cohort with the features of the chosen attribute groups.

    Parameters
    ----------
    table : FeatureTable
        With labels and clinics.
    groups : tuple of AttributeGroup
    constants : PublicConstants
    name : str
        Enters the studies' titles.
    """
    if table.asd is None or table.clinic is None:
        raise ValueError("a cohort has labels and clinics")
    clinics = tuple(sorted(set(table.clinic)))
    channels = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    return Sample(
        name=f"{name}, {combination_name(groups)}",
        asd=np.asarray(table.asd, dtype=bool),
        clinic=np.array([clinics.index(clinic) for clinic in table.clinic]),
        clinics=clinics,
        features=table.values[:, np.isin(FEATURE_CHANNEL, channels)],
        mapped=table.values,
        feature_map=AffectMap(constants, groups),
    )


def evaluate_cohort(
    table: FeatureTable,
    protocol: Protocol,
    *,
    seed: int,
    on_exchange: Callable[[int, int], None] = lambda exchange, messages: None,
) -> list[Measured]:
    """Every method on every combination, by ten-fold cross-validation over participants.

    Parameters
    ----------
    table : FeatureTable
        One cohort, with labels and clinics.
    protocol : Protocol
    seed : int
        Of the folds and the noise.
    on_exchange : callable
        Told before each exchange.
    """
    constants = load_constants(protocol.constants)
    asd = np.asarray(table.asd, dtype=bool)
    fold = stratified_folds(asd, table.participants, n_splits=FOLDS, seed=seed)
    splits = [Split(train=fold != k, test=fold == k) for k in range(FOLDS)]
    names = [combination_name(groups) for groups in protocol.combinations]
    samples = [
        cohort_sample(table, groups, constants, f"cohort {seed}")
        for groups in protocol.combinations
    ]
    arms = _arms(protocol)
    scores = federated_scores(
        samples,
        splits,
        arms,
        regularisation_c=REGULARISATION_C,
        seed=seed,
        engine=protocol.engine,
        on_exchange=on_exchange,
    )
    measured = []
    for i, (name, sample) in enumerate(zip(names, samples, strict=True)):
        pooled = pooled_scores(sample, splits, regularisation_c=REGULARISATION_C)
        measured.append(
            Measured("pooled", name, None, None, classification_metrics(asd, pooled, fold))
        )
        measured.extend(_alone(sample, name, splits, fold))
        for j, arm in enumerate(arms):
            metrics = classification_metrics(asd, scores[i, j], fold)
            measured.append(Measured(arm.method, name, None, arm.epsilon, metrics))
    return measured


def evaluate_cohorts(
    tables: Sequence[Callable[[], FeatureTable]],
    protocol: Protocol,
    seeds: Sequence[int],
    processes: int,
) -> Iterator[list[Measured]]:
    """Evaluate cohorts in parallel; yields each cohort's figures in order of the cohorts.

    Parameters
    ----------
    tables : sequence of callable
        Each makes one cohort's feature table, in the process that evaluates it.
    protocol : Protocol
    seeds : sequence of int
        One per cohort.
    processes : int
        At most this many at once; the Ray engine has its own and always gets 1.
    """
    tasks = [(table, protocol, seed) for table, seed in zip(tables, seeds, strict=True)]
    yield from parallel_map(_evaluate, tasks, processes if protocol.engine == "inprocess" else 1)


def parallel_map(
    function: Callable[[Task], Outcome], tasks: Sequence[Task], processes: int
) -> Iterator[Outcome]:
    """Yield ``function(task)`` in order, computed by as many single-threaded processes."""
    if processes == 1 or len(tasks) == 1:
        yield from map(function, tasks)
        return
    with concurrent.futures.ProcessPoolExecutor(
        max_workers=processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_one_thread,
    ) as pool:
        futures = [pool.submit(function, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _evaluate(task: tuple[Callable[[], FeatureTable], Protocol, int]) -> list[Measured]:
    table, protocol, seed = task
    return evaluate_cohort(table(), protocol, seed=seed)


def _one_thread() -> None:
    """Keep each worker on one core: small matrices gain nothing from more."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def declared_plan(
    feature_map: FeatureMap, epsilon: float, protocol: Protocol, *, clinics: int, participants: int
) -> Plan:
    """Return the plan of a study with this enrolment, for the run's provenance."""
    return make_plan(
        epsilon=epsilon,
        delta=protocol.delta,
        participants=participants,
        clinics=clinics,
        collusion_margin=protocol.collusion_margin,
        top_eigenvalue=feature_map.top_eigenvalue,
        with_threshold=feature_map.releases_threshold,
    )


def _arms(protocol: Protocol) -> list[Arm]:
    settings = load_baseline_settings(protocol.epsilons)
    arms = [Arm("federated")]
    for epsilon in protocol.epsilons:
        arms.append(Arm("federated-dp", epsilon, protocol.delta, protocol.collusion_margin))
    for epsilon in protocol.epsilons:
        arms.append(Arm("local-dp", epsilon, protocol.delta, local=settings[epsilon]))
    return arms


def _alone(
    sample: Sample, name: str, splits: Sequence[Split], fold: NDArray[np.int64]
) -> list[Measured]:
    """Each clinic's own model on everyone, and their mean weighted by clinic size."""
    by_clinic = [
        Measured("alone", name, clinic, None, classification_metrics(sample.asd, scores, fold))
        for clinic, scores in alone_scores(sample, splits, regularisation_c=REGULARISATION_C)
    ]
    sizes = [int((sample.clinic == sample.clinics.index(m.site or "")).sum()) for m in by_clinic]
    mean = {
        metric: float(np.average([m.metrics[metric] for m in by_clinic], weights=sizes))
        for metric in by_clinic[0].metrics
    }
    return [Measured("alone", name, None, None, mean), *by_clinic]
