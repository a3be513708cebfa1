"""One surrogate cohort through every mechanism, and many cohorts in parallel.

A cohort's features are computed once and serve every mechanism, epsilon and set of public
constants; so do its folds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from shared.channels import ATTRIBUTE_GROUPS
from shared.evaluation import METRIC_NAMES, classification_metrics
from shared.features import FeatureTable
from shared.learning.pooled import REGULARISATION_C
from shared.privacy.constants import PublicConstants, load_constants
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap
from simulations.cohort import surrogate_features
from simulations.compare.constants import QUALITIES, Quality, pilot_constants, wrong_constants
from simulations.compare.mechanisms import MECHANISMS, Case, no_noise_scores
from simulations.compare.metrics import mean_metrics
from simulations.compare.stacked import Rows
from simulations.experiment import Sample, Split, alone_scores, pooled_scores
from simulations.folds import stratified_folds
from simulations.reproduce import FOLDS, cohort_sample, load_baseline_settings, parallel_map

__all__ = [
    "COMPARE_SEED",
    "CohortRun",
    "CompareProtocol",
    "Measured",
    "compare_cohort",
    "compare_cohorts",
]

COMPARE_SEED: Final = 6000
"""First cohort; no choice, calibration or tuning ever looked at these seeds."""

_ASD_SHARE: Final = 49 / 88
_FEWEST_COHORTS: Final = 6
_FEWEST_DRAWS: Final = 2


@dataclass(frozen=True)
class CompareProtocol:
    """What is compared, and how often.

    Attributes
    ----------
    epsilons : tuple of float
    participants : tuple of int
        Sizes of the cohorts.
    constants : tuple of Quality
    cohorts, draws : int
        Cohorts of the smallest size, and draws of the noise in each. Larger cohorts vary less and
        cost more, so fewer are drawn.
    seed : int
        Of the first cohort.
    delta : float
    clinics, collusion_margin : int
    """

    epsilons: tuple[float, ...]
    participants: tuple[int, ...] = (88, 264, 968)
    constants: tuple[Quality, ...] = QUALITIES
    cohorts: int = 20
    draws: int = 20
    seed: int = COMPARE_SEED
    delta: float = 1e-5
    clinics: int = 4
    collusion_margin: int = 1

    def cohorts_of(self, participants: int) -> int:
        """Cohorts of this size: falls with the square root of the size, but not below 6."""
        share = math.sqrt(min(self.participants) / participants)
        return min(self.cohorts, max(_FEWEST_COHORTS, round(self.cohorts * share)))

    def draws_of(self, participants: int) -> int:
        """Draws of the noise in a cohort of this size."""
        share = min(self.participants) / participants
        return min(self.draws, max(_FEWEST_DRAWS, round(self.draws * share)))

    def asd_of(self, participants: int) -> int:
        """ASD participants of a cohort of this size: the surrogate's share."""
        return round(participants * _ASD_SHARE)

    @property
    def runs(self) -> list["CohortRun"]:
        """Every cohort, the large ones first so that no core waits for the last of them."""
        return [
            CohortRun(size, self.seed + number)
            for size in sorted(self.participants, reverse=True)
            for number in range(self.cohorts_of(size))
        ]


class CohortRun(NamedTuple):
    """One cohort to draw."""

    participants: int
    seed: int


class Measured(NamedTuple):
    """Metrics of one mechanism on one cohort, averaged over the draws of the noise.

    Attributes
    ----------
    mechanism : str
    constants : Quality or None
        None where no public constants enter.
    epsilon : float or None
        None without privacy.
    metrics : dict
    """

    mechanism: str
    constants: Quality | None
    epsilon: float | None
    metrics: dict[str, float]


def compare_cohorts(
    protocol: CompareProtocol, processes: int
) -> Iterator[tuple[CohortRun, list[Measured]]]:
    """Compare on every cohort in parallel; yields them in the order of ``protocol.runs``."""
    wrong = wrong_constants() if "wrong" in protocol.constants else None
    tasks = [(run, protocol, wrong) for run in protocol.runs]
    for task, measured in zip(tasks, parallel_map(_compare, tasks, processes), strict=True):
        yield task[0], measured


def _compare(
    task: tuple[CohortRun, CompareProtocol, PublicConstants | None],
) -> list[Measured]:
    run, protocol, wrong = task
    asd = protocol.asd_of(run.participants)
    table = surrogate_features(
        run.seed, clinics=protocol.clinics, n_asd=asd, n_non_asd=run.participants - asd
    )
    constants: dict[Quality, PublicConstants] = {}
    for quality in protocol.constants:
        if quality == "right":
            constants[quality] = load_constants()
        elif quality == "pilot":
            constants[quality] = pilot_constants(run.seed)
        elif wrong is not None:
            constants[quality] = wrong
    return compare_cohort(table, constants, protocol, seed=run.seed)


def compare_cohort(
    table: FeatureTable,
    constants: dict[Quality, PublicConstants],
    protocol: CompareProtocol,
    *,
    seed: int,
) -> list[Measured]:
    """Every mechanism on one cohort, by ten-fold cross-validation over participants.

    Parameters
    ----------
    table : FeatureTable
        With labels and clinics.
    constants : dict
        Public constants by quality.
    protocol : CompareProtocol
        Its epsilons, draws and roster are used.
    seed : int
        Of the folds and the noise.
    """
    asd = np.asarray(table.asd, dtype=bool)
    fold = stratified_folds(asd, table.participants, n_splits=FOLDS, seed=seed)
    sample = cohort_sample(table, ATTRIBUTE_GROUPS, load_constants(), f"cohort {seed}")
    splits = [Split(train=fold != k, test=fold == k) for k in range(FOLDS)]
    pooled = pooled_scores(sample, splits, regularisation_c=REGULARISATION_C)
    measured = [
        Measured("pooled", None, None, classification_metrics(asd, pooled, fold)),
        Measured("alone", None, None, _alone(sample, splits, fold)),
    ]
    for number, (quality, known) in enumerate(constants.items()):
        feature_map = AffectMap(known, ATTRIBUTE_GROUPS)
        case = Case(
            rows=Rows(feature_map.unit_vectors(table.values) / GRID, asd, sample.clinic),
            fold=fold,
            top_eigenvalue=feature_map.top_eigenvalue,
            clinics=len(sample.clinics),
            collusion_margin=protocol.collusion_margin,
            delta=protocol.delta,
            draws=protocol.draws_of(len(table)),
            local=load_baseline_settings(protocol.epsilons),
        )
        measured.append(
            Measured("no-noise", quality, None, mean_metrics(asd, no_noise_scores(case), fold))
        )
        for epsilon in protocol.epsilons:
            for place, mechanism in enumerate(MECHANISMS):
                rng = np.random.default_rng([seed, number, round(1e6 * epsilon), place])
                scores = mechanism.scores(case, epsilon, rng)
                measured.append(
                    Measured(mechanism.name, quality, epsilon, mean_metrics(asd, scores, fold))
                )
    return measured


def _alone(sample: Sample, splits: Sequence[Split], fold: np.ndarray) -> dict[str, float]:
    """Mean over clinics of each one's own model on everyone, weighted by clinic size."""
    found = dict(alone_scores(sample, splits, regularisation_c=REGULARISATION_C))
    sizes = [int((sample.clinic == sample.clinics.index(name)).sum()) for name in found]
    metrics = [classification_metrics(sample.asd, scores, fold) for scores in found.values()]
    return {
        name: float(np.average([each[name] for each in metrics], weights=sizes))
        for name in METRIC_NAMES
    }
