"""What stands before the results: use, participants, data, index test, methods, size."""

from shared.report.blocks import (
    Block,
    Bullets,
    Cell,
    Facts,
    Flow,
    FlowBox,
    Heading,
    Row,
    Table,
    Text,
)
from shared.report.document import (
    Data,
    IndexTest,
    IntendedUse,
    Methods,
    ParticipantFlow,
    SampleSize,
)
from shared.report.sections.common import estimate_cell, pairs, people_cell, sentences
from shared.report.wording import MINUS, combination_label, metric_label, number, people

__all__ = ["data", "index_test", "intended_use", "methods", "participant_flow", "sample_size"]


def intended_use(section: IntendedUse) -> list[Block]:
    """What it is for, and what not."""
    return [
        Text((section.intended_use,)),
        Heading("Not intended for"),
        Bullets(section.out_of_scope),
    ]


def participant_flow(section: ParticipantFlow) -> list[Block]:
    """Boxes for the study, a table for the clinics."""
    boxes = tuple(
        FlowBox(
            step.name,
            people(step.count),
            tuple((exclusion.reason, people(exclusion.count)) for exclusion in step.excluded),
        )
        for step in section.steps
    )
    made: list[Block] = [Flow(boxes)]
    if section.by_clinic:
        made.append(
            Table(
                "flow-clinics",
                "Flow by clinic",
                ("Clinic", *(step.name for step in section.steps)),
                tuple(
                    Row(clinic.clinic, tuple(map(people_cell, clinic.counts)))
                    for clinic in section.by_clinic
                ),
                narrow=True,
            )
        )
    return made


def data(section: Data) -> list[Block]:
    """Source and reference standard, then who was analysed."""
    facts = [
        ("Source", section.source),
        ("Setting", section.setting),
        ("Reference standard", section.reference_standard),
        ("Development and evaluation", section.split),
        *pairs(section.facts),
    ]
    made: list[Block] = [Facts(tuple((name, text) for name, text in facts if text))]
    rows = [
        Row(
            clinic.clinic,
            tuple(map(people_cell, (clinic.participants, clinic.asd, clinic.non_asd))),
        )
        for clinic in section.clinics
    ]
    if section.participants is not None:
        whole = (section.participants, section.asd, section.non_asd)
        rows.append(Row("All", tuple(map(people_cell, whole)), starts_block=True))
    if rows:
        columns = ("Clinic", "Participants", "ASD", "Non-ASD")
        caption = "Analysed participants by reference standard"
        made.append(Table("data-clinics", caption, columns, tuple(rows), narrow=True))
    return made


def index_test(section: IndexTest) -> list[Block]:
    """From pixels to a call."""
    groups = "+".join(section.attribute_groups)
    threshold = "" if section.threshold is None else f"{section.threshold:.4g}".replace("-", MINUS)
    facts = [
        ("Model", section.model),
        ("Attribute groups", combination_label(groups) if groups else ""),
        ("Features", "" if section.features is None else f"{section.features}"),
        ("Feature version", section.feature_version),
        ("Affect network", section.weights),
        ("Threshold", threshold),
        ("How the threshold was set", section.threshold_rule),
        *pairs(section.facts),
    ]
    return [Facts(tuple((name, text) for name, text in facts if text))]


def methods(section: Methods) -> list[Block]:
    """Prose, then settings."""
    made: list[Block] = [Text(section.paragraphs)]
    if section.settings:
        made += [Heading("Settings"), Facts(pairs(section.settings))]
    return made


def sample_size(section: SampleSize) -> list[Block]:
    """Why this many, and what precision that can give."""
    made: list[Block] = [Text(sentences(section.rationale))]
    if section.attainable:
        rows = tuple(
            Row(
                metric_label(line.metric),
                (
                    people_cell(line.participants),
                    Cell(number(line.expected.value)),
                    Cell(estimate_cell(line.expected).below),
                    Cell(line.expected.method, words=True),
                ),
            )
            for line in section.attainable
        )
        columns = ("Measure", "Participants", "If it is", "95 % interval", "Method")
        caption = "Precision that this size can give"
        made.append(Table("precision", caption, columns, rows, narrow=True))
    return made
