"""Tables of estimates, the same in every section."""

from collections.abc import Iterable, Mapping, Sequence

from shared.report.blocks import Cell, Row
from shared.report.document import Count, Estimate, Fact
from shared.report.wording import METRIC_LABELS, interval, metric_label, number, people

__all__ = [
    "estimate_cell",
    "metric_columns",
    "metric_rows",
    "pairs",
    "people_cell",
    "sentences",
]


def estimate_cell(estimate: Estimate | None, digits: int = 2, *, sign: bool = False) -> Cell:
    """Value with its interval below."""
    if estimate is None:
        return Cell("–")
    return Cell(number(estimate.value, digits, sign=sign), interval(estimate, digits, sign=sign))


def people_cell(count: Count) -> Cell:
    """A count of people."""
    return Cell(people(count))


def metric_columns(metrics: Iterable[Mapping[str, Estimate]]) -> tuple[str, ...]:
    """Keys that any row has, the known ones first and in their usual order."""
    present = dict.fromkeys(key for row in metrics for key in row)
    known = [key for key in METRIC_LABELS if key in present]
    return (*known, *(key for key in present if key not in METRIC_LABELS))


def metric_rows(
    rows: Sequence[tuple[str, Mapping[str, Estimate]]], *, sign: bool = False
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Column names and rows of a table of metrics."""
    keys = metric_columns(metrics for _, metrics in rows)
    return tuple(metric_label(key) for key in keys), tuple(
        Row(label, tuple(estimate_cell(metrics.get(key), sign=sign) for key in keys))
        for label, metrics in rows
    )


def pairs(facts: Iterable[Fact]) -> tuple[tuple[str, str], ...]:
    """Facts as name and value."""
    return tuple((fact.name, fact.value) for fact in facts)


def sentences(*texts: str) -> tuple[str, ...]:
    """Those that say anything."""
    return tuple(text for text in texts if text)
