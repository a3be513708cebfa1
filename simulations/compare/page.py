"""The comparison as one self-contained HTML page: no script, font or image from elsewhere.

Every number on it stands in ``results.json``.
"""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from shared.files import write_atomic
from shared.report.environment import page_environment
from simulations.compare import figures
from simulations.compare.constants import Quality
from simulations.compare.figures import Plot
from simulations.compare.mechanisms import DEFAULT, MECHANISMS, REFERENCES
from simulations.compare.results import POOLED, Comparison, Row
from simulations.compare.wording import QUALITY_LABELS, interval, label_of
from simulations.report.wording import METRIC_LABELS, count, number, power_of_ten
from simulations.results import Metric

__all__ = ["render_comparison", "write_comparison_page"]

_SHOWN: tuple[Metric, ...] = ("f1", "sensitivity", "specificity", "balanced_accuracy", "auc")


class Cell(NamedTuple):
    """One number with its interval."""

    mean: str
    interval: str


class Line(NamedTuple):
    """One row of a table."""

    label: str
    starts_block: bool
    cells: list[Cell]


class Table(NamedTuple):
    """A table with its caption; ``folded`` ones open on demand."""

    anchor: str
    caption: str
    first: str
    columns: list[str]
    lines: list[Line]
    folded: bool = False


class Figure(NamedTuple):
    """A plot with its words and, where it has them, its numbers."""

    anchor: str
    heading: str
    lead: str
    plot: Plot
    caption: str
    tables: list[Table]


class Tile(NamedTuple):
    """One number of the summary."""

    method: str
    label: str
    value: str
    more: list[str]


def write_comparison_page(path: Path, comparison: Comparison) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_atomic(path, render_comparison(comparison))


def render_comparison(comparison: Comparison) -> str:
    """Return the page as HTML5."""
    provenance = comparison.provenance
    template = page_environment("simulations.compare").get_template("compare.html")
    return template.render(
        tiles=_tiles(comparison),
        sentences=_sentences(comparison),
        figures=_figures(comparison),
        tables=_all_numbers(comparison),
        mechanisms=[(one.label, one.explanation) for one in (*MECHANISMS, *REFERENCES)],
        constants=[(QUALITY_LABELS[q], provenance.constants[q]) for q in comparison.qualities],
        provenance=provenance,
        plans=_plans(comparison),
        facts=_facts(comparison),
        delta=power_of_ten(provenance.delta),
        smallest=min(comparison.participants),
    )


def _first(comparison: Comparison) -> tuple[int, Quality]:
    """Return the size and constants the page speaks about first."""
    return min(comparison.participants), comparison.qualities[0]


def _tiles(comparison: Comparison) -> list[Tile]:
    participants, quality = _first(comparison)
    tiles = []
    pooled = comparison.find(POOLED, participants, None, None, "f1")
    if pooled is not None:
        area = comparison.find(POOLED, participants, None, None, "auc")
        more = [_range(pooled), *([f"AUC {number(area.mean, 3)}"] if area else [])]
        tiles.append(Tile("pooled", "F1 pooled, no privacy", number(pooled.mean, 3), more))
    for epsilon in comparison.epsilons:
        loss = comparison.difference(POOLED, DEFAULT, participants, quality, epsilon, "f1")
        gap = comparison.difference(DEFAULT, "fedavg", participants, quality, epsilon, "auc")
        if loss is None:
            continue
        more = [_range(loss)]
        if gap is not None:
            more.append(f"AUC {number(gap.mean, 3, sign=True)} against local DP-SGD + FedAvg")
        label = f"F1 lost by the default at ε = {count(epsilon)}"
        tiles.append(Tile("federated-dp", label, number(loss.mean, 3), more))
    return tiles


def _range(row: Row) -> str:
    bounds = interval(row.low, row.high)
    return f"95 % interval {bounds}" if bounds else ""


