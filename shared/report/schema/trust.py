"""How far to trust a call: uncertainty, subgroups, missing data, and other ways to train."""

from pydantic import Field

from shared.report.schema.values import Count, Estimate, Metrics, Model, Probability, Section

__all__ = [
    "Baseline",
    "Baselines",
    "ConformalRow",
    "Fairness",
    "Indeterminate",
    "MissingItem",
    "Missingness",
    "Subgroup",
    "SubgroupDifference",
    "Uncertainty",
]


class Indeterminate(Model):
    """No call between two probabilities, and how good the calls outside are."""

    low: Probability
    high: Probability
    chosen_on: str
    share: Estimate
    """Of participants in the zone."""
    metrics: Metrics
    """Sensitivity and specificity outside the zone."""
    participants: Count = None


class ConformalRow(Model):
    """Prediction sets of one method at one promised coverage."""

    method: str
    promised: float = Field(gt=0, lt=1)
    coverage: Estimate
    coverage_asd: Estimate | None = None
    coverage_non_asd: Estimate | None = None
    one_label: Probability = None
    both_labels: Probability = None
    no_label: Probability = None


class Uncertainty(Section):
    """How far a single call can be relied on."""

    required = ()

    indeterminate: Indeterminate | None = None
    conformal: tuple[ConformalRow, ...] = ()
    venn_abers_width: Estimate | None = None
    """Median width of the probability interval of one participant."""


class Subgroup(Model):
    """Scores in one level of one attribute (age band, sex, clinic, device)."""

    attribute: str
    level: str
    participants: Count
    asd: Count = None
    non_asd: Count = None
    metrics: Metrics = Field(default_factory=dict)
    """Empty where the counts are too small to show."""


class SubgroupDifference(Model):
    """Largest difference between levels of one attribute."""

    attribute: str
    metric: str
    between: str
    difference: Estimate


class Fairness(Section):
    """Scores by subgroup with counts and intervals."""

    required = ("subgroups",)

    subgroups: tuple[Subgroup, ...] = ()
    differences: tuple[SubgroupDifference, ...] = ()


class MissingItem(Model):
    """How much of one item is missing."""

    item: str
    missing: Count
    total: Count
    note: str = ""


class Missingness(Section):
    """What is missing and what was done about it."""

    required = ("rule",)

    rule: str = ""
    items: tuple[MissingItem, ...] = ()


class Baseline(Model):
    """One way to train, scored like the others of its table."""

    method: str = Field(min_length=1)
    epsilon: float | None = Field(default=None, gt=0)
    metrics: Metrics
    note: str = ""


class Baselines(Section):
    """Each clinic alone, pooled, federated, and federated under differential privacy."""

    required = ("rows",)

    setting: str = ""
    """On which rows and folds; one sentence."""
    rows: tuple[Baseline, ...] = ()
