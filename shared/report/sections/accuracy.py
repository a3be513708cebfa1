"""How well it does: at the threshold, over thresholds, calibrated or not, and by protocol."""

from shared.report.blocks import Block, Cell, Facts, Heading, Row, Table, Text
from shared.report.document import (
    Calibration,
    Confusion,
    DecisionCurve,
    Performance,
    Protocols,
    Roc,
)
from shared.report.figures.accuracy import calibration_plot, decision_curve_plot, roc_plot
from shared.report.sections.common import (
    estimate_cell,
    metric_columns,
    metric_rows,
    people_cell,
    sentences,
)
from shared.report.wording import (
    METRIC_LABELS,
    interval,
    metric_label,
    number,
    p_value,
    people,
    percent,
    value_with_interval,
)

__all__ = ["calibration", "decision_curve", "performance", "protocols", "roc"]

_MEANING = {
    "sensitivity": "Share of children with ASD who are called ASD",
    "specificity": "Share of children without ASD who are not called ASD",
    "balanced_accuracy": "Mean of sensitivity and specificity; .50 is guessing",
    "accuracy": "Share of calls that are right",
    "f1": "Harmonic mean of PPV and sensitivity; depends on prevalence",
    "auc": "Chance that a child with ASD scores higher than one without; .50 is guessing; needs no "
    "threshold",
    "ppv": "Share of those called ASD who have it, at this sample's prevalence",
    "npv": "Share of those not called ASD who do not have it, at this sample's prevalence",
}


def performance(section: Performance) -> list[Block]:
    """Confusion matrix, measures, predictive values."""
    made: list[Block] = [Text(sentences(section.evaluated_on))]
    if section.confusion is not None:
        made.append(_confusion(section.confusion))
    rows = tuple(
        Row(
            metric_label(key),
            (
                Cell(number(section.metrics[key].value)),
                Cell(interval(section.metrics[key])),
                Cell(section.metrics[key].method, words=True),
            ),
        )
        for key in metric_columns([section.metrics])
    )
    columns = ("Measure", "Estimate", "95 % interval", "Interval by")
    made.append(Table("measures", "Measures at the threshold", columns, rows, narrow=True))
    if section.predictive_values:
        rows = tuple(
            Row(percent(v.prevalence), (estimate_cell(v.ppv), estimate_cell(v.npv)))
            for v in section.predictive_values
        )
        made.append(
            Table(
                "predictive-values",
                "Predictive values where this share of tested children has ASD",
                ("Prevalence", "PPV", "NPV"),
                rows,
                narrow=True,
                notes=(
                    "The same sensitivity and specificity at other prevalences. A study sample "
                    "holds far more children with ASD than a general population does.",
                ),
            )
        )
    meanings = [
        (metric_label(key), text) for key, text in _MEANING.items() if key in section.metrics
    ]
    if meanings:
        made += [Heading("What the measures mean"), Facts(tuple(meanings))]
    return made


def _confusion(confusion: Confusion) -> Table:
    return Table(
        "confusion",
        "Calls against the reference standard",
        ("Reference standard", "Called ASD", "Not called ASD"),
        (
            Row("ASD", (people_cell(confusion.tp), people_cell(confusion.fn))),
            Row("Non-ASD", (people_cell(confusion.fp), people_cell(confusion.tn))),
        ),
        narrow=True,
    )


def roc(section: Roc) -> list[Block]:
    """The curve and its area."""
    assert section.auc is not None
    made: list[Block] = [
        Facts((("Area under the curve", _with_method(section.auc)),)),
    ]
    plot = roc_plot(section)
    return [*made, plot] if plot is not None else made


def _with_method(estimate: object) -> str:
    from shared.report.document import Estimate

    assert isinstance(estimate, Estimate)
    text = value_with_interval(estimate)
    return f"{text}; {estimate.method}" if estimate.method else text


def calibration(section: Calibration) -> list[Block]:
    """Brier, calibration in the large, slope, and the groups."""
    facts = []
    if section.brier is not None:
        facts.append(("Brier score", f"{_with_method(section.brier)}. 0 is perfect."))
    if section.in_the_large is not None:
        signed = value_with_interval(section.in_the_large, sign=True)
        method = f"; {section.in_the_large.method}" if section.in_the_large.method else ""
        facts.append(("Calibration in the large", f"{signed}{method}. 0 is perfect."))
    if section.slope is not None:
        text = f"{_with_method(section.slope)}. 1 is perfect."
        facts.append(("Calibration slope, exploratory", text))
    made: list[Block] = [Facts(tuple(facts))] if facts else []
    plot = calibration_plot(section)
    if plot is not None:
        made.append(plot)
    rows = tuple(
        Row(
            number(group.predicted),
            (estimate_cell(group.observed), people_cell(group.participants)),
        )
        for group in section.groups
    )
    columns = ("Mean predicted", "Observed share with ASD", "Participants")
    made.append(Table("calibration-groups", "Groups of the plot", columns, rows, narrow=True))
    return made


def decision_curve(section: DecisionCurve) -> list[Block]:
    """The plot only; its numbers are in the JSON."""
    return [
        Text(
            (
                "Is acting on the model better than referring every child, or none? The threshold "
                "probability is the risk at which a referral is worth its burden.",
            )
        ),
        decision_curve_plot(section),
    ]


def protocols(section: Protocols) -> list[Block]:
    """One line a protocol, the clinics left out, and chance."""
    columns, rows = metric_rows([(row.protocol, row.metrics) for row in section.rows])
    if section.optimism:
        keys = metric_columns(row.metrics for row in section.rows)
        cells = tuple(estimate_cell(section.optimism.get(key), sign=True) for key in keys)
        rows = (*rows, Row("Optimism: apparent minus nested", cells, starts_block=True))
    notes = tuple(f"{row.protocol}: {row.note}" for row in section.rows if row.note)
    made: list[Block] = [
        Text(
            (
                "Apparent scores are taken on the rows the model was fitted to and flatter it. "
                "Nested cross-validation chooses everything inside each training part. Leaving a "
                "whole clinic out shows what happens where nobody was seen in training.",
            )
        ),
        Table("protocols-table", "Scores by protocol", ("Protocol", *columns), rows, notes=notes),
    ]
    if section.left_out_clinics:
        keys = metric_columns(clinic.metrics for clinic in section.left_out_clinics)
        made.append(
            Table(
                "left-out",
                "Each clinic, by a model that was trained on the others",
                ("Clinic", "Participants", *(METRIC_LABELS.get(k, metric_label(k)) for k in keys)),
                tuple(
                    Row(
                        clinic.clinic,
                        (
                            people_cell(clinic.participants),
                            *(estimate_cell(clinic.metrics.get(key)) for key in keys),
                        ),
                    )
                    for clinic in section.left_out_clinics
                ),
            )
        )
    if section.chance:
        made.append(Heading("Better than chance?"))
        made.append(
            Table(
                "chance",
                "Permutation test",
                (
                    "Measure",
                    "Observed",
                    "Chance, median",
                    "Chance, 95th percentile",
                    "p",
                    "Permutations",
                ),
                tuple(
                    Row(
                        metric_label(test.metric),
                        (
                            Cell(number(test.observed)),
                            Cell(number(test.null_median)),
                            Cell(number(test.null_95)),
                            Cell(p_value(test.p_value)),
                            Cell(people(test.permutations)),
                        ),
                    )
                    for test in section.chance
                ),
                narrow=True,
                notes=tuple(test.note for test in section.chance if test.note),
            )
        )
    return made
