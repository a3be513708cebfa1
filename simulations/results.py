"""The numbers of a simulation and where they come from: the schema of ``results.json``.

Every figure, table and sentence that a run shows is made from one :class:`Results` object, so a
number that is not in the file cannot be in the report. The file is strict JSON: an undefined number
(the AUC of a test split with one class, say) is ``null`` with a reason, never ``NaN``.

Intervals are 95 % intervals of the *mean* over repeats (Student's t); ``sd`` is the spread of a
*single* repeat. A repeat is a surrogate cohort, or a seed of the noise on a real table.
"""

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from shared.channels import POSTER_COMBINATIONS, combination_name
from shared.errors import InputError
from shared.files import write_atomic

__all__ = [
    "METHODS",
    "METRICS",
    "POSTER_TABLE_1",
    "ClinicSize",
    "Difference",
    "Machine",
    "Method",
    "Metric",
    "PlanFacts",
    "Provenance",
    "Record",
    "Results",
    "Summary",
    "always_positive_records",
    "build_differences",
    "build_records",
    "describe_machine",
    "read_results",
    "software_versions",
    "summarise",
    "write_results",
]

Method: TypeAlias = Literal[
    "pooled", "alone", "federated", "federated-dp", "local-dp", "always-positive", "poster"
]
Metric: TypeAlias = Literal[
    "f1", "sensitivity", "specificity", "balanced_accuracy", "auc", "accuracy"
]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)

PRIVATE_METHODS: Final = frozenset({"federated-dp", "local-dp"})
"""Methods whose records carry an ε and a δ."""

CONFIDENCE: Final = 0.95
SOFTWARE: Final = ("fedaffect", "flwr", "torch", "opacus", "numpy", "scipy", "scikit-learn")


class Summary(NamedTuple):
    """Mean of one metric over repeats; every number is ``None`` where it is not defined."""

    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    n: int


