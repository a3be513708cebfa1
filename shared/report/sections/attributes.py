"""Which attributes carry the signal: combinations, group differences, weights, one example."""

from shared.report.blocks import Block, Cell, Row, Table, Text
from shared.report.document import (
    Coefficients,
    CombinationRow,
    Combinations,
    Example,
    GroupDifferences,
)
from shared.report.figures.forest import coefficients_plot, combinations_plot
from shared.report.figures.heat_map import group_differences_plot
from shared.report.figures.over_time import example_plot
from shared.report.sections.common import estimate_cell, metric_columns, metric_rows, sentences
from shared.report.wording import (
    channel_label,
    combination_label,
    feature_label,
    metric_label,
    number,
    p_value,
    people,
    percent,
)

__all__ = ["coefficients", "combinations", "example", "group_differences"]


def combinations(section: Combinations) -> list[Block]:
    """The answer, the plot, all numbers, the shares."""
    made: list[Block] = []
    if section.finding:
        made.append(Text((section.finding,), emphasis=True))
    section = section.model_copy(update={"rows": _by_size(section)})
    made.append(combinations_plot(section))
    keys = metric_columns(row.metrics for row in section.rows)
    columns = [metric_label(key) for key in keys]
    compared = any(row.difference is not None for row in section.rows)
    tested = any(row.p_value is not None for row in section.rows)
    if compared:
        columns.append(
            f"{metric_label(section.metric)} minus {combination_label(section.reference)}"
        )
    if tested:
        columns.append("p, adjusted")
    rows = []
    before = 0
    for row in section.rows:
        size = len(row.combination.split("+"))
        cells = [estimate_cell(row.metrics.get(key)) for key in keys]
        if compared:
            cells.append(estimate_cell(row.difference, sign=True))
        if tested:
            cells.append(Cell(p_value(row.p_value)))
        label = combination_label(row.combination)
        rows.append(Row(label, tuple(cells), starts_block=size != before))
        before = size
    made.append(
        Table(
            "combinations-table",
            "All combinations",
            ("Inputs", *columns),
            tuple(rows),
            notes=sentences(
                f"Correction for multiplicity: {section.correction}." if section.correction else ""
            ),
        )
    )
    if section.shapley:
        names, lines = metric_rows(
            [(combination_label(share.group), share.metrics) for share in section.shapley],
            sign=True,
        )
        made.append(
            Table(
                "shapley",
                "Share of each attribute group in the gain over chance",
                ("Attribute group", *names),
                lines,
                narrow=True,
                notes=(
                    "Shapley value: the gain from adding the group, averaged over all orders in "
                    "which groups can enter.",
                ),
            )
        )
    return made


def _by_size(section: Combinations) -> tuple[CombinationRow, ...]:
    """Single groups first, all four last; within a size as the document has them."""
    return tuple(sorted(section.rows, key=lambda row: len(row.combination.split("+"))))


def group_differences(section: GroupDifferences) -> list[Block]:
    """The answer, the map, the largest."""
    made: list[Block] = []
    if section.finding:
        made.append(Text((section.finding,), emphasis=True))
    made.append(group_differences_plot(section))
    if section.attribute_groups:
        made.append(
            Table(
                "differences-groups",
                "By attribute group",
                (
                    "Attribute group",
                    "Features",
                    "Largest Hedges' g",
                    "p, family-wise",
                    "q, Benjamini–Hochberg",
                ),
                tuple(
                    Row(
                        combination_label(line.group),
                        (
                            Cell(people(line.features)),
                            estimate_cell(line.largest_g, sign=True),
                            Cell(p_value(line.p_max_t)),
                            Cell(p_value(line.q_bh)),
                        ),
                    )
                    for line in section.attribute_groups
                ),
                narrow=True,
            )
        )
    if section.largest:
        made.append(
            Table(
                "differences-largest",
                "Largest differences",
                ("Feature", "Hedges' g", "Cliff's delta", "p, max-T", "q, Benjamini–Hochberg"),
                tuple(
                    Row(
                        f"{channel_label(line.channel)}: {feature_label(line.feature)}",
                        (
                            estimate_cell(line.hedges_g, sign=True),
                            estimate_cell(line.cliffs_delta, sign=True),
                            Cell(p_value(line.p_max_t)),
                            Cell(p_value(line.q_bh)),
                        ),
                    )
                    for line in section.largest
                ),
                notes=_how_tested(section),
            )
        )
    return made


def _how_tested(section: GroupDifferences) -> tuple[str, ...]:
    drawn = ""
    if section.permutations is not None:
        drawn = f"Permutations of the labels: {people(section.permutations)}."
    picked = (
        "The largest of many effects are over-estimated: they were picked for being large, and "
        "their intervals are not corrected for that."
    )
    return sentences(drawn, picked)


def coefficients(section: Coefficients) -> list[Block]:
    """Plot and table of the largest weights."""
    made: list[Block] = []
    if section.total is not None and section.total > len(section.rows):
        made.append(
            Text((f"The {len(section.rows)} largest of the model's {section.total} weights.",))
        )
    made.append(coefficients_plot(section))
    made.append(
        Table(
            "coefficients-table",
            "Weights",
            ("Feature", "Weight", "Same sign in resamples"),
            tuple(
                Row(
                    f"{channel_label(line.channel)}: {feature_label(line.feature)}",
                    (estimate_cell(line.estimate, sign=True), Cell(percent(line.sign_stability))),
                )
                for line in section.rows
            ),
            narrow=True,
        )
    )
    return made


def example(section: Example) -> list[Block]:
    """One participant over time."""
    said = section.title
    if section.score is not None:
        said += f": score {number(section.score, sign=True)}"
        if section.probability is not None:
            said += f", probability of ASD {number(section.probability)}"
    return [
        Text(sentences(f"{said}." if said else "", section.sentence)),
        example_plot(section),
    ]
