"""Everything that is measured where one party holds the rows, in one call.

The index test is fixed in advance: logistic regression on all attribute groups, penalty and
threshold of ``shared.learning.pooled``. Its performance is cross-validated over participants. What
depends on choices (which attribute groups, which penalty) is measured by nested cross-validation,
beside it. Too few participants for a part leave that part out, and ``left_out`` says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.analysed import AnalysedParticipants
from shared.evaluation.chance import ChanceTest, logistic_statistic, permutation_test
from shared.evaluation.combinations import Combinations, compare_combinations
from shared.evaluation.cross_validated import CV_METRICS, corrected_estimate
from shared.evaluation.estimate import Estimate
from shared.evaluation.folds import stratified_fold
from shared.evaluation.group_differences import (
    GroupDifferences,
    attribute_group_columns,
    group_differences,
)
from shared.evaluation.leave_one_clinic_out import LeaveOneClinicOut, leave_one_clinic_out
from shared.evaluation.nested import INNER_FOLDS, Nested, nested_cross_validation
from shared.evaluation.optimism import Optimism, apparent_score, measure_optimism
from shared.evaluation.performance import Performance, measure_performance
from shared.evaluation.stability import Stability, coefficient_stability
from shared.evaluation.subgroups import SubgroupTable, age_bands, measure_subgroups
from shared.evaluation.uncertainty import Uncertainty, measure_uncertainty
from shared.learning.pooled import PooledLogistic, train_pooled

__all__ = [
    "STEPS",
    "Evaluation",
    "EvaluationSettings",
    "evaluate_participants",
]

Numbers = NDArray[np.float64]

STEPS: Final = (
    "cross-validation",
    "nested cross-validation",
    "leave one clinic out",
    "chance",
    "group differences",
    "coefficients",
    "uncertainty",
    "subgroups",
)

_AGE_EDGES_MONTHS: Final = (36.0, 60.0)
"""Few bands: with more, nearly every cell of a study of 88 is too small to show."""

_FEWEST_FOLDS: Final = 3
_FEWEST_FOR_ZONE: Final = 10
"""Participants of either diagnosis below which no zone or conformal set is calibrated."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How much is drawn, and from which seed.

    Attributes
    ----------
    seed : int
    folds : int
        Outer folds; fewer where the rarer diagnosis has fewer participants.
    repeats : int
        Partitions into folds; the first is the one whose decisions are counted.
    permutations : int
        Of the test of chance, and of the group differences.
    bootstrap : int
        Refits behind the sign stability.
    """

    seed: int = 0
    folds: int = 10
    repeats: int = 10
    permutations: int = 999
    bootstrap: int = 500

    def __post_init__(self) -> None:
        for name, low, high in (
            ("folds", 2, 100),
            ("repeats", 1, 1000),
            ("permutations", 99, 100_000),
            ("bootstrap", 40, 100_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"--{name} {value} asked; {low} to {high} are possible")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All results; a part is None where ``left_out`` has its reason.

    Attributes
    ----------
    people : AnalysedParticipants
    settings : EvaluationSettings
    fold : ndarray of int, shape (repeats, n)
    score : ndarray, shape (repeats, n)
        Cross-validated log-odds of the index test; above 0 is called ASD.
    model : PooledLogistic
        The index test fitted to everybody.
    performance : Performance
        Of the first partition; ranking is judged within its folds.
    together : Performance
        The same calls, all folds' probabilities ranked together: the curve that the threshold
        lies on.
    apparent : Performance
        Of ``model`` on the participants it was fitted to.
    cross_validated : dict of str to Estimate
        Mean over partitions.
    nested, combinations, clinics, uncertainty
        See their classes.
    optimism : tuple of Optimism
    chance : ChanceTest
    differences : GroupDifferences
    stability : Stability
    subgroups : tuple of SubgroupTable
    left_out : dict of str to str
        Reason by step.
    """

    people: AnalysedParticipants
    settings: EvaluationSettings
    fold: NDArray[np.int64]
    score: Numbers
    model: PooledLogistic
    performance: Performance
    together: Performance
    apparent: Performance
    cross_validated: dict[str, Estimate]
    nested: Nested | None
    optimism: tuple[Optimism, ...]
    combinations: Combinations | None
    clinics: LeaveOneClinicOut | None
    chance: ChanceTest
    differences: GroupDifferences
    stability: Stability
    uncertainty: Uncertainty | None
    subgroups: tuple[SubgroupTable, ...]
    left_out: dict[str, str]


