"""The numbers of a run on the terminal, readable at 100 columns and in a log file.

``reproduce`` prints the comparison with the published table first, then one table for each
combination of inputs with the methods as rows, because the question is what a method costs on the
same inputs. ``table`` prints one table with the sites below each method.
"""

import math
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.console import output
from simulations.report.wording import (
    METRIC_LABELS,
    combination_label,
    count,
    method_label,
    number,
    repeats,
    rows_of,
)
from simulations.results import Metric, Record, Results

__all__ = ["print_anywhere", "print_reproduction", "print_table_run"]

LOG_WIDTH: Final = 110
"""Columns used where the output is a file or a pipe, which has no width of its own."""

SHORT_LABELS: Final[dict[Metric, str]] = METRIC_LABELS | {
    "balanced_accuracy": "Bal. acc.",
    "sensitivity": "Sens.",
    "specificity": "Spec.",
}
STYLES: Final = {
    "poster": "magenta",
    "always-positive": "dim",
    "federated-dp": "bold cyan",
    "local-dp": "yellow",
}
REPRODUCED_METRICS: Final[tuple[Metric, ...]] = (
    "f1",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "auc",
)
PUBLISHED_METRICS: Final[tuple[Metric, ...]] = ("f1", "sensitivity", "specificity")
PLAIN: Final = str.maketrans({"ε": "eps", "δ": "delta", "−": "-", "–": "-", "·": "*"})


def print_reproduction(results: Results, console: Console | None = None) -> None:
    """Print the published table beside ours, then every method for each combination of inputs.

    Parameters
    ----------
    console : Console or None
        Where to print; standard output by default.
    """
    tables: list[RenderableType] = []
    if any(record.method == "poster" for record in results.results):
        tables += [_against_published(results), Text()]
    for combination in results.combinations:
        tables += [_methods(results, combination, REPRODUCED_METRICS, digits=2), Text()]
    _print(results, Group(*tables), console)


def print_table_run(results: Results, console: Console | None = None) -> None:
    """Print pooled, alone, federated and private federated scores, with the sites below each.

    Parameters
    ----------
    console : Console or None
        Where to print; standard output by default.
    """
    tables: list[RenderableType] = []
    for combination in results.combinations:
        tables += [_methods(results, combination, results.metrics, digits=3), Text()]
    _print(results, Group(*tables), console)


def _against_published(results: Results) -> Table:
    """Pooled logistic regression beside the published table, with the standard error of ours."""
    table = Table(
        title="Published Table 1 → pooled here, mean ± standard error (sd: F1 of one cohort)",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("Inputs", no_wrap=True)
    for metric in PUBLISHED_METRICS:
        table.add_column(METRIC_LABELS[metric], justify="right", no_wrap=True)
    table.add_column("sd", justify="right", no_wrap=True)
    for combination in results.combinations:
        if results.find("poster", combination, "f1") is None:
            continue
        cells = []
        for metric in PUBLISHED_METRICS:
            published = results.find("poster", combination, metric)
            ours = results.find("pooled", combination, metric)
            cells.append(
                f"{number(published.mean) if published else '–'} → {_standard_error(ours)}"
            )
        pooled = results.find("pooled", combination, "f1")
        spread = number(pooled.sd) if pooled is not None else "–"
        table.add_row(combination_label(combination), *cells, spread)
    return table


def _standard_error(record: Record | None) -> str:
    if record is None:
        return "–"
    if record.sd is None or record.n < 2:
        return number(record.mean)
    error = record.sd / math.sqrt(record.n)
    return f"{number(record.mean)} ± {number(error, 3)}"


def _methods(
    results: Results, combination: str, metrics: tuple[Metric, ...], *, digits: int
) -> Table:
    """One combination: methods and sites as rows, metrics as columns."""
    provenance = results.provenance
    table = Table(
        title=combination_label(combination),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("Method", no_wrap=True)
    metrics = tuple(metric for metric in metrics if metric in results.metrics)
    for metric in metrics:
        table.add_column(SHORT_LABELS[metric], justify="right", no_wrap=True)
    rows = rows_of(results, combination)
    for position, row in enumerate(rows):
        if row.site is None:
            label = method_label(row.method, row.epsilon, positive=provenance.positive_name)
        else:
            label = f"  {row.site}"
        cells = [
            _cell(
                results.find(row.method, combination, metric, site=row.site, epsilon=row.epsilon),
                digits,
            )
            for metric in metrics
        ]
        ends_block = position + 1 < len(rows) and rows[position + 1].method != row.method
        style = STYLES.get(row.method) if row.site is None else "dim"
        table.add_row(Text(label), *cells, style=style, end_section=ends_block)
    return table


def _cell(record: Record | None, digits: int) -> Text:
    """``.72 ± .03``, the half-width of the interval; the mean alone where there is no interval."""
    blank = " " * (digits + 4)
    if record is None or record.mean is None:
        return Text("–" + blank)
    mean = number(record.mean, digits)
    if record.low is None or record.high is None:
        return Text(mean + blank)
    return Text(f"{mean} ± {number((record.high - record.low) / 2, digits)}")


def _notes(results: Results) -> Text:
    provenance = results.provenance
    n = max((record.n for record in results.results), default=0)
    lines = []
    if n > 1:
        lines.append(f"± half-width of the 95 % interval of the mean over {repeats(provenance, n)}")
    else:
        lines.append("one run: no interval can be given")
    if any(record.method == "alone" for record in results.results):
        lines.append("one clinic alone: size-weighted mean over clinics")
    deltas = sorted({r.delta for r in results.results if r.delta is not None})
    if deltas:
        lines.append("δ = " + ", ".join(count(delta) for delta in deltas))
    text = Text("; ".join(lines) + ".", style="dim")
    if provenance.data == "surrogate":
        text.append("\nSurrogate cohort: simulated children, not patients.", style="bold")
    for warning in provenance.warnings:
        text.append(f"\nWarning: {warning}", style="yellow")
    return text


def _print(results: Results, tables: RenderableType, console: Console | None) -> None:
    print_anywhere(Group(tables, _notes(results)), console)


def print_anywhere(content: RenderableType, console: Console | None = None) -> None:
    """Print to a terminal as it is, to a log at a fixed width, to a code page transliterated.

    Parameters
    ----------
    content : RenderableType
    console : Console or None
        Where to print; standard output by default.
    """
    console = console or output
    encodable = console.encoding.lower().startswith("utf")
    if console.is_terminal and encodable:
        console.print(content)
        return
    # A log has no width, and some Windows code pages have no ε: render as text, then transliterate.
    width = console.width if console.is_terminal else max(console.width, LOG_WIDTH)
    page = Console(width=width, highlight=False, color_system=None, legacy_windows=False)
    with page.capture() as capture:
        page.print(content)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines())
    if not encodable:
        text = _to_code_page(text, console.encoding)
    console.file.write(text + "\n")


def _to_code_page(text: str, encoding: str) -> str:
    text = text.translate(PLAIN | str.maketrans({"─": "-", "→": ">"}))
    return text.encode(encoding, errors="replace").decode(encoding)
