"""Sections on how good the classifier is, from what ``shared.evaluation`` measured."""

import numpy as np

from shared.evaluation.evaluate import Evaluation
from shared.evaluation.performance import Performance
from shared.report import document as d
from shared.report.from_rows.convert import in_document, metrics, reasons

__all__ = ["calibration", "decision_curve", "performance", "protocols", "roc"]


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
        rows.append(
            d.ProtocolRow(
                protocol="Apparent, choices included",
                metrics={one.metric: d.Estimate(value=one.apparent) for one in found.optimism},
                note="The recipe of the nested cross-validation, judged on its training rows.",
            )
        )
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
    if found.performance.by_clinic:
        rows.append(
            d.ProtocolRow(
                protocol="Cross-validation, clinics resampled",
                metrics=metrics(found.performance.by_clinic),
                note="First partition; the interval lets whole clinics vary, as a study at other "
                "clinics would.",
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
        note=reasons(found, "nested cross-validation", "leave one clinic out"),
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
                note="Participants' features permuted "
                + (
                    "within clinics"
                    if found.differences.stratified
                    else "over all clinics, because none has both diagnoses: a difference between "
                    "clinics looks like one between diagnoses"
                )
                + "; first partition.",
            ),
        ),
    )


def _two(found: Performance) -> d.Metrics:
    figures = found.figures()
    return metrics({name: figures[name] for name in ("auc", "balanced_accuracy")})