def evaluate_participants(
    people: AnalysedParticipants,
    settings: EvaluationSettings,
    *,
    on_step: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Measure everything.

    Parameters
    ----------
    people : AnalysedParticipants
    settings : EvaluationSettings
    on_step : callable
        Told the name of each step (see ``STEPS``) before it begins.

    Raises
    ------
    InputError
        Fewer than three participants of a diagnosis.
    """
    asd, features, clinic = people.asd, people.table.values, np.array(people.clinic)
    fewest = int(min(asd.sum(), (~asd).sum()))
    if fewest < _FEWEST_FOLDS:
        raise InputError(
            f"{int(asd.sum())} participants with ASD and {int((~asd).sum())} without may be "
            f"analysed; an evaluation needs at least {_FEWEST_FOLDS} of each"
        )
    left_out: dict[str, str] = {}
    seed = settings.seed
    on_step("cross-validation")
    folds = min(settings.folds, fewest)
    fold = np.stack(
        [
            stratified_fold(asd, folds, np.random.default_rng([seed, repeat]))
            for repeat in range(settings.repeats)
        ]
    )
    score = np.stack([_out_of_fold(features, asd, partition) for partition in fold])
    model = train_pooled(features, asd)
    performance = _measured(asd, score[0], clinic, fold[0], seed)
    together = _measured(asd, score[0], clinic, None, seed)

    on_step("nested cross-validation")
    nested: Nested | None = None
    compared: Combinations | None = None
    optimism: tuple[Optimism, ...] = ()
    if fewest * (folds - 1) // folds >= INNER_FOLDS:
        nested = nested_cross_validation(features, asd, fold, seed=seed)
        compared = compare_combinations(
            asd, fold, nested.by_combination, nested.combinations, seed=seed
        )
        apparent = apparent_score(features, asd, seed=seed)
        optimism = tuple(measure_optimism(nested, apparent, metric) for metric in CV_METRICS)
    else:
        left_out["nested cross-validation"] = (
            f"{fewest} participants of the rarer diagnosis; inner folds need {INNER_FOLDS} beside "
            "those of a test fold"
        )
    on_step("leave one clinic out")
    clinics = None
    try:
        clinics = leave_one_clinic_out(features, asd, people.clinic, seed=seed)
    except InputError as error:
        left_out["leave one clinic out"] = str(error)
    on_step("chance")
    mixed = any(0 < asd[clinic == name].sum() < (clinic == name).sum() for name in set(clinic))
    if not mixed:
        left_out["permutation within clinics"] = "no clinic has both diagnoses"
    chance = permutation_test(
        logistic_statistic(features, asd, fold[0]),
        clinic if mixed else np.zeros(len(asd), dtype=np.int64),
        seed=seed,
        permutations=settings.permutations,
    )
    on_step("group differences")
    differences = _differences(people, settings, within_clinics=mixed)
    on_step("coefficients")
    stability = coefficient_stability(
        features, asd, names=people.table.names, draws=settings.bootstrap, seed=seed
    )
    on_step("uncertainty")
    uncertainty = None
    if fewest >= _FEWEST_FOR_ZONE:
        uncertainty = measure_uncertainty(asd, score[0], fold[0])
    else:
        left_out["uncertainty"] = (
            f"{fewest} participants of the rarer diagnosis; at least {_FEWEST_FOR_ZONE} are needed "
            "to calibrate anything"
        )
    on_step("subgroups")
    return Evaluation(
        people=people,
        settings=settings,
        fold=fold,
        score=score,
        model=model,
        performance=performance,
        together=together,
        apparent=_measured(asd, _log_odds(model, features), clinic, None, seed),
        cross_validated={
            metric: corrected_estimate(asd, score, fold, metric) for metric in CV_METRICS
        },
        nested=nested,
        optimism=optimism,
        combinations=compared,
        clinics=clinics,
        chance=chance,
        differences=differences,
        stability=stability,
        uncertainty=uncertainty,
        subgroups=_subgroups(people, score[0]),
        left_out=left_out,
    )


def _out_of_fold(features: Numbers, asd: NDArray[np.bool_], fold: NDArray[np.int64]) -> Numbers:
    score = np.empty(len(asd))
    for k in np.unique(fold):
        model = train_pooled(features[fold != k], asd[fold != k])
        score[fold == k] = _log_odds(model, features[fold == k])
    return score


def _log_odds(model: PooledLogistic, features: Numbers) -> Numbers:
    standard = np.nan_to_num((features - model.mean) / model.scale, nan=0.0)
    odds: Numbers = standard @ model.coefficients + model.intercept
    return odds


def _probability(score: Numbers) -> Numbers:
    from scipy.special import expit

    likely: Numbers = expit(score)
    return likely


def _measured(
    asd: NDArray[np.bool_],
    score: Numbers,
    clinic: NDArray[np.str_],
    fold: NDArray[np.int64] | None,
    seed: int,
) -> Performance:
    return measure_performance(asd, score, _probability(score), clinic, fold, seed=seed)


def _differences(
    people: AnalysedParticipants, settings: EvaluationSettings, *, within_clinics: bool
) -> GroupDifferences:
    return group_differences(
        people.table.values,
        people.asd,
        names=people.table.names,
        groups=attribute_group_columns(),
        clinic=np.array(people.clinic) if within_clinics else None,
        draws=settings.permutations,
        seed=settings.seed,
    )


def _subgroups(people: AnalysedParticipants, score: Numbers) -> tuple[SubgroupTable, ...]:
    # Ranked over all folds together: within folds a small subgroup has next to no pairs.
    bands, order = age_bands(people.age_months, _AGE_EDGES_MONTHS)
    variables: dict[str, NDArray[np.generic]] = {
        "age": bands,
        "sex": np.array(people.sex),
        "clinic": np.array(people.clinic),
        "device": np.array(people.device),
    }
    told_apart = {name: v for name, v in variables.items() if len(np.unique(v)) > 1}
    return measure_subgroups(people.asd, score, told_apart, None, {"age": order})
