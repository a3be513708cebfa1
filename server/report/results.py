"""Sections that rest on the released counts: performance, ROC curve, calibration."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from server.report import withheld
from shared.errors import InputError
from shared.evaluation.estimate import Estimate
from shared.evaluation.noised_counts import BinGroup, NoisedCounts, rounded
from shared.model_file import ModelFile
from shared.privacy.evaluation_counts import bin_edges, counts_by_label
from shared.privacy.expected_calibration import Calibration, expected_calibration
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan
from shared.report import document as d

__all__ = ["Results", "evaluated_on", "results"]

_DIGITS = 4
_WITH_COUNTS = ("sensitivity", "specificity", "balanced_accuracy", "accuracy", "f1", "ppv", "npv")
_WITHOUT_COUNTS = ("sensitivity", "specificity", "balanced_accuracy")
"""The others give the mix of labels away, and with the declared enrolment the counts."""


class Results(NamedTuple):
    """Three sections of the report."""

    performance: d.Performance
    roc: d.Roc
    calibration: d.Calibration


def evaluated_on(plan: Plan) -> str:
    """Whose calls the counts are of, and what that means."""
    if plan.rounds == 1:
        return (
            "Leave-one-out: each participant is scored without their own part in the direction. "
            "The threshold still rests on all participants."
        )
    return (
        "Apparent: the participants the model was trained on. Noise and few rounds limit how far "
        "it can have learned them by heart, yet other children must be expected to fare worse."
    )


def results(file: ModelFile, plan: Plan, counts: tuple[float, ...]) -> Results:
    """Sections from the released counts.

    Parameters
    ----------
    file : ModelFile
        With a private model.
    plan : Plan
    counts : tuple of float
        The model's evaluation counts.
    """
    assert plan.sigma_evaluation is not None
    study = file.study
    noise_sd = math.sqrt(study.share(plan.sigma_evaluation) * len(study.clinics)) / GRID
    counted = NoisedCounts(counts_by_label(counts), noise_sd)
    groups = counted.shown()
    return Results(
        _performance(counted, plan, groups),
        _roc(counted, plan, groups),
        _calibration(file, counted, plan, groups),
    )


def _performance(
    counted: NoisedCounts, plan: Plan, groups: tuple[BinGroup, ...] | None
) -> d.Performance:
    confusion = counted.confusion
    figures = confusion.figures()
    hide = groups is None
    names = _WITHOUT_COUNTS if hide else _WITH_COUNTS
    noise = (
        f"The clinics released noised counts only. The noise in each of the {2 * counted.bins} "
        f"counts has a standard deviation of {counted.noise_sd:.1f} participants; every interval "
        "holds it beside the sampling error."
    )
    if hide:
        shown = d.Confusion(tp=d.HIDDEN, fn=d.HIDDEN, fp=d.HIDDEN, tn=d.HIDDEN)
        participants: d.Count = d.HIDDEN
        noise += (
            f" At least one of the four counts is below {d.SMALL_CELL}: none of them shows, nor "
            "any figure that would give them away, and rates are rounded outwards to one digit."
        )
    else:
        shown = d.Confusion(
            tp=round(confusion.tp, 1),
            fn=round(confusion.fn, 1),
            fp=round(confusion.fp, 1),
            tn=round(confusion.tn, 1),
        )
        participants = round(confusion.asd + confusion.non_asd, 1)
    return d.Performance(
        status="released",
        note=noise,
        evaluated_on=evaluated_on(plan),
        participants=participants,
        confusion=shown,
        metrics={name: _told(figures[name], hide) for name in names},
        predictive_values=tuple(
            d.PredictiveValues(
                prevalence=values.prevalence,
                ppv=_told(values.ppv, hide),
                npv=_told(values.npv, hide),
            )
            for values in confusion.predictive_values()
        ),
    )


def _roc(counted: NoisedCounts, plan: Plan, groups: tuple[BinGroup, ...] | None) -> d.Roc:
    if counted.bins < 4:
        return withheld.roc(plan)
    area = _told(counted.auc, groups is None)
    note = f"From {counted.bins} score bins: straight lines between few points lie below the curve."
    if groups is None:
        small = f" No curve shows, because counts below {d.SMALL_CELL} could be read off it."
        return d.Roc(status="released", note=note + small, auc=area)
    # From everybody called ASD to nobody, at the edges of what shows.
    edges = [group.first for group in groups[1:]]
    points = [(*counted.rates_above(edge), edge) for edge in edges]
    points.sort(key=lambda point: point[1].value)
    found = [point[0] for point in points]
    at_threshold = next(point for point in points if point[2] == counted.bins // 2)
    return d.Roc(
        status="released",
        note=note + " The band holds the noise.",
        auc=area,
        false_positive_rate=_curve([0.0, *(point[1].value for point in points), 1.0]),
        sensitivity=_curve([0.0, *(rate.value for rate in found), 1.0]),
        low=_curve([0.0, *(rate.low for rate in found), 1.0]),
        high=_curve([0.0, *(rate.high for rate in found), 1.0]),
        threshold_false_positive_rate=round(at_threshold[1].value, _DIGITS),
        threshold_sensitivity=round(at_threshold[0].value, _DIGITS),
    )


def _calibration(
    file: ModelFile, counted: NoisedCounts, plan: Plan, groups: tuple[BinGroup, ...] | None
) -> d.Calibration:
    if counted.bins < 4:
        return withheld.calibration(plan)
    if groups is None:
        return d.Calibration(
            status="not_released",
            note=f"Counts below {d.SMALL_CELL} would show, or follow from shares by score bin.",
        )
    try:
        expected = expected_calibration(file.study, file.feature_map)
    except InputError as error:
        return d.Calibration(
            status="not_released", note=f"There is no probability to compare with: {error}."
        )
    predicted = _predicted(groups, counted.bins, file.feature_map.dimension, expected)
    merged = (
        ""
        if len(groups) == counted.bins
        else (
            f" Of {counted.bins} score bins, neighbours were merged until no count was below "
            f"{d.SMALL_CELL}."
        )
    )
    return d.Calibration(
        status="released",
        note=(
            "Predicted probabilities come from the expected calibration of such a study "
            f"({expected.measured_on}), averaged over each bin as if scores were spread normally."
            f"{merged} Intervals hold the noise."
        ),
        in_the_large=_told(counted.in_the_large(groups, predicted), False),
        groups=tuple(
            d.CalibrationGroup(
                predicted=round(float(chance), _DIGITS),
                observed=_told(group.share, False),
                participants=round(group.participants, 1),
            )
            for group, chance in zip(groups, predicted, strict=True)
        ),
    )


def _predicted(
    groups: tuple[BinGroup, ...], bins: int, dimension: int, expected: Calibration
) -> NDArray[np.float64]:
    """Mean probability in each group of bins, for scaled scores of a standard normal spread."""
    edges = np.sqrt(dimension) * bin_edges(bins, dimension)
    z = np.linspace(-4, 4, 8001)
    weight = np.exp(-np.square(z) / 2)
    chance = expit(expected.intercept + expected.slope * z)
    column = np.searchsorted(edges, z, side="left")
    found = []
    for group in groups:
        inside = (column >= group.first) & (column <= group.last)
        found.append(float(np.average(chance[inside], weights=weight[inside])))
    return np.array(found)


def _told(estimate: Estimate, hide: bool) -> d.Estimate:
    return d.Estimate.model_validate(
        (rounded(estimate) if hide else rounded(estimate, _DIGITS)).as_json()
    )


def _curve(values: list[float]) -> tuple[float | None, ...]:
    return tuple(round(value, _DIGITS) for value in values)