def summarise(values: ArrayLike) -> Summary:
    """Mean, 95 % interval of the mean, spread of a single repeat, and how many were defined.

    Parameters
    ----------
    values : array_like, shape (n_repeats,)
        One number per cohort or seed. Values that are not finite are left out of all five numbers.

    Returns
    -------
    Summary
        ``low`` and ``high`` are mean ± t(.975, n − 1)·sd/√n with the sample standard deviation
        ``sd`` (divisor n − 1). One value has a mean but neither spread nor interval.
    """
    array = np.asarray(values, dtype=float).ravel()
    array = array[np.isfinite(array)]
    n = int(array.size)
    if n == 0:
        return Summary(None, None, None, None, 0)
    mean = float(array.mean())
    if n == 1:
        return Summary(mean, None, None, None, 1)
    from scipy.stats import t

    sd = float(array.std(ddof=1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
    return Summary(mean, mean - half, mean + half, sd, n)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Record(_Model):
    """One number of the study: a method, on some inputs, at some site, in one metric.

    ``site`` is null for the study as a whole (``alone``: the size-weighted mean over clinics), and
    ``epsilon`` and ``delta`` are null for methods without privacy. ``reason`` says why ``mean`` is
    null, or how many repeats were undefined.
    """

    method: Method
    combination: str = Field(min_length=1)
    site: str | None = None
    epsilon: float | None = Field(default=None, gt=0)
    delta: float | None = Field(default=None, gt=0, lt=1)
    metric: Metric
    mean: float | None
    low: float | None = None
    high: float | None = None
    sd: float | None = Field(default=None, ge=0)
    n: int = Field(ge=0)
    reason: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        private = self.method in PRIVATE_METHODS
        if private != (self.epsilon is not None) or private != (self.delta is not None):
            raise ValueError(
                f"{self.method}: epsilon and delta are "
                + ("required" if private else "null for a method without privacy")
            )
        if self.mean is None and not self.reason:
            raise ValueError(f"{self.method} {self.metric}: a null mean needs a reason")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.method} {self.metric}: low and high are given together")
        if (
            self.mean is not None
            and self.low is not None
            and self.high is not None
            and not self.low - 1e-9 <= self.mean <= self.high + 1e-9
        ):
            raise ValueError(f"{self.method} {self.metric}: the mean lies outside its interval")
        return self

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the record unique in a file."""
        return (
            self.method,
            self.combination,
            self.site or "",
            "" if self.epsilon is None else repr(self.epsilon),
            self.metric,
        )


class Difference(Record):
    """A method minus the method ``against``, paired over the same cohorts and folds.

    Pairing removes the luck of the cohort, which is several times larger than the effects compared.
    """

    against: Method

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the difference unique in a file."""
        return (*super().key, self.against)


class Machine(_Model):
    """The computer that ran the study."""

    cpu: str
    cores: int = Field(ge=1)
    system: str
    python: str


class ClinicSize(_Model):
    """Participants of one clinic; of a surrogate cohort, or of the training rows of a table."""

    name: str
    participants: int = Field(ge=0)
    positives: int | None = Field(default=None, ge=0)


class PlanFacts(_Model):
    """What one (ε, δ) buys: the Gaussian-DP parameter and the number of gradient rounds."""

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    mu: float = Field(gt=0)
    rounds: int = Field(ge=1)


class Provenance(BaseModel):
    """How the numbers were made.

    Any further key is kept in the file and shown on the page, as long as it is strict JSON; pass
    such keys as ``**further``.

    Parameters
    ----------
    command : str
        The command line that makes the file again.
    data : {"surrogate", "real"}
        ``"surrogate"`` puts "simulated children, not patients" on everything made from the file.
    data_description : str
        One sentence on the cohort or table.
    protocol : str
        How scores were obtained; blank lines separate paragraphs.
    cohorts : int or None
        Number of repeats asked for; ``repeat`` says what a repeat is.
    positive_name, negative_name : str
        What the two classes are called.
    headline_metric : str
        The metric that the summary of the page leads with.
    limits : tuple of str
        Limits of this very run, shown before the general ones.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    command: str
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    software: dict[str, str] = Field(default_factory=lambda: software_versions())
    machine: Machine = Field(default_factory=lambda: describe_machine())
    data: Literal["surrogate", "real"]
    data_description: str
    protocol: str
    engine: str
    seed: int | None = None
    cohorts: int | None = Field(default=None, ge=1)
    repeat: Literal["cohort", "seed"] = "cohort"
    clinics: tuple[ClinicSize, ...] = ()
    positive_name: str = "ASD"
    negative_name: str = "non-ASD"
    headline_metric: Metric = "f1"
    delta: float | None = Field(default=None, gt=0, lt=1)
    plans: tuple[PlanFacts, ...] = ()
    elapsed_s: float | None = Field(default=None, ge=0)
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def further(self) -> dict[str, JsonValue]:
        """Keys beyond the named ones, in the order they were given."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def participants(self) -> int:
        """Participants over all clinics; 0 where no clinic is described."""
        return sum(clinic.participants for clinic in self.clinics)


class Results(_Model):
    """All numbers of one run. ``differences`` is optional and only adds to ``results``."""

    provenance: Provenance
    results: tuple[Record, ...] = Field(min_length=1)
    differences: tuple[Difference, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for rows in (self.results, self.differences):
            seen: set[tuple[str, ...]] = set()
            for row in rows:
                if row.key in seen:
                    raise ValueError(f"two records for {' / '.join(filter(None, row.key))}")
                seen.add(row.key)
        return self

    @cached_property
    def _index(self) -> dict[tuple[str, ...], Record]:
        return {record.key: record for record in self.results}

    @cached_property
    def _difference_index(self) -> dict[tuple[str, ...], Difference]:
        return {difference.key: difference for difference in self.differences}

    @property
    def combinations(self) -> tuple[str, ...]:
        """Combinations of inputs in order of appearance."""
        return tuple(dict.fromkeys(record.combination for record in self.results))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that occur, in the order of ``METRICS``."""
        present = {record.metric for record in self.results}
        return tuple(metric for metric in METRICS if metric in present)

    @property
    def epsilons(self) -> tuple[float, ...]:
        """Every ε, from the weakest privacy (largest) to the strongest."""
        return tuple(
            sorted({r.epsilon for r in self.results if r.epsilon is not None}, reverse=True)
        )

    def sites(self, method: Method | None = None) -> tuple[str, ...]:
        """Names of sites with a record of their own, in order of appearance."""
        return tuple(
            dict.fromkeys(
                r.site for r in self.results if r.site is not None and method in (None, r.method)
            )
        )

    def find(
        self,
        method: Method,
        combination: str,
        metric: Metric,
        *,
        site: str | None = None,
        epsilon: float | None = None,
    ) -> Record | None:
        """The record, or ``None`` where the run has none."""
        number = "" if epsilon is None else repr(float(epsilon))
        return self._index.get((method, combination, site or "", number, metric))

    def find_difference(
        self,
        method: Method,
        combination: str,
        metric: Metric,
        *,
        against: Method,
        epsilon: float | None = None,
    ) -> Difference | None:
        """The paired difference ``method − against`` over the whole study, if the run has it."""
        number = "" if epsilon is None else repr(float(epsilon))
        return self._difference_index.get((method, combination, "", number, metric, against))


def _collect(per_repeat: Sequence[Mapping[str, float]]) -> dict[Metric, list[float]]:
    """Values by metric; a metric missing from one repeat counts as undefined there."""
    unknown = sorted({name for repeat in per_repeat for name in repeat} - set(METRICS))
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known: {', '.join(METRICS)}")
    return {
        metric: [float(repeat.get(metric, math.nan)) for repeat in per_repeat]
        for metric in METRICS
        if any(metric in repeat for repeat in per_repeat)
    }


def _reason(asked: int, defined: int) -> str | None:
    if defined == asked:
        return None
    if asked == 1:
        return "undefined"
    return f"undefined in {asked - defined} of {asked} repeats"


def _bounded(summary: Summary) -> Summary:
    """Interval cut to [0, 1], where every metric lies: few repeats make it reach beyond."""
    if summary.low is None or summary.high is None:
        return summary
    return summary._replace(low=max(0.0, summary.low), high=min(1.0, summary.high))


def build_records(
    method: Method,
    combination: str,
    per_repeat: Sequence[Mapping[str, float]],
    *,
    site: str | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
) -> list[Record]:
    """Tidy records of one method from its metrics in each cohort or seed.

    Parameters
    ----------
    per_repeat : sequence of mappings
        One mapping from metric name to value per cohort or seed. NaN and missing metrics are
        left out of the mean and counted in ``reason``.

    Raises
    ------
    ValueError
        A metric name that is not in ``METRICS``.
    """
    return [
        Record(
            method=method,
            combination=combination,
            site=site,
            epsilon=epsilon,
            delta=delta,
            metric=metric,
            reason=_reason(len(values), summary.n),
            **summary._asdict(),
        )
        for metric, values in _collect(per_repeat).items()
        for summary in [_bounded(summarise(values))]
    ]


def build_differences(
    method: Method,
    against: Method,
    combination: str,
    per_repeat: Sequence[Mapping[str, float]],
    per_repeat_against: Sequence[Mapping[str, float]],
    *,
    epsilon: float | None = None,
    delta: float | None = None,
) -> list[Difference]:
    """Paired differences ``method − against`` over the same repeats, in the same order.

    Raises
    ------
    ValueError
        The two sequences have different lengths, or a metric name is unknown.
    """
    if len(per_repeat) != len(per_repeat_against):
        raise ValueError(
            f"pairs need equal repeats: {len(per_repeat)} of {method}, "
            f"{len(per_repeat_against)} of {against}"
        )
    ours, theirs = _collect(per_repeat), _collect(per_repeat_against)
    return [
        Difference(
            method=method,
            against=against,
            combination=combination,
            epsilon=epsilon,
            delta=delta,
            metric=metric,
            reason=_reason(len(per_repeat), summary.n),
            **summary._asdict(),
        )
        for metric in ours
        if metric in theirs
        for summary in [summarise(np.subtract(ours[metric], theirs[metric]))]
    ]


def always_positive_records(combination: str, *, positives: int, negatives: int) -> list[Record]:
    """Metrics of calling every participant positive: the baseline any F1 has to be read against.

    With p positives among p + q: F1 = 2p/(2p + q), sensitivity 1, specificity 0, balanced accuracy
    and AUC ½ (all scores are equal), accuracy p/(p + q). Exact, so without an interval.

    Raises
    ------
    ValueError
        A class is empty, so that half of the metrics are undefined.
    """
    if positives < 1 or negatives < 1:
        raise ValueError(f"both classes are needed: {positives} positives, {negatives} negatives")
    values: dict[str, float] = {
        "f1": 2 * positives / (2 * positives + negatives),
        "sensitivity": 1.0,
        "specificity": 0.0,
        "balanced_accuracy": 0.5,
        "auc": 0.5,
        "accuracy": positives / (positives + negatives),
    }
    return build_records("always-positive", combination, [values])


def _poster_table() -> tuple[Record, ...]:
    rows = ((0.69, 0.69, 0.62), (0.72, 0.71, 0.67), (0.69, 0.67, 0.67), (0.76, 0.76, 0.69))
    return tuple(
        record
        for groups, (f1, sensitivity, specificity) in zip(POSTER_COMBINATIONS, rows, strict=True)
        for record in build_records(
            "poster",
            combination_name(groups),
            [{"f1": f1, "sensitivity": sensitivity, "specificity": specificity}],
        )
    )


POSTER_TABLE_1: Final[tuple[Record, ...]] = _poster_table()
"""Li et al., ICIP 2019, Table 1: 88 children, one cohort, hence no interval and no spread."""


def software_versions(names: Iterable[str] = SOFTWARE) -> dict[str, str]:
    """Versions of the packages the numbers depend on; one that is not installed is left out."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def describe_machine() -> Machine:
    """Processor, usable cores, system and Python of this computer."""
    cpu = platform.processor() or platform.machine() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        cpu=cpu,
        cores=usable or 1,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


_DIFFERENCES: Final = "paired_differences"


def write_results(path: Path, results: Results) -> None:
    """Write ``results.json``: UTF-8, strict JSON, atomic.

    The file is an object with ``provenance`` and ``results``; paired differences stand in the
    provenance, and a record has a ``reason`` only where a number is missing.
    """
    document = results.model_dump(mode="json")
    document["provenance"][_DIFFERENCES] = document.pop("differences")
    for record in (*document["results"], *document["provenance"][_DIFFERENCES]):
        if record["reason"] is None:
            del record["reason"]
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1)
    write_atomic(path, text + "\n")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def read_results(path: Path) -> Results:
    """Read ``results.json``.

    Raises
    ------
    InputError
        The file is missing, is not strict JSON, or has a field that is not what it should be.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(
            f"results file {path}: {error.strerror}; give the results.json of a finished run"
        ) from error
    except ValueError as error:
        raise InputError(
            f"results file {path} is not strict JSON ({error}); write it again with fedaffect-sim"
        ) from error
    if isinstance(document, dict) and isinstance(document.get("provenance"), dict):
        document["differences"] = document["provenance"].pop(_DIFFERENCES, [])
    try:
        return Results.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"results file {path}: {place}: {first['msg']}; "
            f"{error.error_count()} problem(s) in all; write it again with fedaffect-sim"
        ) from error
