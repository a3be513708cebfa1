"""The numbers of a comparison and where they come from: the schema of its ``results.json``.

The page and the terminal are made from one :class:`Comparison`, so a number that is not in the file
cannot be on the page. Intervals are 95 % intervals of the mean over cohorts (Student's t); a
cohort's own figure is already averaged over its draws of the noise.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.channels import ATTRIBUTE_GROUPS
from shared.files import write_atomic
from shared.privacy.constants import load_constants
from shared.privacy.planner import make_plan
from shared.privacy.unit_vectors import AffectMap
from simulations.cohort import GENERATOR_VERSION
from simulations.compare.cohorts import CohortRun, CompareProtocol, Measured
from simulations.compare.constants import Quality, quality_explanation
from simulations.compare.mechanisms import DEFAULT, MECHANISMS
from simulations.reproduce import FOLDS
from simulations.results import (
    METRICS,
    Machine,
    Metric,
    describe_machine,
    software_versions,
    summarise,
)

__all__ = [
    "POOLED",
    "Comparison",
    "Difference",
    "Plan",
    "Provenance",
    "Row",
    "Size",
    "build_comparison",
    "write_comparison",
]

POOLED: Final = "pooled"
_Place: TypeAlias = tuple[str, int, str | None, float | None]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Row(_Model):
    """One mechanism in one metric.

    Attributes
    ----------
    mechanism : str
    participants : int
        Size of the cohorts.
    constants : str or None
        Quality of the public constants; null where none enter.
    epsilon : float or None
        Null without privacy.
    metric : str
    mean, low, high, sd : float or None
        Over ``n`` cohorts.
    n : int
    """

    mechanism: str
    participants: int = Field(ge=1)
    constants: Quality | None
    epsilon: float | None = Field(gt=0)
    metric: Metric
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    n: int = Field(ge=0)


class Difference(Row):
    """``mechanism`` minus ``against``, paired over cohorts and folds."""

    against: str


class Size(_Model):
    """How often cohorts of one size were drawn."""

    participants: int
    asd: int
    cohorts: int
    draws: int


class Plan(_Model):
    """What the default's rule gives for one fold of a cohort of this size."""

    participants: int
    epsilon: float
    mu: float
    rounds: int


class Provenance(_Model):
    """How the numbers were made."""

    command: str
    created: AwareDatetime
    software: dict[str, str]
    machine: Machine
    data: str
    protocol: str
    seed: int
    sizes: tuple[Size, ...]
    clinics: int
    collusion_margin: int
    delta: float
    constants: dict[str, str]
    plans: tuple[Plan, ...]
    elapsed_s: float


