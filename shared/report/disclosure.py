"""What a report that leaves must not give away: small counts, shown or computable.

A count below ten is not shown. Nor may it follow from what is shown: from a total with a single
hidden part, from the difference between two steps of the flow, or from an exact rate. These are
the ways in which the tables of this report hang together; :mod:`shared.evaluation.small_cells`
hides enough that none is left, and this is the check that nothing was put back.

Reports about simulated children are not checked. In a federated study counts are noised, so sums do
not hold and ε covers what rates say; there only counts that are shown are checked.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from shared.report.document import ClinicScores, Count, Report, Subgroup

__all__ = ["SMALL_CELL", "given_away"]

SMALL_CELL: Final = 10
"""Counts of people below this do not show in what leaves a clinic."""

_RATES_OF_COUNTS: Final = frozenset(
    {"sensitivity", "specificity", "accuracy", "balanced_accuracy", "f1", "ppv", "npv"}
)


def given_away(report: "Report") -> Iterator[str]:
    """Each small count that the report gives away, as where it stands and how.

    Parameters
    ----------
    report : Report
        One that leaves the clinic.

    Yields
    ------
    str
        Names fields only, never a count.
    """
    if report.kind == "surrogate":
        return
    for where, count in counts_in(report, ""):
        if _is_number(count) and count < SMALL_CELL:
            yield f'{where}: a count below {SMALL_CELL} is shown; give "<10"'
    if report.kind == "federated":
        return
    yield from _from_sums(report)
    yield from _from_differences(report)
    yield from _from_rates(report)


def counts_in(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every count of people below ``value``, with where it stands."""
    from shared.report.document import Count

    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inside = getattr(value, name)
            place = f"{where}.{name}" if where else name
            if field.annotation == Count:
                yield place, inside
            elif field.annotation == tuple[Count, ...]:
                yield from ((f"{place}[{i}]", count) for i, count in enumerate(inside))
            else:
                yield from counts_in(inside, place)
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from counts_in(item, f"{where}[{i}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from counts_in(item, f"{where}[{key}]")


def _is_number(count: "Count") -> bool:
    return isinstance(count, (int, float))


def _one_hidden(total: "Count", parts: Iterable["Count"]) -> bool:
    """Whether total minus the shown parts is the one part that is hidden."""
    parts = list(parts)
    hidden = sum(isinstance(part, str) for part in parts)
    complete = all(part is not None for part in parts)
    return complete and (
        (_is_number(total) and hidden == 1) or (isinstance(total, str) and hidden == 0)
    )


def _from_sums(report: "Report") -> Iterator[str]:
    data, flow = report.data, report.participant_flow
    sums: list[tuple[str, Count, list[Count]]] = [
        ("data", data.participants, [data.asd, data.non_asd])
    ]
    for name in ("participants", "asd", "non_asd"):
        column = [getattr(clinic, name) for clinic in data.clinics]
        if column:
            sums.append((f"data.clinics: {name}", getattr(data, name), column))
    sums += [
        (f"data.clinics[{i}]", clinic.participants, [clinic.asd, clinic.non_asd])
        for i, clinic in enumerate(data.clinics)
    ]
    if flow.by_clinic:
        sums += [
            (f"participant_flow.by_clinic: {step.name}", step.count, list(column))
            for step, column in zip(
                flow.steps, zip(*(c.counts for c in flow.by_clinic), strict=True), strict=True
            )
        ]
    for before, after in pairwise(flow.steps):
        left: list[Count] = [exclusion.count for exclusion in after.excluded]
        if left and _is_number(before.count) and _is_number(after.count):
            sums.append(
                (f"participant_flow: before {after.name}", before.count, [after.count, *left])
            )
    if (confusion := report.performance.confusion) is not None:
        sums.append(("performance.confusion: ASD", data.asd, [confusion.tp, confusion.fn]))
        sums.append(("performance.confusion: non-ASD", data.non_asd, [confusion.fp, confusion.tn]))
    groups = report.fairness.subgroups
    sums += [
        (f"fairness.subgroups[{i}]", group.participants, [group.asd, group.non_asd])
        for i, group in enumerate(groups)
    ]
    for attribute in dict.fromkeys(group.attribute for group in groups):
        for name in ("participants", "asd", "non_asd"):
            column = [getattr(group, name) for group in groups if group.attribute == attribute]
            sums.append((f"fairness.subgroups: {attribute}", getattr(data, name), column))
    for where, total, parts in sums:
        if _one_hidden(total, parts):
            yield f"{where}: a hidden count follows from the others; hide a second one"


def _from_differences(report: "Report") -> Iterator[str]:
    flow = report.participant_flow
    rows = [("all", [step.count for step in flow.steps])]
    rows += [(clinic.clinic, list(clinic.counts)) for clinic in flow.by_clinic]
    for who, counts in rows:
        for before, after in pairwise(counts):
            if not isinstance(before, (int, float)) or not isinstance(after, (int, float)):
                continue
            if 0 < before - after < SMALL_CELL:
                yield (
                    f"participant_flow, {who}: two steps that differ by fewer than "
                    f"{SMALL_CELL} give the excluded away; leave out one of them"
                )


def _from_rates(report: "Report") -> Iterator[str]:
    rows: list[tuple[str, Subgroup | ClinicScores]] = [
        (f"fairness.subgroups[{i}]", row) for i, row in enumerate(report.fairness.subgroups)
    ]
    rows += [
        (f"protocols.left_out_clinics[{i}]", row)
        for i, row in enumerate(report.protocols.left_out_clinics)
    ]
    for where, row in rows:
        if row.metrics and any(isinstance(count, str) for _, count in counts_in(row, "")):
            yield f"{where}: scores of people whose count is hidden; leave metrics empty"
    found = report.performance
    if any(isinstance(count, str) for _, count in counts_in(found, "performance")):
        told = sorted(found.metrics.keys() & _RATES_OF_COUNTS)
        told += ["predictive_values"] if found.predictive_values else []
        if told:
            yield (
                f"performance: a count is hidden, but {', '.join(told)} would give it away; leave "
                "them out"
            )
