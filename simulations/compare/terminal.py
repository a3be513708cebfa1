"""The comparison on the terminal: scores, what privacy costs by size, and paired differences.

Everything fits 80 columns; intervals are given as ± half their width, which they are symmetric to.
"""

from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulations.compare.constants import Quality
from simulations.compare.mechanisms import DEFAULT, MECHANISMS, REFERENCES
from simulations.compare.results import POOLED, Comparison, Row
from simulations.compare.wording import QUALITY_LABELS
from simulations.report.wording import METRIC_LABELS, count, number
from simulations.results import Metric
from simulations.terminal import print_anywhere

__all__ = ["print_comparison"]

_METRICS: Final[tuple[Metric, ...]] = ("f1", "auc")


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the scores at the smallest size, then losses and differences with their intervals.

    Parameters
    ----------
    comparison : Comparison
    console : Console or None
        Where to print; standard output by default.
    """
    smallest = min(comparison.participants)
    parts: list[RenderableType] = [_scores(comparison, smallest)]
    parts += [_references(comparison, smallest), Text()]
    for metric in _METRICS:
        parts += [_losses(comparison, metric), Text()]
    parts += [_gaps(comparison, smallest), Text()]
    if len(comparison.qualities) > 1:
        parts += [_constants(comparison, smallest), Text()]
    parts.append(Text(f"Data: {comparison.provenance.data}. Simulated children, not patients."))
    print_anywhere(Group(*parts), console)


def _table(title: str, first: str, comparison: Comparison) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column(first, no_wrap=True)
    for epsilon in comparison.epsilons:
        table.add_column(f"ε = {count(epsilon)}", justify="right", no_wrap=True)
    return table


def _pair(
    comparison: Comparison,
    name: str,
    participants: int,
    constants: Quality | None,
    epsilon: float | None,
) -> str:
    rows = [comparison.find(name, participants, constants, epsilon, m) for m in _METRICS]
    return " / ".join(number(row.mean if row else None, 3) for row in rows)


def _scores(comparison: Comparison, participants: int) -> Table:
    names = " / ".join(METRIC_LABELS[metric] for metric in _METRICS)
    table = _table(f"{names}, {participants} participants", "Mechanism", comparison)
    quality = comparison.qualities[0]
    for mechanism in MECHANISMS:
        cells = [
            _pair(comparison, mechanism.name, participants, quality, epsilon)
            for epsilon in comparison.epsilons
        ]
        table.add_row(
            mechanism.label, *cells, style="bold cyan" if mechanism.name == DEFAULT else None
        )
    return table


def _references(comparison: Comparison, participants: int) -> Text:
    said = []
    for reference in REFERENCES:
        own = comparison.qualities[0] if reference.name == "no-noise" else None
        label = reference.label[0].lower() + reference.label[1:]
        said.append(f"{label} {_pair(comparison, reference.name, participants, own, None)}")
    return Text(f"Beside them: {'; '.join(said)}.", style="dim")


def _losses(comparison: Comparison, metric: Metric) -> Table:
    table = _table(
        f"{METRIC_LABELS[metric]} lost: pooled without privacy minus default",
        "Participants",
        comparison,
    )
    quality = comparison.qualities[0]
    for n in comparison.participants:
        cells = [
            _with_half(comparison.difference(POOLED, DEFAULT, n, quality, epsilon, metric))
            for epsilon in comparison.epsilons
        ]
        table.add_row(str(n), *cells)
    return table


def _gaps(comparison: Comparison, participants: int) -> Table:
    title = f"AUC: default minus the others, {participants} participants"
    table = _table(title, "Other", comparison)
    quality = comparison.qualities[0]
    for mechanism in MECHANISMS:
        if mechanism.name != DEFAULT:
            cells = [
                _with_half(
                    comparison.difference(
                        DEFAULT, mechanism.name, participants, quality, epsilon, "auc"
                    ),
                    sign=True,
                )
                for epsilon in comparison.epsilons
            ]
            table.add_row(mechanism.label, *cells)
    return table


def _constants(comparison: Comparison, participants: int) -> Table:
    title = f"AUC of the default by its public constants, {participants} participants"
    table = _table(title, "Constants", comparison)
    for quality in comparison.qualities:
        cells = [
            _with_half(comparison.find(DEFAULT, participants, quality, epsilon, "auc"))
            for epsilon in comparison.epsilons
        ]
        table.add_row(QUALITY_LABELS[quality].removeprefix("Constants of "), *cells)
    return table


def _with_half(row: Row | None, *, sign: bool = False) -> str:
    """``.725 ± .014``, the second number being half the 95 % interval."""
    if row is None or row.mean is None:
        return "–"
    mean = number(row.mean, 3, sign=sign)
    if row.low is None or row.high is None:
        return mean
    return f"{mean} ± {number((row.high - row.low) / 2, 3)}"
