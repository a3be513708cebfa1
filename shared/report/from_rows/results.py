"""Sections of results, from what ``shared.evaluation`` measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS
from shared.evaluation import estimate as measured
from shared.evaluation.combinations import CombinationRow
from shared.evaluation.effect_sizes import Effects
from shared.evaluation.evaluate import Evaluation
from shared.evaluation.performance import Performance
from shared.evaluation.subgroups import SubgroupTable
from shared.features.statistics import STATISTICS
from shared.report import document as d

__all__ = [
    "calibration",
    "coefficients",
    "combinations",
    "decision_curve",
    "fairness",
    "group_differences",
    "in_document",
    "metrics",
    "performance",
    "protocols",
    "roc",
    "uncertainty",
]

_LARGEST_SHOWN: Final = 15
"""Rows of the tables of features."""

_COMPARED_BY: Final = "auc"
_ASD, _OTHER = "ASD", "non-ASD"


def in_document(figure: measured.Estimate) -> d.Estimate:
    """An estimate as the document has it: without limits where one of them is not finite."""
    known = math.isfinite(figure.low) and math.isfinite(figure.high)
    return d.Estimate(
        value=figure.value,
        low=figure.low if known else None,
        high=figure.high if known else None,
        method=figure.method,
    )


def metrics(figures: Mapping[str, measured.Estimate]) -> d.Metrics:
    """Estimates by name as the document has them."""
    return {name: in_document(figure) for name, figure in figures.items()}


def performance(found: Performance, *, evaluated_on: str) -> d.Performance:
    """Counts and figures at the threshold."""
    counts = found.confusion
    return d.Performance(
        status="local",
        evaluated_on=evaluated_on,
        participants=found.participants,
        confusion=d.Confusion(
            tp=int(counts.tp), fn=int(counts.fn), fp=int(counts.fp), tn=int(counts.tn)
        ),
        metrics=metrics(found.figures()),
        predictive_values=tuple(
            d.PredictiveValues(
                prevalence=at.prevalence, ppv=in_document(at.ppv), npv=in_document(at.npv)
            )
            for at in counts.predictive_values()
        ),
    )


def roc(found: Performance, *, note: str) -> d.Roc:
    """Ranking, with its band."""
    return d.Roc(
        status="local",
        note=note,
        auc=in_document(found.auc),
        false_positive_rate=found.roc.false_positive_rate.tolist(),
        sensitivity=found.roc.sensitivity.tolist(),
        low=found.roc.low.tolist(),
        high=found.roc.high.tolist(),
        threshold_false_positive_rate=1 - found.confusion.specificity.value,
        threshold_sensitivity=found.confusion.sensitivity.value,
    )


def calibration(found: Performance) -> d.Calibration:
    """Predicted against observed."""
    if found.calibration is None:
        return d.Calibration(status="not_released", note="The classifier gives no probabilities.")
    return d.Calibration(
        status="local",
        note="The slope and the curve are exploratory: they need thousands of participants.",
        brier=in_document(found.calibration.brier),
        in_the_large=in_document(found.calibration.in_the_large),
        slope=in_document(found.calibration.slope),
        groups=tuple(
            d.CalibrationGroup(
                predicted=group.predicted,
                observed=in_document(group.observed),
                participants=group.participants,
            )
            for group in found.calibration.curve
        ),
    )


def decision_curve(found: Performance) -> d.DecisionCurve:
    """Net benefit at the study's own share of ASD."""
    curve = found.decision_curve
    if curve is None:
        return d.DecisionCurve(status="not_released", note="The classifier gives no probabilities.")
    return d.DecisionCurve(
        status="local",
        note="Exploratory, and only for the share of ASD in this study, which is far above that of "
        "the population.",
        prevalence=found.asd / found.participants,
        threshold=curve.threshold.tolist(),
        model=curve.model.tolist(),
        low=curve.low.tolist(),
        high=curve.high.tolist(),
        treat_all=curve.treat_all.tolist(),
    )