def _sentences(comparison: Comparison) -> list[str]:
    participants, quality = _first(comparison)
    said = []
    gaps = [
        (epsilon, gap)
        for epsilon in comparison.epsilons
        if (gap := comparison.difference(DEFAULT, "fedavg", participants, quality, epsilon, "auc"))
        is not None
    ]
    if gaps:
        said.append(
            f"With {participants} participants the default ranks better than tuned local DP-SGD "
            "with federated averaging by "
            + ", ".join(
                f"{number(gap.mean, 3)} AUC at ε = {count(epsilon)} "
                f"({interval(gap.low, gap.high, sign=True)})"
                for epsilon, gap in gaps
            )
            + "; both see the same unit vectors."
        )
    if len(comparison.participants) > 1:
        said += _size_sentences(comparison, quality)
    if len(comparison.qualities) > 1:
        epsilon = _headline(comparison)
        found = [
            (QUALITY_LABELS[q], score)
            for q in comparison.qualities
            if (score := comparison.find(DEFAULT, participants, q, epsilon, "auc")) is not None
        ]
        said.append(
            f"Who the public people are matters: at ε = {count(epsilon)} and {participants} "
            "participants the default's AUC is "
            + ", ".join(f"{number(row.mean, 3)} with {label.lower()}" for label, row in found)
            + "."
        )
    return said


def _size_sentences(comparison: Comparison, quality: Quality) -> list[str]:
    losses = {
        (n, epsilon): row
        for n in comparison.participants
        for epsilon in comparison.epsilons
        if (row := comparison.difference(POOLED, DEFAULT, n, quality, epsilon, "f1")) is not None
    }
    by_epsilon = [
        " / ".join(number(losses[n, epsilon].mean, 3) for n in comparison.participants)
        + f" at ε = {count(epsilon)}"
        for epsilon in comparison.epsilons
    ]
    said = [
        "The noise of a sum does not grow with a study, its signal does. F1 lost against pooled "
        f"training with {' / '.join(map(str, comparison.participants))} participants: "
        f"{', '.join(by_epsilon)}."
    ]
    if any((row.mean or 0.0) < 0 for row in losses.values()):
        said.append(
            "A negative loss means that the public map and its few composites help more than the "
            "noise hurts: pooled logistic regression fits all raw statistics."
        )
    return said


def _headline(comparison: Comparison) -> float:
    below = [epsilon for epsilon in comparison.epsilons if epsilon <= 4]
    return max(below, default=min(comparison.epsilons))


def _figures(comparison: Comparison) -> list[Figure]:
    participants, quality = _first(comparison)
    labelled = QUALITY_LABELS[quality].lower()
    bars = "Vertical bars: 95 % intervals of the mean over cohorts."
    made = [
        Figure(
            "mechanisms",
            "Mechanisms side by side",
            f"{participants} participants in {comparison.provenance.clinics} clinics, {labelled}.",
            figures.by_epsilon(comparison, participants),
            f"{bars} They hold the luck of the cohort, which all mechanisms share; the paired "
            "differences below do not.",
            [_paired(comparison, participants, quality)],
        ),
        Figure(
            "size",
            "What privacy costs as a study grows",
            "Pooled logistic regression without privacy, minus the default mechanism.",
            figures.loss_by_participants(comparison),
            "Vertical bars: 95 % intervals of the paired difference. Points are moved sideways a "
            "little so that bars stay apart. Below zero the private model is the better one.",
            [_losses(comparison, quality, metric) for metric in ("f1", "auc")],
        ),
        Figure(
            "rounds",
            "How many gradient sums",
            "The public rule against a fixed number of noised sums. Few sums carry less noise "
            "each, many sums come closer to the best direction.",
            figures.by_rounds(comparison),
            bars,
            [],
        ),
    ]
    if len(comparison.qualities) > 1:
        made.append(
            Figure(
                "constants",
                "Where the public constants come from",
                f"The default mechanism with {participants} participants. The constants place and "
                "whiten the features before any noise is added.",
                figures.by_constants(comparison, participants),
                bars,
                [],
            )
        )
    return made