class Comparison(_Model):
    """All numbers of one run."""

    provenance: Provenance
    results: tuple[Row, ...]
    differences: tuple[Difference, ...]

    @cached_property
    def _index(self) -> dict[tuple[object, ...], Row]:
        return {(*_place(row), row.metric): row for row in self.results}

    @cached_property
    def _difference_index(self) -> dict[tuple[object, ...], Difference]:
        return {(*_place(row), row.metric, row.against): row for row in self.differences}

    @property
    def epsilons(self) -> tuple[float, ...]:
        """Every epsilon, the weakest privacy first."""
        return tuple(sorted({r.epsilon for r in self.results if r.epsilon}, reverse=True))

    @property
    def participants(self) -> tuple[int, ...]:
        """Sizes of the cohorts, the smallest first."""
        return tuple(sorted({row.participants for row in self.results}))

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """Qualities of the public constants, in order of appearance."""
        return tuple(dict.fromkeys(row.constants for row in self.results if row.constants))

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Names of all methods, in order of appearance."""
        return tuple(dict.fromkeys(row.mechanism for row in self.results))

    def find(
        self,
        mechanism: str,
        participants: int,
        constants: Quality | None,
        epsilon: float | None,
        metric: Metric,
    ) -> Row | None:
        """Return the one row of this place, if it was measured."""
        return self._index.get((mechanism, participants, constants, epsilon, metric))

    def difference(
        self,
        mechanism: str,
        against: str,
        participants: int,
        constants: Quality | None,
        epsilon: float | None,
        metric: Metric,
    ) -> Difference | None:
        """Return the paired difference of this place, if it was taken."""
        place = (mechanism, participants, constants, epsilon, metric, against)
        return self._difference_index.get(place)


def _place(row: Row) -> _Place:
    return row.mechanism, row.participants, row.constants, row.epsilon


def build_comparison(
    measured: Sequence[tuple[CohortRun, Sequence[Measured]]],
    protocol: CompareProtocol,
    *,
    command: str,
    elapsed_s: float,
) -> Comparison:
    """Summarise what every cohort gave.

    Parameters
    ----------
    measured : sequence
        Every cohort with its figures.
    protocol : CompareProtocol
    command : str
        The command line that makes the file again.
    elapsed_s : float
    """
    series: dict[_Place, list[dict[str, float]]] = defaultdict(list)
    for run, found in sorted(measured):
        for item in found:
            place = (item.mechanism, run.participants, item.constants, item.epsilon)
            series[place].append(item.metrics)
    rows = [
        Row.model_validate(_described(place) | {"metric": metric} | _summary(by_cohort, metric))
        for place, by_cohort in series.items()
        for metric in METRICS
    ]
    return Comparison(
        provenance=_provenance(protocol, command, elapsed_s),
        results=tuple(rows),
        differences=tuple(_differences(series)),
    )


def _described(place: _Place) -> dict[str, object]:
    return dict(zip(("mechanism", "participants", "constants", "epsilon"), place, strict=True))


def _summary(by_cohort: Sequence[Mapping[str, float]], metric: str) -> dict[str, object]:
    return summarise([metrics[metric] for metrics in by_cohort])._asdict()


def _differences(series: Mapping[_Place, Sequence[Mapping[str, float]]]) -> list[Difference]:
    """Pooled minus every private mechanism, and the default minus every other one."""
    private = {mechanism.name for mechanism in MECHANISMS}
    found = []
    for place in series:
        mechanism, participants, constants, epsilon = place
        if mechanism not in private:
            continue
        pairs: list[tuple[_Place, _Place]] = [((POOLED, participants, None, None), place)]
        if mechanism != DEFAULT:
            pairs.append(((DEFAULT, participants, constants, epsilon), place))
        for first, second in pairs:
            for metric in METRICS:
                ours, theirs = ([m[metric] for m in series[p]] for p in (first, second))
                found.append(
                    Difference.model_validate(
                        _described(place)
                        | {"mechanism": first[0], "against": mechanism, "metric": metric}
                        | summarise(np.subtract(ours, theirs))._asdict()
                    )
                )
    return found


def _provenance(protocol: CompareProtocol, command: str, elapsed_s: float) -> Provenance:
    sizes = [
        Size(
            participants=n,
            asd=protocol.asd_of(n),
            cohorts=protocol.cohorts_of(n),
            draws=protocol.draws_of(n),
        )
        for n in sorted(protocol.participants)
    ]
    drawn = ", ".join(f"{size.cohorts} of {size.participants}" for size in sizes)
    return Provenance(
        command=command,
        created=datetime.now(UTC),
        software=software_versions(),
        machine=describe_machine(),
        data=f"surrogate cohorts (generator {GENERATOR_VERSION}): {drawn} participants, seeds from "
        f"{protocol.seed}, {protocol.clinics} clinics, all four attribute groups",
        protocol=(
            "Ten-fold cross-validation by participant, stratified by label; every mechanism sees "
            "the same folds. Each private mechanism is repeated over draws of its noise, and a "
            "cohort counts with the mean over them. Sensitivity, specificity and F1 count the "
            "decisions of all folds together; the AUC is taken within each fold and averaged. "
            f"Secure sums are safe against {protocol.collusion_margin} of {protocol.clinics} "
            "clinics siding with the server, and pay for it in noise. Trained in closed form, "
            "which tests hold against the product's own clinics and server."
        ),
        seed=protocol.seed,
        sizes=tuple(sizes),
        clinics=protocol.clinics,
        collusion_margin=protocol.collusion_margin,
        delta=protocol.delta,
        constants={quality: quality_explanation(quality) for quality in protocol.constants},
        plans=tuple(_plans(protocol)),
        elapsed_s=elapsed_s,
    )


def _plans(protocol: CompareProtocol) -> list[Plan]:
    feature_map = AffectMap(load_constants(), ATTRIBUTE_GROUPS)
    return [
        Plan(participants=n, epsilon=plan.epsilon, mu=plan.mu, rounds=plan.rounds)
        for n in sorted(protocol.participants)
        for epsilon in protocol.epsilons
        for plan in [
            make_plan(
                epsilon=epsilon,
                delta=protocol.delta,
                participants=round(n * (FOLDS - 1) / FOLDS),
                clinics=protocol.clinics,
                collusion_margin=protocol.collusion_margin,
                top_eigenvalue=feature_map.top_eigenvalue,
                with_threshold=feature_map.releases_threshold,
            )
        ]
    ]


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write ``results.json``: UTF-8, strict JSON, atomic."""
    document = comparison.model_dump(mode="json")
    write_atomic(path, json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1) + "\n")
