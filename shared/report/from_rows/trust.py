"""Sections on how far a call, and the classifier, can be relied on."""

from collections.abc import Mapping

import numpy as np

from shared.evaluation.evaluate import Evaluation
from shared.evaluation.subgroups import SubgroupTable
from shared.report import document as d
from shared.report.from_rows.convert import in_document, metrics, reasons

__all__ = ["fairness", "uncertainty"]


def uncertainty(found: Evaluation) -> d.Uncertainty:
    """Zone without a call, prediction sets, probability intervals."""
    known = found.uncertainty
    if known is None:
        return d.Uncertainty(status="not_released", note=reasons(found, "uncertainty"))
    zone = known.zone
    widths = np.quantile(known.venn_abers_width, (0.5, 0.25, 0.75))
    return d.Uncertainty(
        status="local",
        note=""
        if zone
        else "No zone is needed: with a call for everybody sensitivity and specificity reach .9."
        if known.zone_needless
        else "No zone that leaves out at most 70 % of either diagnosis reaches a sensitivity and "
        "a specificity of .7 outside it.",
        indeterminate=None
        if zone is None
        else d.Indeterminate(
            low=zone.low,
            high=zone.high,
            chosen_on=(
                "the other folds (the smallest with a sensitivity and a specificity of "
                f"{zone.target:g} outside it, the highest of .9, .8 and .7 in reach on all; out "
                f"of reach in {zone.folds_without} of {zone.folds} folds, whose children all get "
                "a call)"
            ),
            share=in_document(zone.measures.indeterminate),
            metrics=metrics(
                {
                    "sensitivity": zone.measures.sensitivity,
                    "specificity": zone.measures.specificity,
                    "ppv": zone.measures.ppv,
                    "npv": zone.measures.npv,
                }
            ),
            participants=zone.measures.n - zone.measures.called,
        ),
        conformal=tuple(
            d.ConformalRow(
                method="Conformal sets, calibrated by diagnosis",
                promised=sets.nominal,
                coverage=in_document(sets.coverage),
                coverage_asd=in_document(sets.coverage_asd),
                coverage_non_asd=in_document(sets.coverage_other),
                one_label=sets.single.value,
                both_labels=sets.both.value,
                no_label=sets.none.value,
            )
            for sets in known.sets
        ),
        venn_abers_width=d.Estimate(
            value=float(widths[0]),
            low=float(widths[1]),
            high=float(widths[2]),
            method="median and quartiles over participants",
        ),
    )


def fairness(found: Evaluation, *, leaves: bool) -> d.Fairness:
    """Figures by subgroup; small cells hidden where the report leaves its place."""
    return d.Fairness(
        status="local",
        note="All folds are ranked together. Subgroups are small: an interval that holds "
        "everything says nothing about fairness.",
        subgroups=tuple(
            row for table in found.subgroups for row in _subgroup_rows(table, leaves=leaves)
        ),
        differences=tuple(row for table in found.subgroups for row in _apart(table, leaves=leaves)),
    )


def _subgroup_rows(table: SubgroupTable, *, leaves: bool) -> list[d.Subgroup]:
    shown = table.as_json(suppress=leaves)["groups"]
    assert isinstance(shown, list)
    return [
        d.Subgroup(
            attribute=table.variable,
            level=group["name"],
            participants=_count(group["participants"]),
            asd=_count(group["asd"]),
            non_asd=_count(group["non_asd"]),
            metrics={
                name: _estimate_from(figure)
                for name, figure in group["figures"].items()
                if figure is not None
            },
        )
        for group in shown
    ]


def _apart(table: SubgroupTable, *, leaves: bool) -> list[d.SubgroupDifference]:
    shown = table.as_json(suppress=leaves)["groups"]
    assert isinstance(shown, list)
    return [
        d.SubgroupDifference(
            attribute=table.variable,
            metric=metric,
            between=f"{group['name']} minus all others",
            difference=_estimate_from(apart),
        )
        for group in shown
        for metric, apart in group["against_others"].items()
        if apart is not None and apart["low"] is not None and apart["high"] is not None
    ]


def _count(shown: int | None) -> d.Count:
    return d.HIDDEN if shown is None else shown


def _estimate_from(shown: Mapping[str, float | str | None]) -> d.Estimate:
    known = shown["low"] is not None and shown["high"] is not None
    return d.Estimate.model_validate({**shown, **({} if known else {"low": None, "high": None})})