def _paired(comparison: Comparison, participants: int, quality: Quality) -> Table:
    lines = []
    metrics: tuple[Metric, ...] = ("auc", "f1", "balanced_accuracy")
    for metric in metrics:
        for place, mechanism in enumerate(m for m in MECHANISMS if m.name != DEFAULT):
            cells = [
                _cell(
                    comparison.difference(
                        DEFAULT, mechanism.name, participants, quality, epsilon, metric
                    ),
                    sign=True,
                )
                for epsilon in comparison.epsilons
            ]
            label = f"{METRIC_LABELS[metric]}, minus {mechanism.label}"
            lines.append(Line(label, place == 0, cells))
    return Table(
        "paired",
        f"Default minus the others, paired, {participants} participants",
        "Difference",
        [f"ε = {count(e)}" for e in comparison.epsilons],
        lines,
    )


def _losses(comparison: Comparison, quality: Quality, metric: Metric) -> Table:
    lines = [
        Line(
            f"{n} participants",
            False,
            [
                _cell(comparison.difference(POOLED, DEFAULT, n, quality, epsilon, metric))
                for epsilon in comparison.epsilons
            ],
        )
        for n in comparison.participants
    ]
    return Table(
        f"loss-{metric}",
        f"{METRIC_LABELS[metric]} lost against pooled training, paired",
        "Size",
        [f"ε = {count(e)}" for e in comparison.epsilons],
        lines,
    )


def _all_numbers(comparison: Comparison) -> list[Table]:
    tables = []
    for n in comparison.participants:
        for quality in comparison.qualities:
            lines = []
            for reference in REFERENCES:
                own = quality if reference.name == "no-noise" else None
                lines.append(_line(comparison, reference.name, n, own, None, block=False))
            for mechanism in MECHANISMS:
                for place, epsilon in enumerate(comparison.epsilons):
                    lines.append(
                        _line(comparison, mechanism.name, n, quality, epsilon, block=place == 0)
                    )
            first = (n, quality) == _first(comparison)
            tables.append(
                Table(
                    f"all-{n}-{quality}",
                    f"{n} participants, {QUALITY_LABELS[quality].lower()}",
                    "Method",
                    [METRIC_LABELS[metric] for metric in _SHOWN],
                    lines,
                    folded=not first,
                )
            )
    return tables


def _line(
    comparison: Comparison,
    name: str,
    participants: int,
    quality: Quality | None,
    epsilon: float | None,
    *,
    block: bool,
) -> Line:
    label = label_of(name) + ("" if epsilon is None else f", ε = {count(epsilon)}")
    cells = [
        _cell(comparison.find(name, participants, quality, epsilon, metric)) for metric in _SHOWN
    ]
    return Line(label, block, cells)


def _cell(row: Row | None, *, sign: bool = False) -> Cell:
    if row is None:
        return Cell("–", "")
    return Cell(number(row.mean, 3, sign=sign), interval(row.low, row.high, sign=sign))


def _plans(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Gradient sums the rule gives, by size and epsilon."""
    plans = {(p.participants, p.epsilon): p for p in comparison.provenance.plans}
    return [
        (f"{n} participants", [str(plans[n, e].rounds) for e in comparison.epsilons])
        for n in comparison.participants
    ]


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    provenance = comparison.provenance
    machine = provenance.machine
    return [
        ("Command", provenance.command),
        ("Made", provenance.created.strftime("%Y-%m-%d %H:%M UTC")),
        ("Took", str(timedelta(seconds=round(provenance.elapsed_s)))),
        ("Data", provenance.data),
        (
            "Repeats",
            "; ".join(
                f"{size.participants} participants: {size.cohorts} cohorts, {size.draws} draws "
                "of the noise in each"
                for size in provenance.sizes
            ),
        ),
        (
            "Machine",
            f"{machine.cpu}, {machine.cores} cores, {machine.system}, Python {machine.python}",
        ),
        ("Software", ", ".join(f"{name} {v}" for name, v in provenance.software.items())),
    ]
