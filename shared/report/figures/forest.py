"""Forest plots: one line per row, a dot with its interval, in one or two columns."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from shared.report.blocks import Figure, Panel
from shared.report.document import Coefficients, Combinations, Estimate, Fairness
from shared.report.figures.style import CHANCE, MODEL, REFERENCE, line_entry, mark_entry
from shared.report.svg import INK, plot_area, to_inline_svg
from shared.report.wording import (
    channel_label,
    combination_label,
    feature_label,
    metric_in_prose,
    metric_label,
    number,
    people,
    subgroup_label,
    value_with_interval,
)

__all__ = ["coefficients_plot", "combinations_plot", "fairness_plot"]


_WIDTH: Final = 4.9
"""Inches; wider plots have letters too small for a phone."""


class _Line(NamedTuple):
    label: str
    estimate: Estimate | None
    marked: bool = False


def _forest(
    lines: Sequence[_Line],
    *,
    name: str,
    axis: str,
    reference: float | None,
    alt: str,
    limits: tuple[float, float] | None = None,
    width: float = _WIDTH,
    sign: bool = False,
) -> str:
    """One column of labelled intervals."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    said = [
        f"{line.label}: {value_with_interval(line.estimate, sign=sign)}."
        for line in lines
        if line.estimate is not None
    ]
    ends = [
        end
        for line in lines
        if line.estimate is not None
        for end in (line.estimate.low, line.estimate.high, line.estimate.value)
        if end is not None
    ]
    low, high = (min(ends, default=0.0), max(ends, default=1.0)) if limits is None else limits
    pad = 0.03 * (high - low or 1.0)
    with plot_area(width, 0.75 + 0.225 * len(lines)) as (figure, axes):
        for place in range(0, len(lines), 2):
            axes.axhspan(place - 0.5, place + 0.5, color="#f5f6f8", lw=0, zorder=0)
        if reference is not None:
            axes.axvline(reference, ls=":", lw=1.4, color=CHANCE, zorder=1)
        for place, line in enumerate(lines):
            if line.estimate is None or line.estimate.value is None:
                continue
            colour = REFERENCE if line.marked else MODEL
            if line.estimate.low is not None or line.estimate.high is not None:
                left = low - pad if line.estimate.low is None else line.estimate.low
                right = high + pad if line.estimate.high is None else line.estimate.high
                axes.hlines(place, left, right, color=colour, lw=1.8)
            axes.plot(
                line.estimate.value, place, "D" if line.marked else "o", ms=5.2, mew=0, color=colour
            )
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_xlim(low - pad, high + pad)
        axes.set_yticks(range(len(lines)), [line.label for line in lines])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        digits = 1 if high - low > 3 else 2
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda v, _: "0" if abs(v) < 1e-9 else number(v, digits, sign=sign))
        )
        axes.grid(axis="x")
        axes.set_xlabel(axis)
        return to_inline_svg(figure, name=name, alt=" ".join([alt, *said]))


def combinations_plot(combinations: Combinations) -> Figure:
    """Score of each combination, and its difference from the reference."""
    label = metric_label(combinations.metric)
    rows = combinations.rows
    names = [combination_label(row.combination) for row in rows]
    marked = [row.combination == combinations.reference for row in rows]
    scores = [
        _Line(name, row.metrics.get(combinations.metric), mark)
        for name, row, mark in zip(names, rows, marked, strict=True)
    ]
    reference = next((line.estimate for line in scores if line.marked), None)
    panels = [
        Panel(
            _forest(
                scores,
                name="combination-score",
                axis=label,
                reference=None if reference is None else reference.value,
                alt=f"{label} of each combination.",
            ),
            label,
        )
    ]
    against = combination_label(combinations.reference)
    if any(row.difference is not None for row in rows):
        differences = [_Line(name, row.difference) for name, row in zip(names, rows, strict=True)]
        panels.append(
            Panel(
                _forest(
                    differences,
                    name="combination-difference",
                    axis=f"Difference in {metric_in_prose(combinations.metric)}",
                    reference=0.0,
                    alt=f"{label} of each combination minus that of {against} only.",
                    sign=True,
                ),
                f"{label} minus that of {against} only",
            )
        )
    return Figure(
        "combinations-figure",
        tuple(panels),
        f"Dot: estimate. Bar: 95 % interval. Dotted line: {against} only. All combinations were "
        "scored on the same folds.",
        (
            mark_entry(f"{against} only, the reference", REFERENCE, bar=True),
            mark_entry("Other combinations", MODEL, bar=True),
        ),
        width="full" if len(panels) > 1 else "wide",
    )


def coefficients_plot(coefficients: Coefficients) -> Figure:
    """Weights with their intervals, as in the table below the plot."""
    lines = [
        _Line(f"{channel_label(row.channel)}: {feature_label(row.feature)}", row.estimate)
        for row in coefficients.rows
    ]
    scale = coefficients.scale or "Weight"
    svg = _forest(
        lines,
        name="coefficient-plot",
        axis=scale,
        reference=0.0,
        alt=f"Weights of the model, {scale}.",
        width=1.35 * _WIDTH,
        sign=True,
    )
    return Figure(
        "coefficients-figure",
        (Panel(svg),),
        "Right of zero: a larger value speaks for ASD. Left: against it. Weights of correlated "
        "features share one effect, so a single weight is no measure of a feature's importance.",
        (mark_entry(_bars(coefficients), MODEL, bar=True), line_entry("Zero", CHANCE, ":")),
        width="wide",
    )


def _bars(coefficients: Coefficients) -> str:
    """What the bars are: not always an interval of the weight."""
    methods = {row.estimate.method for row in coefficients.rows if row.estimate.method}
    return f"Weight, bar: {methods.pop()}" if len(methods) == 1 else "Weight with 95 % interval"


def fairness_plot(fairness: Fairness) -> Figure | None:
    """Sensitivity and specificity by subgroup, where counts allow."""
    metrics = [
        metric
        for metric in ("sensitivity", "specificity", "auc")
        if sum(metric in group.metrics for group in fairness.subgroups) > 1
    ][:2]
    shown = [group for group in fairness.subgroups if group.metrics]
    if not metrics:
        return None
    panels = []
    for metric in metrics:
        lines = [
            _Line(
                f"{subgroup_label(group)} (n = {people(group.participants)})",
                group.metrics.get(metric),
            )
            for group in shown
        ]
        label = metric_label(metric)
        svg = _forest(
            lines,
            name=f"fairness-{metric}",
            axis=label,
            reference=None,
            alt=f"{label} by subgroup.",
            limits=(0.0, 1.0),
        )
        panels.append(Panel(svg, label))
    return Figure(
        "fairness-figure",
        tuple(panels),
        "Dot: estimate. Bar: 95 % interval. Wide bars that overlap say little either way: the "
        "absence of a difference is not shown here.",
        width="full" if len(panels) > 1 else "wide",
    )
