"""The head of the page: the few numbers a reader looks for first, and what they come to."""

from typing import NamedTuple

from shared.report.document import Estimate, Report
from shared.report.wording import (
    count,
    interval,
    metric_in_prose,
    metric_label,
    number,
    p_value,
    people,
    percent,
    value_with_interval,
)

__all__ = ["Tile", "findings", "tiles"]

_LOW_PREVALENCE = 0.05


class Tile(NamedTuple):
    """One number with what qualifies it."""

    label: str
    value: str
    more: tuple[str, ...]


def tiles(report: Report) -> list[Tile]:
    """Participants, sensitivity, specificity, AUC, predictive value where few have ASD."""
    made = []
    data = report.data
    if data.participants is not None:
        more = []
        if data.asd is not None and data.non_asd is not None:
            more.append(f"{people(data.asd)} ASD, {people(data.non_asd)} non-ASD")
        made.append(Tile("Participants analysed", people(data.participants), tuple(more)))
    for key in ("sensitivity", "specificity"):
        estimate = report.performance.metrics.get(key)
        if estimate is not None:
            made.append(_tile(metric_label(key), estimate))
    auc = report.performance.metrics.get("auc", report.roc.auc)
    if auc is not None:
        made.append(_tile("AUC", auc))
    low = [v for v in report.performance.predictive_values if v.prevalence < _LOW_PREVALENCE]
    if low:
        made.append(_tile(f"PPV at a prevalence of {percent(low[0].prevalence)}", low[0].ppv))
    return made


def _tile(label: str, estimate: Estimate) -> Tile:
    ends = interval(estimate)
    return Tile(label, number(estimate.value), (f"95 % interval {ends}",) if ends else ())


def findings(report: Report) -> list[str]:
    """Sentences made of the document's numbers; only what is there is said."""
    said = []
    for test in report.protocols.chance:
        if test.p_value is None:
            continue
        said_p = p_value(test.p_value)
        relation = "" if said_p.startswith("<") else "= "
        said.append(
            f"Better than chance? {metric_label(test.metric)} {number(test.observed)}, permutation "
            f"test p {relation}{said_p}."
        )
    optimism = next(iter(report.protocols.optimism.items()), None)
    if optimism is not None:
        key, estimate = optimism
        said.append(
            f"Over-fitting: scored on its own training rows the model looks better by "
            f"{value_with_interval(estimate)} of {metric_in_prose(key)}."
        )
    if report.combinations.finding:
        said.append(report.combinations.finding)
    if report.group_differences.finding:
        said.append(report.group_differences.finding)
    zone = report.uncertainty.indeterminate
    if zone is not None:
        said.append(
            f"With an indeterminate zone, {value_with_interval(zone.share)} of participants get no "
            "call."
        )
    if report.privacy.epsilon is not None and report.privacy.guarantee:
        said.append(f"Privacy: ε = {count(report.privacy.epsilon)}. {report.privacy.guarantee}")
    return said
