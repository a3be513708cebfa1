"""Every method on a table: pooled, each site alone, federated, and federated with privacy."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation import classification_metrics
from simulations.experiment import (
    Arm,
    Sample,
    Split,
    alone_scores,
    federated_scores,
    pooled_scores,
)
from simulations.folds import stratified_folds
from simulations.reproduce import Measured, parallel_map
from simulations.results import Method
from simulations.tables.reading import MEAN_OVER_SITES, TableData

__all__ = ["COMBINATION", "MEAN_OVER_SITES", "evaluate_table", "table_sample"]

COMBINATION: Final = "features"
_MOST_FOLDS: Final = 10


def table_sample(data: TableData, name: str) -> Sample:
    """Table as a sample of the experiment."""
    return Sample(
        name=name,
        asd=data.positive,
        clinic=data.site,
        clinics=data.sites,
        features=data.features,
        mapped=data.mapped,
        feature_map=data.feature_map,
    )


def evaluate_table(
    data: TableData,
    *,
    epsilons: Sequence[float],
    delta: float,
    regularisation_c: float,
    collusion_margin: int,
    seeds: Sequence[int],
    processes: int,
    on_seed: Callable[[], None] = lambda: None,
) -> Iterator[list[Measured]]:
    """Yield the figures of each seed.

    Parameters
    ----------
    data : TableData
    epsilons : sequence of float
        Empty where nothing public is known of the features.
    delta, regularisation_c, collusion_margin
        See :class:`shared.study.Study`.
    seeds : sequence of int
        Noise, and folds where the table names no split.
    processes : int
    on_seed : callable
        Told after each seed.
    """
    if data.test is not None and len(set(data.positive[~data.test].tolist())) < 2:
        raise InputError("all training participants carry one label; a classifier needs both")
    tasks = [
        (data, tuple(epsilons), delta, regularisation_c, collusion_margin, seed) for seed in seeds
    ]
    for found in parallel_map(_evaluate, tasks, processes):
        on_seed()
        yield found


def _evaluate(
    task: tuple[TableData, tuple[float, ...], float, float, int, int],
) -> list[Measured]:
    data, epsilons, delta, c, margin, seed = task
    sample = table_sample(data, f"table, seed {seed}")
    splits, fold = _splits(data, seed)
    tested = np.any([split.test for split in splits], axis=0)
    arms = [Arm("federated")]
    arms += [Arm("federated-dp", e, delta, collusion_margin=margin) for e in epsilons]
    scores = federated_scores([sample], splits, arms, regularisation_c=c, seed=seed)

    def by_site(
        method: Method, epsilon: float | None, values: NDArray[np.float64]
    ) -> list[Measured]:
        rows = [
            Measured(
                method,
                COMBINATION,
                site,
                epsilon,
                _metrics(data, values, fold, tested & (data.site == number)),
            )
            for number, site in enumerate(data.sites)
            if (tested & (data.site == number)).any()
        ]
        mean = {
            metric: float(np.mean([row.metrics[metric] for row in rows]))
            for metric in rows[0].metrics
        }
        return [
            Measured(method, COMBINATION, None, epsilon, _metrics(data, values, fold, tested)),
            Measured(method, COMBINATION, MEAN_OVER_SITES, epsilon, mean),
            *rows,
        ]

    measured = by_site("pooled", None, pooled_scores(sample, splits, regularisation_c=c))
    alone = [
        Measured("alone", COMBINATION, site, None, _metrics(data, values, fold, tested))
        for site, values in alone_scores(sample, splits, regularisation_c=c)
    ]
    trained = data.site if data.test is None else data.site[~data.test]
    sizes = [int((trained == data.sites.index(row.site or "")).sum()) for row in alone]
    mean_alone = {
        metric: float(np.average([row.metrics[metric] for row in alone], weights=sizes))
        for metric in alone[0].metrics
    }
    measured += [Measured("alone", COMBINATION, None, None, mean_alone), *alone]
    for j, arm in enumerate(arms):
        measured += by_site(arm.method, arm.epsilon, scores[0, j])
    return measured


def _metrics(
    data: TableData, values: NDArray[np.float64], fold: NDArray[np.int64], rows: NDArray[np.bool_]
) -> dict[str, float]:
    return classification_metrics(data.positive[rows], values[rows], fold[rows])


def _splits(data: TableData, seed: int) -> tuple[list[Split], NDArray[np.int64]]:
    if data.test is not None:
        return [Split(~data.test, data.test)], np.zeros(len(data.positive), dtype=np.int64)
    rarer = int(min(data.positive.sum(), (~data.positive).sum()))
    fold = stratified_folds(
        data.positive, data.participants, n_splits=min(_MOST_FOLDS, rarer), seed=seed
    )
    return [Split(fold != k, fold == k) for k in range(int(fold.max()) + 1)], fold
