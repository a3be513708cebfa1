"""The plots of the page. Each is a row of panels that stack on a phone, with one shared legend.

Colours: Okabe and Ito's colour-blind-safe set, darkened to a contrast of at least 4.5 on white.
Every series differs in marker or dash as well, so the page survives a grey printer.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.privacy.accountant import attack_success
from shared.report.svg import PANEL_WIDTH, plot_area, to_inline_svg
from simulations.report.wording import (
    METRIC_LABELS,
    combination_label,
    count,
    fullest_combination,
    headline_epsilon,
    method_label,
    number,
)
from simulations.results import Method, Metric, PlanFacts, Record, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LegendEntry",
    "Panel",
    "cost_of_privacy",
    "one_draw",
    "published_against_ours",
    "sites",
    "what_epsilon_means",
]

FALSE_ACCUSATIONS: Final = 0.05
NORMAL_95: Final = 1.959964


class Style(NamedTuple):
    """How one method is drawn."""

    colour: str
    marker: str
    dash: str


STYLES: Final[dict[Method, Style]] = {
    "poster": Style("#9b3d75", "D", ""),
    "pooled": Style("#1a1a1a", "o", "-"),
    "federated": Style("#0068a3", "v", "--"),
    "federated-dp": Style("#0068a3", "o", "-"),
    "local-dp": Style("#b84a00", "s", "-"),
    "alone": Style("#00775a", "^", "-."),
    "always-positive": Style("#666666", "", ":"),
}
_DASH_ARRAYS: Final = {"-": "", "--": "5 2.5", "-.": "6 2 1.5 2", ":": "1.5 2.5", "": ""}


class Panel(NamedTuple):
    """One plot of a figure."""

    title: str
    note: str
    svg: str


class LegendEntry(NamedTuple):
    """One line of a legend: a drawn sample and its name."""

    swatch: str
    label: str


class Plot(NamedTuple):
    """Panels that are read together, and their legend."""

    panels: list[Panel]
    legend: list[LegendEntry]


def published_against_ours(results: Results) -> Plot | None:
    """Published Table 1 beside the pooled and the private federated scores; None without it."""
    combinations = [c for c in results.combinations if results.find("poster", c, "f1") is not None]
    if not combinations:
        return None
    epsilon = headline_epsilon(results)
    series: list[tuple[Method, float | None, float]] = [("poster", None, -0.24)]
    series.append(("pooled", None, 0.0))
    if epsilon is not None:
        series.append(("federated-dp", epsilon, 0.24))
    metrics: tuple[Metric, ...] = ("f1", "sensitivity", "specificity")
    found = {
        (method, c, metric): results.find(method, c, metric, epsilon=e)
        for method, e, _ in series
        for c in combinations
        for metric in metrics
    }
    limits = _limits([r for r in found.values() if r is not None], spread=True)
    panels: list[Panel] = []
    for metric in metrics:
        alt = [f"{METRIC_LABELS[metric]} by inputs."]
        with plot_area(PANEL_WIDTH, 0.75 + 0.62 * len(combinations)) as (figure, axes):
            for position, combination in enumerate(combinations):
                said = []
                for method, e, offset in series:
                    record = found[method, combination, metric]
                    _interval(axes, record, position + offset, STYLES[method])
                    if record is not None:
                        said.append(f"{method_label(method, e)} {number(record.mean)}")
                alt.append(f"{combination_label(combination)}: {', '.join(said)}.")
            axes.set_yticks(range(len(combinations)), _increments(combinations))
            axes.tick_params(axis="y", length=0)
            axes.set_ylim(len(combinations) - 0.45, -0.55)
            _score_axis(axes, limits)
            panels.append(_panel(figure, METRIC_LABELS[metric], f"published-{metric}", alt))
    names = [_legend(method, e, results, spread=True) for method, e, _ in series]
    return Plot(panels, names)


def cost_of_privacy(results: Results) -> Plot | None:
    """Scores against ε on the fullest inputs, with the methods without privacy as lines.

    None with fewer than two values of ε, which make no curve.
    """
    private = [r for r in results.results if r.epsilon is not None and r.site is None]
    if len({r.epsilon for r in private}) < 2:
        return None
    combination = fullest_combination(results)
    levels: tuple[Method, ...] = ("always-positive", "alone", "pooled", "federated")
    curves: tuple[Method, ...] = ("federated-dp", "local-dp")
    epsilons = results.epsilons
    panels: list[Panel] = []
    drawn: set[Method] = set()
    for metric in _scores(results):
        alt = [f"{METRIC_LABELS[metric]} against epsilon, {combination_label(combination)}."]
        shown: list[Record] = []
        with plot_area(PANEL_WIDTH, 2.9) as (figure, axes):
            axes.set_xscale("log", base=2)
            for method in levels:
                record = results.find(method, combination, metric)
                if record is None or record.mean is None:
                    continue
                style = STYLES[method]
                if record.low is not None and record.high is not None and method == "pooled":
                    axes.axhspan(record.low, record.high, color=style.colour, alpha=0.09, lw=0)
                axes.axhline(record.mean, color=style.colour, ls=style.dash, lw=1.5)
                alt.append(f"{method_label(method)}: {number(record.mean)}.")
                shown.append(record)
                drawn.add(method)
            for method, shift in zip(curves, (1.0, 1.05), strict=True):
                points = [
                    (e, r)
                    for e in sorted(epsilons)
                    if (r := results.find(method, combination, metric, epsilon=e)) is not None
                    and r.mean is not None
                ]
                if not points:
                    continue
                _curve(axes, [(e * shift, r) for e, r in points], STYLES[method])
                values = ", ".join(f"{number(r.mean)} at {count(e)}" for e, r in points)
                alt.append(f"{method_label(method)}: {values}.")
                shown += [r for _, r in points]
                drawn.add(method)
            axes.set_xlim(min(epsilons) / 1.35, max(epsilons) * 1.35)
            axes.set_xticks(epsilons, [count(e) for e in epsilons])
            axes.minorticks_off()
            axes.set_xlabel("ε   (left: stronger privacy)")
            _score_axis(axes, _limits(shown, spread=False), vertical=True)
            panels.append(_panel(figure, METRIC_LABELS[metric], f"cost-{metric}", alt))
    order: tuple[Method, ...] = (*curves, "pooled", "federated", "alone", "always-positive")
    return Plot(panels, [_legend(m, None, results, line=True) for m in order if m in drawn])


def one_draw(results: Results) -> Plot | None:
    """Where a single cohort or seed falls: mean, its interval, and the spread of one repeat."""
    combination = fullest_combination(results)
    epsilon = headline_epsilon(results)
    candidates: list[tuple[Method, float | None]] = [("pooled", None)]
    if results.provenance.repeat == "seed":
        candidates += [("federated-dp", e) for e in results.epsilons]
    elif epsilon is not None:
        candidates += [("federated-dp", epsilon), ("local-dp", epsilon)]
    candidates.append(("alone", None))
    rows = [
        (m, e)
        for m, e in candidates
        if any(
            (r := results.find(m, combination, metric, epsilon=e)) is not None and r.sd is not None
            for metric in _scores(results)
        )
    ]
    if not rows:
        return None
    found = {
        (m, e, metric): results.find(m, combination, metric, epsilon=e)
        for m, e in rows
        for metric in _scores(results)
    }
    panels: list[Panel] = []
    trivial_drawn = False
    limits = _limits([r for r in found.values() if r is not None], spread=True)
    for metric in _scores(results):
        alt = [f"{METRIC_LABELS[metric]} of one {results.provenance.repeat}."]
        with plot_area(PANEL_WIDTH, 0.65 + 0.5 * len(rows)) as (figure, axes):
            for position, (method, e) in enumerate(rows):
                record = found[method, e, metric]
                _interval(axes, record, position, STYLES[method])
                label = method_label(method, e)
                axes.annotate(
                    label,
                    (0, position - 0.34),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=8.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
                )
                if record is not None and record.sd is not None:
                    alt.append(f"{label}: mean {number(record.mean)}, sd {number(record.sd)}.")
            trivial = results.find("always-positive", combination, metric)
            level = None if trivial is None else trivial.mean
            if level is not None and limits[0] < level < limits[1]:
                trivial_drawn = True
                style = STYLES["always-positive"]
                axes.axvline(level, color=style.colour, ls=style.dash, lw=1.5, zorder=0)
                alt.append(f"Baseline: {number(level)}.")
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_ylim(len(rows) - 0.6, -0.62)
            _score_axis(axes, limits)
            panels.append(_panel(figure, METRIC_LABELS[metric], f"draw-{metric}", alt))
    legend = [
        LegendEntry(_spread_swatch("#1a1a1a"), "Mean, its 95 % interval (wide bar), and where 95 "
                    f"of 100 single {results.provenance.repeat}s fall (thin line: mean ± 1.96 sd)"),
    ]  # fmt: skip
    if trivial_drawn:
        legend.append(_legend("always-positive", None, results, line=True))
    return Plot(panels, legend)


def sites(results: Results) -> Plot | None:
    """Scores at each site of a table, and over all of them; None where no site has a record."""
    combination = fullest_combination(results)
    names = results.sites()
    epsilon = headline_epsilon(results)
    series: list[tuple[Method, float | None]] = [("pooled", None), ("alone", None)]
    series.append(("federated", None))
    series += [("federated-dp", epsilon)] if epsilon else []
    series = [
        (m, e)
        for m, e in series
        if any(r.method == m and r.epsilon == e and r.site is not None for r in results.results)
    ]
    if not names or not series:
        return None
    places: list[str | None] = [*names, None]
    panels: list[Panel] = []
    step = 0.66 / max(len(series), 2)
    for metric in _scores(results):
        alt = [f"{METRIC_LABELS[metric]} by site."]
        shown: list[Record] = []
        with plot_area(PANEL_WIDTH, 0.75 + (0.22 + 0.13 * len(series)) * len(places)) as (
            figure,
            axes,
        ):
            for position, site in enumerate(places):
                said = []
                for rank, (method, e) in enumerate(series):
                    record = results.find(method, combination, metric, site=site, epsilon=e)
                    if record is None or record.mean is None:
                        continue
                    offset = (rank - (len(series) - 1) / 2) * step
                    _interval(axes, record, position + offset, STYLES[method], spread=False)
                    said.append(f"{method_label(method, e)} {number(record.mean)}")
                    shown.append(record)
                alt.append(f"{site or 'All'}: {', '.join(said) or 'undefined'}.")
            axes.set_yticks(
                range(len(places)), [*map(_short, names), "All" if len(series) > 1 else "Mean"]
            )
            axes.tick_params(axis="y", length=0)
            axes.axhline(len(names) - 0.5, color="#9aa0a8", lw=0.7)
            axes.set_ylim(len(places) - 0.45, -0.55)
            _score_axis(axes, _limits(shown, spread=False))
            panels.append(_panel(figure, METRIC_LABELS[metric], f"site-{metric}", alt))
    return Plot(panels, [_legend(m, e, results) for m, e in series])


def what_epsilon_means(plans: Sequence[PlanFacts]) -> Plot | None:
    """A hundred participating children per ε, coloured by how many an attack identifies at most."""
    if not plans:
        return None
    lucky, exposed, safe = "#5b6470", "#b84a00", "#dfe3e8"
    by_chance = round(100 * FALSE_ACCUSATIONS)
    panels: list[Panel] = []
    for plan in sorted(plans, key=lambda plan: plan.epsilon):
        share = 100 * attack_success(plan.mu, FALSE_ACCUSATIONS)
        dots = math.ceil(share - 1e-9)
        colours = [lucky] * by_chance + [exposed] * (dots - by_chance) + [safe] * (100 - dots)
        said = f"at most {share:.1f} of 100"
        with plot_area(1.9, 1.9) as (figure, axes):
            axes.scatter(
                [i % 10 for i in range(100)],
                [-(i // 10) for i in range(100)],
                c=colours,
                s=70,
                lw=0,
            )
            axes.set_aspect("equal")
            axes.set_axis_off()
            alt = [f"ε = {count(plan.epsilon)}: {said} identified; {by_chance} by guessing."]
            title, name = f"ε = {count(plan.epsilon)}", f"epsilon-{len(panels)}"
            panels.append(_panel(figure, title, name, alt)._replace(note=said))
    legend = [
        LegendEntry(_dot_swatch(lucky), f"Identified by guessing ({by_chance} of 100)"),
        LegendEntry(_dot_swatch(exposed), "At most this many more because of the releases"),
        LegendEntry(_dot_swatch(safe), "Not identified"),
    ]
    return Plot(panels, legend)


def _scores(results: Results) -> list[Metric]:
    """The three metrics worth a panel: the headline first, then those that need no base rate."""
    wanted: list[Metric] = [results.provenance.headline_metric, "f1", "balanced_accuracy", "auc"]
    if wanted[0] != "f1":
        wanted.remove("f1")
    return [metric for metric in dict.fromkeys(wanted) if metric in results.metrics]


def _short(name: str) -> str:
    """A site's name on at most two lines, so that a long one leaves room for the plot."""
    return "\n".join(textwrap.wrap(name, 16, max_lines=2, placeholder=" …"))