def protocols(found: Evaluation, *, further: tuple[d.ProtocolRow, ...] = ()) -> d.Protocols:
    """The same rows under several protocols.

    Parameters
    ----------
    found : Evaluation
    further : tuple of ProtocolRow
        Such as that of a private training.
    """
    repeats, folds = len(found.fold), len(np.unique(found.fold[0]))
    partitions = f"mean of {repeats} partitions into {folds} folds" if repeats > 1 else "once"
    rows = [
        d.ProtocolRow(
            protocol="Apparent",
            metrics=_two(found.apparent),
            note="Fitted and judged on the same participants: what over-fitting looks like.",
        ),
        d.ProtocolRow(
            protocol="Cross-validation, all attributes",
            metrics=metrics(found.cross_validated),
            note=f"The index test, nothing chosen; {partitions}.",
        ),
    ]
    if found.nested is not None:
        chosen = max(found.nested.choices().items(), key=lambda item: item[1])
        rows.append(
            d.ProtocolRow(
                protocol="Nested cross-validation",
                metrics={
                    "auc": in_document(found.nested.estimate("auc")),
                    "balanced_accuracy": in_document(found.nested.estimate("balanced_accuracy")),
                },
                note=(
                    "Attribute groups and penalty chosen without the tested participants; "
                    f"{partitions}. Most often chosen: {chosen[0]}."
                ),
            )
        )
    clinics = found.clinics
    if clinics is not None:
        rows.append(
            d.ProtocolRow(
                protocol="Leave one clinic out",
                metrics={"auc": in_document(clinics.auc)},
                note="Trained on the other clinics, choices included.",
            )
        )
    chance = found.chance
    return d.Protocols(
        status="local",
        note=_reasons(found, "nested cross-validation", "leave one clinic out"),
        rows=(*rows, *further),
        optimism={one.metric: d.Estimate(value=one.optimism) for one in found.optimism},
        left_out_clinics=()
        if clinics is None
        else tuple(
            d.ClinicScores(
                clinic=one.clinic,
                participants=one.n_asd + one.n_non_asd,
                metrics=metrics(
                    {
                        "sensitivity": one.sensitivity,
                        "specificity": one.specificity,
                        "auc": one.auc,
                    }
                ),
            )
            for one in clinics.clinics
        ),
        chance=(
            d.ChanceTest(
                metric="auc",
                observed=chance.observed,
                null_median=float(np.median(chance.null)),
                null_95=float(np.quantile(chance.null, 0.95)),
                p_value=chance.p,
                permutations=chance.permutations,
                note="Participants' features permuted within clinics; first partition.",
            ),
        ),
    )


def combinations(found: Evaluation) -> d.Combinations:
    """All fifteen beside action units alone, and each group's share."""
    compared = found.combinations
    if compared is None:
        return d.Combinations(
            status="not_released", note=_reasons(found, "nested cross-validation")
        )
    names = [row.combination for row in compared.rows if row.metric == _COMPARED_BY]
    rows = [compared.row(name, "auc") for name in names]
    both = [compared.row(name, "balanced_accuracy") for name in names]
    return d.Combinations(
        status="local",
        note="Same folds for all; the penalty is chosen by inner folds.",
        reference=compared.reference,
        metric=_COMPARED_BY,
        correction="max-T over the fourteen comparisons, variance corrected for overlapping folds",
        rows=tuple(
            d.CombinationRow(
                combination=auc.combination,
                metrics={
                    "auc": in_document(auc.figure),
                    "balanced_accuracy": in_document(balanced.figure),
                },
                difference=None if auc.difference is None else in_document(auc.difference),
                p_value=auc.p_adjusted,
            )
            for auc, balanced in zip(rows, both, strict=True)
        ),
        shapley=tuple(
            d.ShapleyShare(
                group=group,
                metrics={
                    metric: in_document(shares[group])
                    for metric, shares in compared.shapley.items()
                },
            )
            for group in (ATTRIBUTE_GROUPS if compared.shapley else ())
        ),
        finding=_combinations_in_words(rows),
    )


def _combinations_in_words(rows: Sequence[CombinationRow]) -> str:
    differing = [
        f"{row.combination} ({row.difference.value:+.2f})"
        for row in rows
        if row.difference is not None and row.p_adjusted is not None and row.p_adjusted < 0.05
    ]
    if not differing:
        return (
            "No combination differs from action units alone beyond what these participants' "
            "uncertainty allows, after correction for fourteen comparisons."
        )
    return (
        "Different from action units alone after correction (AUC difference): "
        f"{', '.join(differing)}."
    )


