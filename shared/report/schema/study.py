"""What stands before the results: use, participants, data, index test, methods, size."""

from typing import Self

from pydantic import Field, model_validator

from shared.channels import AttributeGroup
from shared.report.schema.values import Count, Estimate, Fact, Model, Number, Section

__all__ = [
    "ClinicCounts",
    "ClinicFlow",
    "Data",
    "Exclusion",
    "FlowStep",
    "IndexTest",
    "IntendedUse",
    "Methods",
    "ParticipantFlow",
    "Precision",
    "SampleSize",
]


class IntendedUse(Section):
    """What the result may be used for, and what not."""

    required = ("intended_use", "out_of_scope")

    intended_use: str = ""
    out_of_scope: tuple[str, ...] = ()


class Exclusion(Model):
    """People who left the flow at one step."""

    reason: str = Field(min_length=1)
    count: Count


class FlowStep(Model):
    """One box of the flow: how many reached it, and who left between the step before and it."""

    name: str = Field(min_length=1)
    count: Count
    excluded: tuple[Exclusion, ...] = ()


class ClinicFlow(Model):
    """The flow of one clinic; ``counts`` in the order of the steps."""

    clinic: str = Field(min_length=1)
    counts: tuple[Count, ...]


class ParticipantFlow(Section):
    """Enrolled, recorded, usable, analysed (STARD flow diagram)."""

    required = ("steps",)

    steps: tuple[FlowStep, ...] = ()
    by_clinic: tuple[ClinicFlow, ...] = ()

    @model_validator(mode="after")
    def _clinics_have_all_steps(self) -> Self:
        if any(len(clinic.counts) != len(self.steps) for clinic in self.by_clinic):
            raise ValueError("each clinic of the flow has one count a step")
        return self


class ClinicCounts(Model):
    """Analysed participants of one clinic by reference standard."""

    clinic: str = Field(min_length=1)
    participants: Count
    asd: Count = None
    non_asd: Count = None


class Data(Section):
    """Where the data come from, and the reference standard."""

    required = ("source", "reference_standard")

    source: str = ""
    setting: str = ""
    reference_standard: str = ""
    split: str = ""
    """How development and evaluation data are kept apart."""
    participants: Count = None
    asd: Count = None
    non_asd: Count = None
    clinics: tuple[ClinicCounts, ...] = ()
    facts: tuple[Fact, ...] = ()


class IndexTest(Section):
    """What is being evaluated: from pixels to a call."""

    required = ("model", "threshold_rule")

    model: str = ""
    attribute_groups: tuple[AttributeGroup, ...] = ()
    features: int | None = Field(default=None, ge=1)
    """Entries of the feature vector."""
    feature_version: str = ""
    weights: str = ""
    """Name of the affect network's weights."""
    threshold: Number = None
    """On the score (log-odds) or whatever ``threshold_rule`` says."""
    threshold_rule: str = ""
    facts: tuple[Fact, ...] = ()


class Methods(Section):
    """How the results were made: prose, then settings."""

    required = ("paragraphs",)

    paragraphs: tuple[str, ...] = ()
    settings: tuple[Fact, ...] = ()


class Precision(Model):
    """Interval that a study of this size has if the true value is ``expected.value``."""

    metric: str
    participants: Count
    expected: Estimate


class SampleSize(Section):
    """How many, why, and what precision that can give."""

    required = ("rationale",)

    rationale: str = ""
    attainable: tuple[Precision, ...] = ()