def _increments(combinations: Sequence[str]) -> list[str]:
    """``AU``, ``+ arousal``, … where each combination adds to the one above; else full names."""
    labels, before = [], ""
    for combination in combinations:
        added = combination.removeprefix(before + "+") if before else combination
        full = combination_label(combination)
        labels.append(f"+ {added}" if before and added != combination else full)
        before = combination
    return labels


def _interval(
    axes: "Axes", record: Record | None, y: float, style: Style, *, spread: bool = True
) -> None:
    """Dot at the mean, wide bar for its interval, thin line for one repeat (mean ± 1.96 sd)."""
    if record is None or record.mean is None:
        return
    if spread and record.sd is not None:
        low, high = record.mean - NORMAL_95 * record.sd, record.mean + NORMAL_95 * record.sd
        axes.hlines(y, max(low, 0), min(high, 1), color=style.colour, lw=1.0, alpha=0.75)
    if record.low is not None and record.high is not None:
        axes.hlines(y, record.low, record.high, color=style.colour, lw=6.5, alpha=0.35)
    axes.plot(record.mean, y, style.marker, color=style.colour, ms=5.4, mew=0, zorder=5)


def _curve(axes: "Axes", points: Sequence[tuple[float, Record]], style: Style) -> None:
    x = [epsilon for epsilon, _ in points]
    y = [record.mean or 0.0 for _, record in points]
    for epsilon, record in points:
        if record.low is not None and record.high is not None:
            axes.vlines(epsilon, record.low, record.high, color=style.colour, lw=1.4)
    axes.plot(
        x, y, ls=style.dash, lw=1.9, marker=style.marker, color=style.colour, ms=6, mec="white",
        mew=0.8, zorder=5,
    )  # fmt: skip


