"""One surrogate cohort through every evaluation protocol, and many cohorts in parallel.

Cohorts of world ``none`` have no group effect, so whatever is found there is an error; those of
world ``base`` have the calibrated effect. Their seeds are new: no choice, calibration or tuning
looked at them, and nothing is chosen on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from shared.channels import all_combinations
from shared.evaluation.chance import (
    logistic_statistic,
    nested_statistic,
    permutation_test,
)
from shared.evaluation.combinations import Combinations, compare_combinations
from shared.evaluation.cross_validated import CV_METRICS, CvMetric
from shared.evaluation.estimate import Estimate
from shared.evaluation.folds import stratified_fold
from shared.evaluation.nested import OUTER_FOLDS, nested_cross_validation
from shared.evaluation.optimism import Optimism, apparent_score, measure_optimism
from shared.evaluation.roc import auc
from shared.features import FEATURES_VERSION, FeatureTable, read_features, write_features
from simulations.cohort import GENERATOR_VERSION, surrogate_features
from simulations.evaluation.private import PrivateOutcome, private_outcome
from simulations.reproduce import parallel_map

__all__ = [
    "EFFECT_SEED",
    "NULL_SEED",
    "CohortEvaluation",
    "CohortRun",
    "EvaluationProtocol",
    "cohort_table",
    "evaluate_cohort",
    "evaluate_cohorts",
    "evaluate_table",
]

EvaluatedWorld: TypeAlias = Literal["none", "base"]

NULL_SEED: Final = 9_000_000
"""First cohort without group effect."""

EFFECT_SEED: Final = 9_100_000
"""First cohort with the calibrated effect."""

# Streams of a cohort's seed: nothing that is drawn serves two purposes.
_FOLDS, _NESTED, _APPARENT, _CHANCE, _NESTED_CHANCE, _PRIVATE, _COMPARED = range(7)


@dataclass(frozen=True)
class EvaluationProtocol:
    """What is evaluated, and how often.

    Attributes
    ----------
    null_cohorts, effect_cohorts : int
        Cohorts without and with a group effect.
    null_seed, effect_seed : int
        Of the first of each.
    repeats : int
        Outer partitions of each cohort.
    permutations : int
        Of the fixed classifier: all four attribute groups, fixed penalty.
    nested_permutations : int
        Of the whole nested recipe; 0 leaves that test out.
    epsilon, delta : float
        Promise of the private training with one round.
    cache : Path or None
        Folder that keeps cohorts' features for another run.
    """

    null_cohorts: int
    effect_cohorts: int
    null_seed: int = NULL_SEED
    effect_seed: int = EFFECT_SEED
    repeats: int = 1
    permutations: int = 199
    nested_permutations: int = 19
    epsilon: float = 4.0
    delta: float = 1e-5
    cache: Path | None = None

    @property
    def runs(self) -> list["CohortRun"]:
        """Every cohort, those with an effect first: their tests never stop early."""
        effect = [
            CohortRun("base", self.effect_seed + number) for number in range(self.effect_cohorts)
        ]
        null = [CohortRun("none", self.null_seed + number) for number in range(self.null_cohorts)]
        return effect + null


class CohortRun(NamedTuple):
    """One cohort to draw."""

    world: EvaluatedWorld
    seed: int


@dataclass(frozen=True)
class CohortEvaluation:
    """What the protocols say about one cohort.

    Attributes
    ----------
    run : CohortRun
    nested : dict
        Metric to the nested figure with its corrected interval.
    naive : Estimate
        Nested AUC with DeLong's interval, which takes the folds for independent.
    optimism : dict
        Metric to apparent, chosen on test folds and nested.
    combinations : Combinations
    p : float
        Permutation test of the fixed classifier.
    p_nested : float or None
        Of the whole recipe; None when not asked for.
    private : PrivateOutcome
    """

    run: CohortRun
    nested: dict[CvMetric, Estimate]
    naive: Estimate
    optimism: dict[CvMetric, Optimism]
    combinations: Combinations
    p: float
    p_nested: float | None
    private: PrivateOutcome


def cohort_table(run: CohortRun, cache: Path | None = None) -> FeatureTable:
    """Features of a cohort, from the cache where they are there already.

    Parameters
    ----------
    run : CohortRun
    cache : Path, optional
        Folder; a file names the generator's and the features' versions.
    """
    if cache is None:
        return surrogate_features(run.seed, world=run.world)
    name = f"surrogate-{GENERATOR_VERSION}-{FEATURES_VERSION}-{run.world}-{run.seed}.parquet"
    if not (cache / name).exists():
        write_features(cache / name, surrogate_features(run.seed, world=run.world))
    return read_features(cache / name)


def evaluate_cohorts(protocol: EvaluationProtocol, processes: int) -> Iterator[CohortEvaluation]:
    """Evaluate every cohort, in as many processes; yields them in the order of the runs."""
    yield from parallel_map(evaluate_cohort, [(run, protocol) for run in protocol.runs], processes)


def evaluate_cohort(task: tuple[CohortRun, EvaluationProtocol]) -> CohortEvaluation:
    """Draw one cohort and evaluate it."""
    run, protocol = task
    return evaluate_table(cohort_table(run, protocol.cache), run, protocol)


def evaluate_table(
    table: FeatureTable, run: CohortRun, protocol: EvaluationProtocol
) -> CohortEvaluation:
    """Every protocol on one cohort.

    Parameters
    ----------
    table : FeatureTable
        With labels and clinics.
    run : CohortRun
        Its seed gives folds, permutations and noise.
    protocol : EvaluationProtocol
    """
    asd, clinic = np.asarray(table.asd, dtype=bool), np.array(table.clinic)
    seed = run.seed
    rng = np.random.default_rng([seed, _FOLDS])
    fold = np.stack([stratified_fold(asd, OUTER_FOLDS, rng) for _ in range(protocol.repeats)])
    inner = _stream(seed, _NESTED)
    nested = nested_cross_validation(table.values, asd, fold, seed=inner)
    apparent = apparent_score(table.values, asd, seed=_stream(seed, _APPARENT))
    chance = permutation_test(
        logistic_statistic(table.values, asd, fold[0]),
        clinic,
        seed=_stream(seed, _CHANCE),
        permutations=protocol.permutations,
        stop_after=_exceedances(protocol.permutations),
    )
    p_nested = None
    if protocol.nested_permutations:
        p_nested = permutation_test(
            nested_statistic(table.values, asd, fold, seed=inner, known=nested),
            clinic,
            seed=_stream(seed, _NESTED_CHANCE),
            permutations=protocol.nested_permutations,
            stop_after=_exceedances(protocol.nested_permutations),
        ).p
    return CohortEvaluation(
        run=run,
        nested={metric: nested.estimate(metric) for metric in CV_METRICS},
        naive=auc(asd, nested.score[0], fold[0]),
        optimism={metric: measure_optimism(nested, apparent, metric) for metric in CV_METRICS},
        combinations=compare_combinations(
            asd, fold, nested.by_combination, all_combinations(), seed=_stream(seed, _COMPARED)
        ),
        p=chance.p,
        p_nested=p_nested,
        private=private_outcome(
            table,
            epsilon=protocol.epsilon,
            delta=protocol.delta,
            permutations=protocol.permutations,
            stop_after=_exceedances(protocol.permutations),
            seed=_stream(seed, _PRIVATE),
        ),
    )


def _exceedances(permutations: int) -> int:
    """Permutations as good as the data at which p can no longer be 5 % or less."""
    return int(0.05 * (permutations + 1))


def _stream(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])
