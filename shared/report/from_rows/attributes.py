"""Sections on which attributes carry it: combinations, group differences, weights."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS
from shared.evaluation import estimate as measured
from shared.evaluation.combinations import CombinationRow
from shared.evaluation.effect_sizes import Effects
from shared.evaluation.evaluate import Evaluation
from shared.features.statistics import STATISTICS
from shared.report import document as d
from shared.report.from_rows.convert import in_document, reasons

__all__ = ["coefficients", "combinations", "group_differences"]

_LARGEST_SHOWN: Final = 15
"""Rows of the tables of features."""

_COMPARED_BY: Final = "auc"


def combinations(found: Evaluation) -> d.Combinations:
    """All fifteen beside action units alone, and each group's share."""
    compared = found.combinations
    if compared is None:
        return d.Combinations(status="not_released", note=reasons(found, "nested cross-validation"))
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
    largest = int(columns[np.nan_to_num(np.abs(g.value[columns]), nan=-1.0).argmax()])
    return d.AttributeGroupDifference.model_validate(
        {
            "group": name,
            "features": len(columns),
            "largest_g": _effect(g, largest),
            "p_max_t": float(groups.p_family[number]),
            "q_bh": float(groups.q[number]),
        }
    )