def _limits(records: Sequence[Record], *, spread: bool) -> tuple[float, float]:
    """Axis limits on multiples of .05 that hold every mean, interval and (asked) spread."""
    ends: list[float] = []
    for record in records:
        ends += [v for v in (record.mean, record.low, record.high) if v is not None]
        if spread and record.mean is not None and record.sd is not None:
            reach = NORMAL_95 * record.sd
            ends += [max(record.mean - reach, 0.0), min(record.mean + reach, 1.0)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return math.floor((low - 0.015) * 20) / 20, math.ceil((high + 0.015) * 20) / 20


def _score_axis(axes: "Axes", limits: tuple[float, float], *, vertical: bool = False) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.yaxis if vertical else axes.xaxis
    (axes.set_ylim if vertical else axes.set_xlim)(*limits)
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(axis="y" if vertical else "x")


def _panel(figure: object, title: str, name: str, alt: Sequence[str]) -> Panel:
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    return Panel(title, "", to_inline_svg(figure, name=name, alt=" ".join(alt)))


def _legend(
    method: Method,
    epsilon: float | None,
    results: Results,
    *,
    line: bool = False,
    spread: bool = False,
) -> LegendEntry:
    style = STYLES[method]
    label = method_label(method, epsilon, positive=results.provenance.positive_name)
    if spread and method != "poster":
        return LegendEntry(_spread_swatch(style.colour), label)
    return LegendEntry(_swatch(style, line=line or method == "always-positive"), label)


_MARKS: Final = {
    "o": '<circle cx="17" cy="7" r="4"/>',
    "s": '<rect x="13.2" y="3.2" width="7.6" height="7.6"/>',
    "D": '<path d="M17 2l5 5-5 5-5-5z"/>',
    "^": '<path d="M17 2.4l4.6 8.2h-9.2z"/>',
    "v": '<path d="M17 11.6l4.6-8.2h-9.2z"/>',
    "": "",
}


def _swatch(style: Style, *, line: bool) -> str:
    stroke = ""
    if line:
        dash = _DASH_ARRAYS[style.dash]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        stroke = f'<path d="M1 7h32" fill="none" stroke="{style.colour}" stroke-width="2"{dashes}/>'
    levels = {"--", "-.", ":"}
    mark = "" if line and style.dash in levels else _MARKS[style.marker]
    if line and style == STYLES["pooled"]:
        mark = ""
    return _swatch_svg(f'{stroke}<g fill="{style.colour}">{mark}</g>')


def _spread_swatch(colour: str) -> str:
    return _swatch_svg(
        f'<g stroke="{colour}"><path d="M1 7h32" stroke-width="1"/>'
        f'<path d="M8 7h18" stroke-width="7" stroke-opacity=".35"/></g>'
        f'<circle cx="17" cy="7" r="3.4" fill="{colour}"/>'
    )


def _dot_swatch(colour: str) -> str:
    return _swatch_svg(f'<circle cx="17" cy="7" r="5.5" fill="{colour}"/>')


def _swatch_svg(content: str) -> str:
    return f'<svg class="swatch" viewBox="0 0 34 14" aria-hidden="true">{content}</svg>'
