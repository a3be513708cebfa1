"""How well it does: at the threshold, over thresholds, calibrated or not, and by protocol."""

from typing import Self

from pydantic import Field, model_validator

from shared.report.schema.values import (
    Count,
    Curve,
    Estimate,
    Metrics,
    Model,
    Number,
    Probability,
    Section,
    check_same_length,
)

__all__ = [
    "Calibration",
    "CalibrationGroup",
    "ChanceTest",
    "ClinicScores",
    "Confusion",
    "DecisionCurve",
    "Performance",
    "PredictiveValues",
    "ProtocolRow",
    "Protocols",
    "Roc",
]


class Confusion(Model):
    """Counts at the threshold; the positive class is ASD."""

    tp: Count
    fn: Count
    fp: Count
    tn: Count


class PredictiveValues(Model):
    """Predictive values where a share ``prevalence`` of those tested has ASD."""

    prevalence: float = Field(gt=0, lt=1)
    ppv: Estimate
    npv: Estimate


class Performance(Section):
    """Performance at the threshold fixed in advance."""

    required = ("evaluated_on", "metrics")

    evaluated_on: str = ""
    """Which predictions: apparent, cross-validated, held-out; one sentence."""
    participants: Count = None
    confusion: Confusion | None = None
    metrics: Metrics = Field(default_factory=dict)
    predictive_values: tuple[PredictiveValues, ...] = ()


class Roc(Section):
    """ROC curve with a pointwise 95 % band, both as functions of the false positive rate."""

    required = ("auc",)

    auc: Estimate | None = None
    false_positive_rate: Curve = ()
    sensitivity: Curve = ()
    low: Curve = ()
    high: Curve = ()
    threshold_false_positive_rate: Probability = None
    threshold_sensitivity: Probability = None

    @model_validator(mode="after")
    def _curves(self) -> Self:
        check_same_length(
            x=self.false_positive_rate, y=self.sensitivity, low=self.low, high=self.high
        )
        return self


class CalibrationGroup(Model):
    """Participants of similar predicted probability."""

    predicted: Probability
    observed: Estimate
    participants: Count


class Calibration(Section):
    """Whether predicted probabilities are borne out."""

    required = ("groups",)

    brier: Estimate | None = None
    in_the_large: Estimate | None = None
    """Mean observed minus mean predicted, or the intercept at slope 1, as ``method`` says."""
    slope: Estimate | None = None
    """Exploratory at the sizes this field has."""
    groups: tuple[CalibrationGroup, ...] = ()


class DecisionCurve(Section):
    """Net benefit over threshold probabilities (Vickers and Elkin 2006); treating none is 0."""

    required = ("threshold", "model", "treat_all")

    prevalence: Probability = None
    threshold: Curve = ()
    model: Curve = ()
    low: Curve = ()
    high: Curve = ()
    treat_all: Curve = ()

    @model_validator(mode="after")
    def _curves(self) -> Self:
        check_same_length(
            x=self.threshold, y=self.model, low=self.low, high=self.high, all=self.treat_all
        )
        return self


class ProtocolRow(Model):
    """Scores of one way to evaluate; ``protocol`` is a name such as "Nested cross-validation"."""

    protocol: str = Field(min_length=1)
    metrics: Metrics
    note: str = ""


class ClinicScores(Model):
    """Scores at a clinic that the model was not trained on."""

    clinic: str = Field(min_length=1)
    participants: Count
    metrics: Metrics


class ChanceTest(Model):
    """Permutation test of "better than chance"."""

    metric: str
    observed: Number
    null_median: Number = None
    null_95: Number = None
    """95th percentile of the permuted scores."""
    p_value: Probability
    permutations: int = Field(ge=1)
    note: str = ""


class Protocols(Section):
    """The same classifier under several protocols, and what that says about over-fitting."""

    required = ("rows",)

    rows: tuple[ProtocolRow, ...] = ()
    optimism: Metrics = Field(default_factory=dict)
    """Apparent minus nested."""
    left_out_clinics: tuple[ClinicScores, ...] = ()
    chance: tuple[ChanceTest, ...] = ()