def group_differences(found: Evaluation) -> d.GroupDifferences:
    """Which features differ between the diagnoses."""
    differences = found.differences
    shape = (len(CHANNELS), len(STATISTICS))

    def matrix(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(row) for row in values.reshape(shape).T.tolist())

    g, delta = differences.hedges_g, differences.cliffs_delta
    features = differences.features
    order = np.argsort(-np.abs(np.nan_to_num(features.statistic)), kind="stable")[:_LARGEST_SHOWN]

    significant = int((features.p_family < 0.05).sum())
    groups = differences.groups
    return d.GroupDifferences(
        status="local",
        note=""
        if differences.stratified
        else "No clinic has both diagnoses, so differences between clinics are not taken out.",
        channels=CHANNELS,
        features=tuple(statistic.name for statistic in STATISTICS),
        hedges_g=matrix(g.value),
        p_max_t=matrix(features.p_family),
        q_bh=matrix(features.q),
        largest=tuple(
            d.FeatureDifference(
                channel=CHANNELS[at // len(STATISTICS)],
                feature=STATISTICS[at % len(STATISTICS)].name,
                hedges_g=_effect(g, int(at)),
                cliffs_delta=_effect(delta, int(at)),
                p_max_t=float(features.p_family[at]),
                q_bh=float(features.q[at]),
            )
            for at in order
        ),
        attribute_groups=tuple(
            _attribute_group(found, number) for number in range(len(groups.names))
        ),
        permutations=differences.draws,
        finding=(
            f"{significant} of {len(features.names)} features differ with the family-wise error "
            f"kept at 5 % (max-T); {int((features.q < 0.05).sum())} with the share of false "
            "findings kept at 5 % (Benjamini-Hochberg)."
        ),
    )


def _effect(effects: Effects, at: int) -> d.Estimate:
    return in_document(
        measured.Estimate(
            float(effects.value[at]),
            float(effects.low[at]),
            float(effects.high[at]),
            effects.method,
        )
    )


def _attribute_group(found: Evaluation, number: int) -> d.AttributeGroupDifference:
    from shared.evaluation.group_differences import attribute_group_columns

    groups, g = found.differences.groups, found.differences.hedges_g
    name = groups.names[number]
    columns = attribute_group_columns()[name]
    largest = int(columns[np.nanargmax(np.abs(g.value[columns]))])
    return d.AttributeGroupDifference.model_validate(
        {
            "group": name,
            "features": len(columns),
            "largest_g": _effect(g, largest),
            "p_max_t": float(groups.p_family[number]),
            "q_bh": float(groups.q[number]),
        }
    )


def coefficients(found: Evaluation) -> d.Coefficients:
    """Largest weights of the index test, and whether their sign can be relied on."""
    stability = found.stability
    order = np.argsort(-np.abs(stability.coefficient), kind="stable")[:_LARGEST_SHOWN]
    stable, count = int(np.nansum(stability.stable)), len(stability.names)
    return d.Coefficients(
        status="local",
        note=(
            f"{stable} of {count} weights keep their sign in 95 % of {stability.draws} resamples; "
            f"with diagnoses dealt at random {stability.by_chance * count:.0f} would, so that "
            "alone says little. A weight says how the model uses a feature beside all others, not "
            "what the feature says alone. Ranges are those of the resamples, no confidence "
            "intervals: a resample holds fewer different children, so its weights are smaller."
        ),
        scale="log-odds of ASD per standard deviation",
        rows=tuple(
            d.Coefficient(
                channel=CHANNELS[at // len(STATISTICS)],
                feature=STATISTICS[at % len(STATISTICS)].name,
                estimate=in_document(
                    measured.Estimate(
                        float(stability.coefficient[at]),
                        float(stability.low[at]),
                        float(stability.high[at]),
                        "middle 95 % of resamples",
                    )
                ),
                sign_stability=float(stability.same_sign[at]),
            )
            for at in order
        ),
        total=len(stability.names),
    )


def uncertainty(found: Evaluation) -> d.Uncertainty:
    """Zone without a call, prediction sets, probability intervals."""
    known = found.uncertainty
    if known is None:
        return d.Uncertainty(status="not_released", note=_reasons(found, "uncertainty"))
    zone = known.zone
    widths = np.quantile(known.venn_abers_width, (0.5, 0.25, 0.75))
    return d.Uncertainty(
        status="local",
        note=""
        if zone
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
            participants=zone.measures.n,
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
        note="Subgroups are small: an interval that holds everything says nothing about fairness.",
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


def _two(found: Performance) -> d.Metrics:
    figures = found.figures()
    return metrics({name: figures[name] for name in ("auc", "balanced_accuracy")})


def _reasons(found: Evaluation, *steps: str) -> str:
    return " ".join(
        f"{step.capitalize()} is left out: {found.left_out[step]}."
        for step in steps
        if step in found.left_out
    )
