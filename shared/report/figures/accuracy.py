"""ROC curve, calibration plot and decision curve."""

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.report.blocks import Figure, Panel
from shared.report.document import Calibration, DecisionCurve, Roc
from shared.report.figures.style import (
    BAND,
    CHANCE,
    MODEL,
    REFERENCE,
    area_entry,
    line_entry,
    mark_entry,
    rate_axis,
)
from shared.report.svg import plot_area, to_inline_svg
from shared.report.wording import number, people, percent, value_with_interval

if TYPE_CHECKING:
    from shared.report.schema.values import Curve

__all__ = ["calibration_plot", "decision_curve_plot", "roc_plot"]

_SIZE: Final = 4.1
"""Inches."""
_ZERO: Final = 1e-9


def _array(curve: "Curve") -> NDArray[np.float64]:
    return np.array([math.nan if v is None else v for v in curve], dtype=float)


def roc_plot(roc: Roc) -> Figure | None:
    """ROC curve with its band, chance line and the threshold's point; None without a curve."""
    if not roc.false_positive_rate:
        return None
    legend = [line_entry("Model", MODEL), line_entry("Chance", CHANCE, ":")]
    alt = [f"ROC curve. AUC {value_with_interval(roc.auc)}."]
    with plot_area(_SIZE, _SIZE) as (figure, axes):
        x = _array(roc.false_positive_rate)
        axes.plot([0, 1], [0, 1], ls=":", lw=1.4, color=CHANCE)
        if roc.low:
            low, high = _array(roc.low), _array(roc.high)
            axes.fill_between(x, low, high, color=MODEL, alpha=BAND, lw=0)
            legend.insert(1, area_entry("95 % band, pointwise", MODEL))
        axes.plot(x, _array(roc.sensitivity), lw=2, color=MODEL)
        if roc.threshold_false_positive_rate is not None and roc.threshold_sensitivity is not None:
            point = (roc.threshold_false_positive_rate, roc.threshold_sensitivity)
            axes.plot(*point, "o", ms=8, color=REFERENCE, mec="white", mew=1.2, zorder=5)
            legend.append(mark_entry("The threshold in use", REFERENCE))
            alt.append(
                f"At the threshold the false positive rate is {number(point[0])} and the "
                f"sensitivity {number(point[1])}."
            )
        rate_axis(axes)
        axes.set_xlabel("False positive rate (1 − specificity)")
        axes.set_ylabel("Sensitivity")
        axes.grid(True)
        svg = to_inline_svg(figure, name="roc-plot", alt=" ".join(alt))
    caption = "The curve shows every threshold; only the marked one was fixed in advance."
    if roc.threshold_sensitivity is None:
        caption = "The curve shows every threshold."
    return Figure("roc-figure", (Panel(svg),), caption, tuple(legend))


def calibration_plot(calibration: Calibration) -> Figure | None:
    """Observed share of ASD against predicted probability, by group."""
    groups = [
        g for g in calibration.groups if g.predicted is not None and g.observed.value is not None
    ]
    if not groups:
        return None
    alt = ["Calibration plot: observed share of ASD by mean predicted probability."]
    with plot_area(_SIZE, _SIZE) as (figure, axes):
        axes.plot([0, 1], [0, 1], ls=":", lw=1.4, color=CHANCE)
        for group in groups:
            low, high = group.observed.low, group.observed.high
            if group.predicted is not None and low is not None and high is not None:
                axes.vlines(group.predicted, low, high, color=MODEL, lw=2)
            alt.append(
                f"Predicted {number(group.predicted)}, observed "
                f"{value_with_interval(group.observed)}, {people(group.participants)} participants."
            )
        x: list[Any] = [group.predicted for group in groups]
        y: list[Any] = [group.observed.value for group in groups]
        axes.plot(x, y, "o-", lw=1, ms=6.5, color=MODEL, mec="white", mew=1, zorder=5)
        rate_axis(axes)
        axes.set_xlabel("Predicted probability of ASD")
        axes.set_ylabel("Observed share with ASD")
        axes.grid(True)
        svg = to_inline_svg(figure, name="calibration-plot", alt=" ".join(alt))
    legend = (
        mark_entry("Group of participants, 95 % interval", MODEL, bar=True),
        line_entry("Perfect calibration", CHANCE, ":"),
    )
    return Figure(
        "calibration-figure",
        (Panel(svg),),
        "Participants grouped by predicted probability. Above the dotted line the model's "
        "probabilities are too low, below it too high.",
        legend,
    )


def decision_curve_plot(curve: DecisionCurve) -> Figure:
    """Net benefit of the model, of treating all and of treating none."""
    from matplotlib.ticker import FuncFormatter

    x = _array(curve.threshold)
    model, everyone = _array(curve.model), _array(curve.treat_all)
    legend = [line_entry("Model", MODEL)]
    with plot_area(_SIZE + 0.6, _SIZE - 0.5) as (figure, axes):
        if curve.low:
            axes.fill_between(
                x, _array(curve.low), _array(curve.high), color=MODEL, alpha=BAND, lw=0
            )
            legend.append(area_entry("95 % band, pointwise", MODEL))
        axes.plot(x, everyone, ls="--", lw=1.6, color=REFERENCE)
        axes.axhline(0, ls=":", lw=1.6, color=CHANCE)
        axes.plot(x, model, lw=2, color=MODEL)
        legend += [
            line_entry("Refer every child", REFERENCE, "--"),
            line_entry("Refer no child", CHANCE, ":"),
        ]
        top = float(np.nanmax([np.nanmax(model), np.nanmax(everyone), 0.05]))
        axes.set_ylim(-0.35 * top, 1.15 * top)
        rate_axis(axes, both=False)
        axes.set_xlim(float(x.min()), float(x.max()))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: "0" if abs(value) < _ZERO else number(value, 1))
        )
        axes.set_xlabel("Threshold probability")
        axes.set_ylabel("Net benefit")
        axes.grid(True)
        alt = "Decision curve. " + _better(x, model, everyone)
        svg = to_inline_svg(figure, name="decision-plot", alt=alt)
    prevalence = ""
    if curve.prevalence is not None:
        prevalence = f" Computed at the prevalence of this sample, {percent(curve.prevalence)}."
    return Figure(
        "decision-figure",
        (Panel(svg),),
        "True positives minus weighted false positives, per child tested; the weight of a false "
        "positive is the odds of the threshold probability." + prevalence,
        tuple(legend),
    )


def _better(
    x: NDArray[np.float64], model: NDArray[np.float64], everyone: NDArray[np.float64]
) -> str:
    """Where the model beats both simple rules, as its longest stretch."""
    good = (model > np.maximum(everyone, 0)) & np.isfinite(model)
    if not good.any():
        return "At no threshold probability does the model beat both simple rules."
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2] - 1
    longest = int(np.argmax(ends - starts))
    low, high = x[starts[longest]], x[ends[longest]]
    return (
        "The model's net benefit is above that of both simple rules for threshold probabilities "
        f"from {number(float(low))} to {number(float(high))}."
    )
