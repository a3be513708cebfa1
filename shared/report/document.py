"""The schema of ``report.json``: all that a study's report may say, and nothing else.

The page is rendered from this document alone, so a number that is not here cannot be on it. The
same schema serves a simulation, a cohort in one hand, a clinic's report about its own participants,
and a federated study, whose rows nobody holds together. What differs is the *status* of a section:

``released``
    It was opened by the study (a noised sum, or a public fact such as the plan) and may leave.
``local``
    Computed from participants' rows by whoever holds them; exact, so no ε covers it.
``not_released``
    Absent. ``note`` says why, ``cost_mu`` what it would cost, and every content field is empty: a
    section cannot be marked as withheld and still carry its numbers.

Numbers are plain JSON. An undefined number is ``null``, never NaN. A rate is a fraction of one.
Curves are lists of equal length. A count below ten that may not show is ``"<10"``; one that is
hidden so that no total gives another away is ``"suppressed"`` (:mod:`shared.evaluation.small_cells`
decides which; :mod:`shared.report.disclosure` refuses a report that leaves and gives one away).

Objects with a method ``as_json()``, such as the results of :mod:`shared.evaluation`, are accepted
wherever their fields are those of a model here.

Compatibility: :data:`SCHEMA_VERSION` is raised when a field is renamed, removed or changes meaning;
a new field with a default does not raise it.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from shared.errors import InputError
from shared.report.disclosure import SMALL_CELL, given_away
from shared.report.schema.accuracy import (
    Calibration,
    CalibrationGroup,
    ChanceTest,
    ClinicScores,
    Confusion,
    DecisionCurve,
    Performance,
    PredictiveValues,
    ProtocolRow,
    Protocols,
    Roc,
)
from shared.report.schema.attributes import (
    AttributeGroupDifference,
    ChannelTrack,
    Coefficient,
    Coefficients,
    CombinationRow,
    Combinations,
    Example,
    FeatureDifference,
    GroupDifferences,
    ShapleyShare,
)
from shared.report.schema.privacy import Absence, Federation, Privacy, Round
from shared.report.schema.provenance import ChecklistItem, Checklists, Limits, Software
from shared.report.schema.study import (
    ClinicCounts,
    ClinicFlow,
    Data,
    Exclusion,
    FlowStep,
    IndexTest,
    IntendedUse,
    Methods,
    ParticipantFlow,
    Precision,
    SampleSize,
)
from shared.report.schema.trust import (
    Baseline,
    Baselines,
    ConformalRow,
    Fairness,
    Indeterminate,
    MissingItem,
    Missingness,
    Subgroup,
    SubgroupDifference,
    Uncertainty,
)
from shared.report.schema.values import (
    HIDDEN,
    SMALL,
    Count,
    Estimate,
    Fact,
    Metrics,
    Model,
    Section,
    Status,
)

__all__ = [
    "HIDDEN",
    "SCHEMA_VERSION",
    "SECTIONS",
    "SMALL",
    "SMALL_CELL",
    "Absence",
    "AttributeGroupDifference",
    "Baseline",
    "Baselines",
    "Calibration",
    "CalibrationGroup",
    "ChanceTest",
    "ChannelTrack",
    "ChecklistItem",
    "Checklists",
    "ClinicCounts",
    "ClinicFlow",
    "ClinicScores",
    "Coefficient",
    "Coefficients",
    "CombinationRow",
    "Combinations",
    "ConformalRow",
    "Confusion",
    "Count",
    "Data",
    "DecisionCurve",
    "Estimate",
    "Example",
    "Exclusion",
    "Fact",
    "Fairness",
    "FeatureDifference",
    "Federation",
    "FlowStep",
    "GroupDifferences",
    "Indeterminate",
    "IndexTest",
    "IntendedUse",
    "Kind",
    "Limits",
    "Methods",
    "Metrics",
    "MissingItem",
    "Missingness",
    "ParticipantFlow",
    "Performance",
    "Precision",
    "PredictiveValues",
    "Privacy",
    "ProtocolRow",
    "Protocols",
    "Report",
    "Roc",
    "Round",
    "SampleSize",
    "Section",
    "ShapleyShare",
    "Software",
    "Status",
    "Subgroup",
    "SubgroupDifference",
    "Uncertainty",
    "json_schema",
    "read_report",
]

SCHEMA_VERSION: Final = 1

Kind = Literal["surrogate", "cohort", "clinic", "federated"]
"""Whose rows: simulated children; a cohort in one hand; one clinic's own; nobody's together."""


class Report(Model):
    """A whole report; sections in reading order.

    Attributes
    ----------
    schema_version : int
    kind : str
        Whose rows the numbers come from; decides the notice at the head of the page.
    leaves_clinic : bool
        Whether the document may be handed on. Then counts of people below ten are refused, and
        what gives one away, unless the kind is ``surrogate``.
    title, subtitle : str
    created : datetime
        With its time zone.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Kind
    leaves_clinic: bool
    title: str = Field(min_length=1)
    subtitle: str = ""
    created: AwareDatetime

    intended_use: IntendedUse
    participant_flow: ParticipantFlow
    data: Data
    index_test: IndexTest
    methods: Methods
    sample_size: SampleSize
    performance: Performance
    roc: Roc
    calibration: Calibration
    decision_curve: DecisionCurve
    protocols: Protocols
    combinations: Combinations
    group_differences: GroupDifferences
    coefficients: Coefficients
    example: Example
    uncertainty: Uncertainty
    fairness: Fairness
    missingness: Missingness
    baselines: Baselines
    privacy: Privacy
    federation: Federation
    software: Software
    limits: Limits
    checklists: Checklists

    @model_validator(mode="after")
    def _nothing_small_leaves(self) -> Self:
        if self.leaves_clinic and (problem := next(given_away(self), None)):
            raise ValueError(f"this report leaves the clinic. {problem}")
        return self

    def section(self, key: str) -> Section:
        """The section of a key of :data:`SECTIONS`."""
        found = getattr(self, key)
        assert isinstance(found, Section)
        return found


SECTIONS: Final[tuple[str, ...]] = tuple(
    name
    for name, field in Report.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
)
"""Keys of the sections in reading order; also their anchors on the page."""


def json_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of ``report.json``, with its version in ``$id``."""
    schema = Report.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:fedaffect:report:{SCHEMA_VERSION}",
        **schema,
    }


def read_report(path: Path) -> Report:
    """Read ``report.json``.

    Raises
    ------
    InputError
        The file is missing, is no JSON, or is no report of this version.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a report.json") from None
    except ValueError:
        raise InputError(f"{path} is no JSON: give a report.json that fedaffect wrote") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has report schema {version!r}, this program reads {SCHEMA_VERSION}: "
            "open it with the version of fedaffect that wrote it"
        )
    try:
        return Report.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is no report of schema {SCHEMA_VERSION}: {place}: {first['msg']}"
        ) from None
