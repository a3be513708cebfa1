"""The plots of the comparison page: panels that stack on a phone, with one legend each.

Colours are Okabe and Ito's colour-blind-safe set, darkened to a contrast of at least 4.5 on white;
every series differs in marker or dash as well.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.report.svg import PANEL_WIDTH, plot_area, to_inline_svg
from simulations.compare.constants import Quality
from simulations.compare.mechanisms import DEFAULT
from simulations.compare.results import POOLED, Comparison, Row
from simulations.compare.wording import QUALITY_LABELS, label_of
from simulations.report.wording import METRIC_LABELS, count, number
from simulations.results import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Panel", "Plot", "by_constants", "by_epsilon", "by_rounds", "loss_by_participants"]

_HEIGHT: Final = 2.9
_METRICS: Final[tuple[Metric, ...]] = ("f1", "balanced_accuracy", "auc")


class _Style(NamedTuple):
    colour: str
    marker: str
    dash: str


_STYLES: Final = {
    DEFAULT: _Style("#0068a3", "o", "-"),
    "rounds-1": _Style("#9b3d75", "D", "--"),
    "rounds-4": _Style("#00775a", "^", "-."),
    "rounds-8": _Style("#b84a00", "s", ":"),
    "adassp": _Style("#9b3d75", "D", "-"),
    "local-noise": _Style("#00775a", "^", "-"),
    "fedavg": _Style("#b84a00", "s", "-"),
    "pooled": _Style("#1a1a1a", "", "-"),
    "no-noise": _Style("#0068a3", "", "--"),
    "alone": _Style("#00775a", "", "-."),
}
_QUALITY_STYLES: Final[dict[Quality, _Style]] = {
    "right": _Style("#0068a3", "o", "-"),
    "pilot": _Style("#00775a", "^", "--"),
    "wrong": _Style("#b84a00", "s", ":"),
}
_BUDGET_STYLES: Final = (
    _Style("#9ac0da", "D", "-"),
    _Style("#4f92bd", "^", "-"),
    _Style("#0068a3", "o", "-"),
    _Style("#0a2f4d", "s", "-"),
    _Style("#1a1a1a", "v", "-"),
)
_DASH_ARRAYS: Final = {"-": "", "--": "5 2.5", "-.": "6 2 1.5 2", ":": "1.5 2.5"}
_MARKS: Final = {
    "o": '<circle cx="17" cy="7" r="4"/>',
    "s": '<rect x="13.2" y="3.2" width="7.6" height="7.6"/>',
    "D": '<path d="M17 2l5 5-5 5-5-5z"/>',
    "^": '<path d="M17 2.4l4.6 8.2h-9.2z"/>',
    "v": '<path d="M17 11.6l4.6-8.2h-9.2z"/>',
    "": "",
}


class Panel(NamedTuple):
    """One plot of a figure."""

    title: str
    svg: str


class Legend(NamedTuple):
    """One line of a legend: a drawn sample and its name."""

    swatch: str
    label: str


class Plot(NamedTuple):
    """Panels that are read together, and their legend."""

    panels: list[Panel]
    legend: list[Legend]


class _Curve(NamedTuple):
    label: str
    style: _Style
    points: Sequence[tuple[float, Row]]


def by_epsilon(comparison: Comparison, participants: int) -> Plot:
    """Scores of the mechanisms against epsilon, with the references as lines; right constants."""
    curves = ("adassp", "local-noise", "fedavg", DEFAULT)
    levels = ("pooled", "no-noise", "alone")
    quality = comparison.qualities[0]
    panels = []
    for metric in _METRICS:
        drawn = [_over_epsilon(comparison, m, participants, quality, metric) for m in curves]
        flat = [
            (label_of(name), _STYLES[name], row)
            for name in levels
            if (row := _level(comparison, name, participants, quality, metric)) is not None
        ]
        panels.append(_epsilon_panel(comparison, METRIC_LABELS[metric], metric, drawn, flat))
    order = (DEFAULT, "local-noise", "adassp", "fedavg", *levels)
    return Plot(panels, [_legend(label_of(name), _STYLES[name]) for name in order])


def by_rounds(comparison: Comparison) -> Plot:
    """AUC of the rule and of fixed numbers of rounds against epsilon, one panel a cohort size."""
    names = ("rounds-8", "rounds-4", "rounds-1", DEFAULT)
    quality = comparison.qualities[0]
    panels = [
        _epsilon_panel(
            comparison,
            f"AUC, {participants} participants",
            f"rounds-{participants}",
            [_over_epsilon(comparison, m, participants, quality, "auc") for m in names],
            [],
        )
        for participants in comparison.participants
    ]
    return Plot(panels, [_legend(label_of(m), _STYLES[m]) for m in reversed(names)])


def by_constants(comparison: Comparison, participants: int) -> Plot:
    """Scores of the default against epsilon for each quality of the public constants."""
    panels = []
    for metric in _METRICS:
        drawn = [
            _over_epsilon(comparison, DEFAULT, participants, quality, metric)._replace(
                label=QUALITY_LABELS[quality], style=_QUALITY_STYLES[quality]
            )
            for quality in comparison.qualities
        ]
        row = _level(comparison, "pooled", participants, comparison.qualities[0], metric)
        flat = [] if row is None else [(label_of("pooled"), _STYLES["pooled"], row)]
        name = f"constants-{metric}"
        panels.append(_epsilon_panel(comparison, METRIC_LABELS[metric], name, drawn, flat))
    legend = [_legend(QUALITY_LABELS[q], _QUALITY_STYLES[q]) for q in comparison.qualities]
    return Plot(panels, [*legend, _legend(label_of("pooled"), _STYLES["pooled"])])


def loss_by_participants(comparison: Comparison) -> Plot:
    """Pooled minus default against the number of participants, one curve an epsilon."""
    quality = comparison.qualities[0]
    epsilons = sorted(comparison.epsilons)
    styles = dict(zip(epsilons, _BUDGET_STYLES, strict=False))
    panels = []
    for metric in _METRICS:
        curves = []
        for epsilon, style in styles.items():
            found = [
                (
                    float(n),
                    comparison.difference(POOLED, DEFAULT, n, quality, epsilon, metric),
                )
                for n in comparison.participants
            ]
            points = [(n, row) for n, row in found if row is not None and row.mean is not None]
            curves.append(_Curve(f"ε = {count(epsilon)}", style, points))
        title = f"{METRIC_LABELS[metric]} lost"
        alt = [f"{title} against the number of participants.", *map(_said, curves)]
        with plot_area(PANEL_WIDTH, _HEIGHT) as (figure, axes):
            axes.set_xscale("log")
            axes.axhline(0, color="#1a1a1a", lw=1.0)
            for place, curve in enumerate(curves):
                _draw(axes, curve, shift=1 + 0.03 * (place - (len(curves) - 1) / 2))
            sizes = comparison.participants
            axes.set_xlim(min(sizes) / 1.35, max(sizes) * 1.35)
            axes.set_xticks(sizes, [count(n) for n in sizes])
            axes.minorticks_off()
            axes.set_xlabel("participants")
            _value_axis(axes, [row for curve in curves for _, row in curve.points], with_zero=True)
            panels.append(
                Panel(title, to_inline_svg(figure, name=f"n-{metric}", alt=" ".join(alt)))
            )
    return Plot(panels, [_legend(f"ε = {count(e)}", styles[e]) for e in reversed(styles)])


def _over_epsilon(
    comparison: Comparison, mechanism: str, participants: int, quality: Quality, metric: Metric
) -> _Curve:
    points = [
        (epsilon, row)
        for epsilon in sorted(comparison.epsilons)
        if (row := comparison.find(mechanism, participants, quality, epsilon, metric)) is not None
        and row.mean is not None
    ]
    return _Curve(label_of(mechanism), _STYLES[mechanism], points)


def _level(
    comparison: Comparison, name: str, participants: int, quality: Quality, metric: Metric
) -> Row | None:
    own = quality if name == "no-noise" else None
    return comparison.find(name, participants, own, None, metric)


def _epsilon_panel(
    comparison: Comparison,
    title: str,
    name: str,
    curves: Sequence[_Curve],
    levels: Sequence[tuple[str, _Style, Row]],
) -> Panel:
    alt = [f"{title} against epsilon.", *map(_said, curves)]
    alt += [f"{label}: {number(row.mean)}." for label, _, row in levels]
    epsilons = comparison.epsilons
    with plot_area(PANEL_WIDTH, _HEIGHT) as (figure, axes):
        axes.set_xscale("log", base=2)
        for _, style, row in levels:
            axes.axhline(row.mean or 0.0, color=style.colour, ls=style.dash, lw=1.5)
        for place, curve in enumerate(curves):
            _draw(axes, curve, shift=1 + 0.035 * (place - (len(curves) - 1) / 2))
        axes.set_xlim(min(epsilons) / 1.35, max(epsilons) * 1.35)
        axes.set_xticks(epsilons, [count(e) for e in epsilons])
        axes.minorticks_off()
        axes.set_xlabel("ε   (left: stronger privacy)")
        shown = [row for curve in curves for _, row in curve.points]
        _value_axis(axes, [*shown, *(row for _, _, row in levels)])
        return Panel(title, to_inline_svg(figure, name=name, alt=" ".join(alt)))


def _draw(axes: "Axes", curve: _Curve, shift: float) -> None:
    x = [place * shift for place, _ in curve.points]
    style = curve.style
    for place, (_, row) in zip(x, curve.points, strict=True):
        if row.low is not None and row.high is not None:
            axes.vlines(place, row.low, row.high, color=style.colour, lw=1.4)
    axes.plot(
        x, [row.mean or 0.0 for _, row in curve.points], ls=style.dash, lw=1.9, marker=style.marker,
        color=style.colour, ms=6, mec="white", mew=0.8, zorder=5,
    )  # fmt: skip


def _value_axis(axes: "Axes", rows: Sequence[Row], *, with_zero: bool = False) -> None:
    """Limits on round numbers that hold every mean and interval."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ends = [row.mean for row in rows if row.mean is not None]
    ends += [v for row in rows for v in (row.low, row.high) if v is not None]
    if with_zero:
        ends.append(0.0)
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    axes.set_ylim(math.floor((low - 0.01) * 20) / 20, math.ceil((high + 0.01) * 20) / 20)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(axis="y")


def _said(curve: _Curve) -> str:
    values = ", ".join(f"{number(row.mean)} at {count(place)}" for place, row in curve.points)
    return f"{curve.label}: {values}."


def _legend(label: str, style: _Style) -> Legend:
    dash = _DASH_ARRAYS[style.dash]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    line = f'<path d="M1 7h32" fill="none" stroke="{style.colour}" stroke-width="2"{dashes}/>'
    mark = f'<g fill="{style.colour}">{_MARKS[style.marker]}</g>'
    return Legend(
        f'<svg class="swatch" viewBox="0 0 34 14" aria-hidden="true">{line}{mark}</svg>', label
    )
