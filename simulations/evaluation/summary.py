"""Numbers of many evaluated cohorts: the schema of ``power.json``.

Where there is no group effect every finding is an error, so rates are errors of the first kind;
with the calibrated effect they are power. The terminal prints from this object alone.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.channels import ATTRIBUTE_GROUPS, combination_name
from shared.evaluation.cross_validated import CV_METRICS
from shared.evaluation.estimate import Estimate, wilson
from shared.evaluation.nested import C_GRID, INNER_FOLDS, OUTER_FOLDS
from shared.files import write_atomic
from shared.learning.pooled import REGULARISATION_C
from simulations.cohort import GENERATOR_VERSION
from simulations.evaluation.cohorts import CohortEvaluation, EvaluationProtocol
from simulations.results import Machine, describe_machine, software_versions, summarise

__all__ = [
    "LARGEST_TYPE_I",
    "PowerStudy",
    "Rate",
    "WorldSummary",
    "summarise_cohorts",
    "write_power_study",
]

LEVEL: Final = 0.05
LARGEST_TYPE_I: Final = 0.06

_ALL_FOUR: Final = combination_name(ATTRIBUTE_GROUPS)


class _Test(NamedTuple):
    """One way to claim that something is there."""

    name: str
    title: str
    found: Callable[[CohortEvaluation], bool | None]
    bounded: bool
    """Whether it is offered as valid, so that its error is held to ``LARGEST_TYPE_I``."""


def _any_differs(one: CohortEvaluation, metric: str) -> bool:
    return any(
        row.p_adjusted is not None and row.p_adjusted <= LEVEL
        for row in one.combinations.rows
        if row.metric == metric
    )


def _all_four_differ(one: CohortEvaluation) -> bool:
    adjusted = one.combinations.row(_ALL_FOUR, "auc").p_adjusted
    return adjusted is not None and adjusted <= LEVEL


_TESTS: Final = (
    _Test(
        "permutation",
        "Permutation test, all four groups, fixed penalty: p <= .05",
        lambda one: one.p <= LEVEL,
        True,
    ),
    _Test(
        "nested_permutation",
        "Permutation test of the whole nested recipe: p <= .05",
        lambda one: None if one.p_nested is None else one.p_nested <= LEVEL,
        True,
    ),
    _Test(
        "nested_interval",
        "Nested AUC: 95 % interval (corrected resampled t) above 1/2",
        lambda one: one.nested["auc"].low > 0.5,
        True,
    ),
    _Test(
        "nested_interval_balanced_accuracy",
        "Nested balanced accuracy: 95 % interval (corrected resampled t) above 1/2",
        lambda one: one.nested["balanced_accuracy"].low > 0.5,
        True,
    ),
    _Test(
        "nested_naive",
        "Nested AUC: DeLong's interval, folds taken as independent, above 1/2",
        lambda one: one.naive.low > 0.5,
        False,
    ),
    _Test(
        "private_permutation",
        "Private one-round training, permutation test: p <= .05",
        lambda one: one.private.p <= LEVEL,
        True,
    ),
    _Test(
        "any_combination",
        "Any of 14 combinations differs from AU alone in AUC, max-T adjusted",
        lambda one: _any_differs(one, "auc"),
        True,
    ),
    _Test(
        "any_combination_balanced_accuracy",
        "Any of 14 differs in balanced accuracy, max-T adjusted",
        lambda one: _any_differs(one, "balanced_accuracy"),
        True,
    ),
    _Test(
        "all_four",
        "All four groups differ from AU alone in AUC, max-T adjusted",
        _all_four_differ,
        True,
    ),
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rate(_Model):
    """How often a test found something.

    ``bounded`` says whether its rate without effect is held to the largest error of the first
    kind; a test that is shown only to be warned of is not.
    """

    name: str
    title: str
    found: int
    cohorts: int
    rate: float
    low: float
    high: float
    bounded: bool


class Mean(_Model):
    """Mean over cohorts with its 95 % interval (Student's t) and the spread of one cohort."""

    name: str
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    n: int


class CombinationMean(_Model):
    """One combination: mean figure, mean gain on AU alone, and how often its gain was found."""

    combination: str
    metric: str
    figure: Mean
    gain: Mean | None
    found_alone: float | None
    found_adjusted: float | None


class WorldSummary(_Model):
    """All cohorts of one world."""

    world: str
    explanation: str
    cohorts: int
    first_seed: int
    rates: tuple[Rate, ...]
    means: tuple[Mean, ...]
    combinations: tuple[CombinationMean, ...]

    def rate(self, name: str) -> Rate:
        """The rate of a test."""
        return next(rate for rate in self.rates if rate.name == name)

    def mean(self, name: str) -> Mean:
        """A mean by its name."""
        return next(mean for mean in self.means if mean.name == name)


class PowerStudy(_Model):
    """The whole run."""

    command: str
    created: AwareDatetime
    software: dict[str, str]
    machine: Machine
    elapsed_s: float
    data: str
    protocol: dict[str, Any]
    worlds: tuple[WorldSummary, ...]

    def world(self, name: str) -> WorldSummary | None:
        """Summary of a world, None when it was not run."""
        return next((world for world in self.worlds if world.world == name), None)

    @property
    def above_bound(self) -> tuple[Rate, ...]:
        """Bounded tests whose measured error of the first kind exceeds ``LARGEST_TYPE_I``."""
        null = self.world("none")
        rates = () if null is None else null.rates
        return tuple(rate for rate in rates if rate.bounded and rate.rate > LARGEST_TYPE_I)


_EXPLANATIONS: Final = {
    "none": "no group effect: every finding is an error of the first kind",
    "base": "the calibrated group effect: every finding is right, its rate is power",
}


def summarise_cohorts(
    evaluations: Sequence[CohortEvaluation],
    protocol: EvaluationProtocol,
    *,
    command: str,
    elapsed_s: float,
) -> PowerStudy:
    """Summarise evaluated cohorts by world.

    Parameters
    ----------
    evaluations : sequence of CohortEvaluation
    protocol : EvaluationProtocol
    command : str
        As it was typed.
    elapsed_s : float
    """
    worlds = []
    for world in ("none", "base"):
        own = [one for one in evaluations if one.run.world == world]
        if own:
            worlds.append(_summary(world, own))
    return PowerStudy(
        command=command,
        created=datetime.now(UTC),
        software=software_versions(),
        machine=describe_machine(),
        elapsed_s=elapsed_s,
        data=f"surrogate cohorts, generator version {GENERATOR_VERSION}; new seeds, on which "
        "nothing was chosen",
        protocol={
            "outer_folds": OUTER_FOLDS,
            "inner_folds": INNER_FOLDS,
            "c_grid": list(C_GRID),
            "fixed_c": REGULARISATION_C,
            "repeats": protocol.repeats,
            "permutations": protocol.permutations,
            "nested_permutations": protocol.nested_permutations,
            "epsilon": protocol.epsilon,
            "delta": protocol.delta,
            "null_seeds": _seeds(protocol.null_seed, protocol.null_cohorts),
            "effect_seeds": _seeds(protocol.effect_seed, protocol.effect_cohorts),
            "level": LEVEL,
            "largest_type_i": LARGEST_TYPE_I,
        },
        worlds=tuple(worlds),
    )


def write_power_study(path: Path, study: PowerStudy) -> None:
    """Write ``power.json``, whole or not at all."""
    write_atomic(path, json.dumps(study.model_dump(mode="json"), indent=1) + "\n")


def _seeds(first: int, count: int) -> list[int] | None:
    return [first, first + count - 1] if count else None


def _summary(world: str, own: Sequence[CohortEvaluation]) -> WorldSummary:
    means = [
        _mean("p_permutation", [one.p for one in own]),
        _mean("private_auc", [one.private.auc for one in own]),
        _mean("private_balanced_accuracy", [one.private.balanced_accuracy for one in own]),
    ]
    for metric in CV_METRICS:
        optimism = [one.optimism[metric] for one in own]
        shares = [one.combinations.shapley[metric] for one in own]
        means += [
            _mean(f"nested_{metric}", [one.nested[metric].value for one in own]),
            _mean(f"nested_half_width_{metric}", [one.nested[metric].half_width for one in own]),
            _mean(f"apparent_{metric}", [one.apparent for one in optimism]),
            _mean(f"chosen_on_test_{metric}", [one.chosen_on_test for one in optimism]),
            _mean(f"optimism_{metric}", [one.optimism for one in optimism]),
            _mean(f"choice_optimism_{metric}", [one.choice_optimism for one in optimism]),
            *(
                _mean(f"shapley_{group}_{metric}", [share[group].value for share in shares])
                for group in ATTRIBUTE_GROUPS
            ),
        ]
    return WorldSummary(
        world=world,
        explanation=_EXPLANATIONS[world],
        cohorts=len(own),
        first_seed=own[0].run.seed,
        rates=tuple(
            _rate(test, answers)
            for test in _TESTS
            if (answers := [a for a in map(test.found, own) if a is not None])
        ),
        means=tuple(means),
        combinations=tuple(_combinations(own)),
    )


def _rate(test: _Test, answers: Sequence[bool]) -> Rate:
    found: Estimate = wilson(sum(answers), len(answers))
    return Rate(
        name=test.name,
        title=test.title,
        found=sum(answers),
        cohorts=len(answers),
        rate=found.value,
        low=found.low,
        high=found.high,
        bounded=test.bounded,
    )


def _mean(name: str, values: Sequence[float]) -> Mean:
    found = summarise(values)
    return Mean(name=name, mean=found.mean, low=found.low, high=found.high, sd=found.sd, n=found.n)


def _combinations(own: Sequence[CohortEvaluation]) -> list[CombinationMean]:
    found = []
    for place, first in enumerate(own[0].combinations.rows):
        rows = [one.combinations.rows[place] for one in own]
        gains = [row.difference.value for row in rows if row.difference is not None]
        alone = [row.p <= LEVEL for row in rows if row.p is not None]
        adjusted = [row.p_adjusted <= LEVEL for row in rows if row.p_adjusted is not None]
        found.append(
            CombinationMean(
                combination=first.combination,
                metric=first.metric,
                figure=_mean("figure", [row.figure.value for row in rows]),
                gain=_mean("gain", gains) if gains else None,
                found_alone=float(np.mean(alone)) if alone else None,
                found_adjusted=float(np.mean(adjusted)) if adjusted else None,
            )
        )
    return found
