"""How far to trust a call: uncertainty, subgroups, missing data, and other ways to train."""

from shared.report.blocks import Block, Cell, Facts, Heading, Row, Table, Text
from shared.report.document import Baselines, Fairness, Missingness, Uncertainty
from shared.report.figures.forest import fairness_plot
from shared.report.sections.common import (
    estimate_cell,
    metric_columns,
    people_cell,
    sentences,
)
from shared.report.wording import (
    count,
    metric_label,
    number,
    people,
    percent,
    subgroup_label,
    value_with_interval,
)

__all__ = ["baselines", "fairness", "missingness", "uncertainty"]


def uncertainty(section: Uncertainty) -> list[Block]:
    """The zone without a call, prediction sets, width of probabilities."""
    made: list[Block] = []
    if section.indeterminate is not None:
        zone = section.indeterminate
        facts = [
            (
                "No call between",
                f"probabilities {number(zone.low)} and {number(zone.high)}, chosen on "
                f"{zone.chosen_on}",
            ),
            ("Share without a call", value_with_interval(zone.share)),
        ]
        if zone.participants is not None:
            facts.append(("Participants without a call", people(zone.participants)))
        facts += [
            (f"{metric_label(key)} of the calls made", value_with_interval(zone.metrics[key]))
            for key in metric_columns([zone.metrics])
        ]
        made += [Heading("Indeterminate zone"), Facts(tuple(facts))]
    if section.conformal:
        made.append(Heading("Conformal prediction sets"))
        made.append(
            Table(
                "conformal",
                "Sets of labels that hold the right one with a promised probability",
                (
                    "Method",
                    "Promised",
                    "Covered",
                    "Covered, ASD",
                    "Covered, non-ASD",
                    "One label",
                    "Both labels",
                    "No label",
                ),
                tuple(
                    Row(
                        row.method,
                        (
                            Cell(percent(row.promised)),
                            estimate_cell(row.coverage),
                            estimate_cell(row.coverage_asd),
                            estimate_cell(row.coverage_non_asd),
                            Cell(percent(row.one_label)),
                            Cell(percent(row.both_labels)),
                            Cell(percent(row.no_label)),
                        ),
                    )
                    for row in section.conformal
                ),
                notes=("A set with both labels is an honest “cannot tell”.",),
            )
        )
    if section.venn_abers_width is not None:
        text = (
            f"{value_with_interval(section.venn_abers_width)}: median width of the interval around "
            "one participant's probability."
        )
        made += [Heading("Probability of one participant"), Facts((("Venn-Abers", text),))]
    return made


def fairness(section: Fairness) -> list[Block]:
    """Plot, counts and scores by subgroup, differences."""
    made: list[Block] = []
    plot = fairness_plot(section)
    if plot is not None:
        made.append(plot)
    keys = metric_columns(group.metrics for group in section.subgroups)
    rows, before = [], None
    for group in section.subgroups:
        cells = [people_cell(n) for n in (group.participants, group.asd, group.non_asd)]
        cells += [estimate_cell(group.metrics.get(key)) for key in keys]
        rows.append(
            Row(subgroup_label(group), tuple(cells), starts_block=group.attribute != before)
        )
        before = group.attribute
    hidden = any(
        isinstance(n, str)
        for group in section.subgroups
        for n in (group.participants, group.asd, group.non_asd)
    )
    made.append(
        Table(
            "subgroups",
            "By subgroup",
            ("Subgroup", "Participants", "ASD", "Non-ASD", *map(metric_label, keys)),
            tuple(rows),
            notes=(
                "Small counts are not shown, nor what would let them be computed; scores of such "
                "groups are left out.",
            )
            if hidden
            else (),
        )
    )
    if section.differences:
        made.append(
            Table(
                "subgroup-differences",
                "Differences between subgroups",
                ("Attribute", "Measure", "Between", "Difference"),
                tuple(
                    Row(
                        line.attribute[:1].upper() + line.attribute[1:],
                        (
                            Cell(metric_label(line.metric), words=True),
                            Cell(line.between, words=True),
                            estimate_cell(line.difference, sign=True),
                        ),
                    )
                    for line in section.differences
                ),
                narrow=True,
            )
        )
    return made


def missingness(section: Missingness) -> list[Block]:
    """What is missing, and the rule."""
    made: list[Block] = [Text((section.rule,))]
    if section.items:
        made.append(
            Table(
                "missing",
                "What is missing",
                ("Item", "Missing", "Of", "Note"),
                tuple(
                    Row(
                        item.item,
                        (
                            people_cell(item.missing),
                            people_cell(item.total),
                            Cell(item.note, words=True),
                        ),
                    )
                    for item in section.items
                ),
                narrow=True,
            )
        )
    return made


def baselines(section: Baselines) -> list[Block]:
    """Ways to train, side by side."""
    keys = metric_columns(row.metrics for row in section.rows)
    rows = tuple(
        Row(
            row.method if row.epsilon is None else f"{row.method}, ε = {count(row.epsilon)}",
            tuple(estimate_cell(row.metrics.get(key)) for key in keys),
        )
        for row in section.rows
    )
    notes = tuple(f"{row.method}: {row.note}" for row in section.rows if row.note)
    made: list[Block] = [Text(sentences(section.setting))] if section.setting else []
    made.append(
        Table(
            "baselines-table",
            "Ways to train",
            ("Method", *map(metric_label, keys)),
            rows,
            notes=notes,
        )
    )
    return made
