"""Sections that follow from the study, its plan and its model: facts, not findings."""

import math

import numpy as np

from server.report.exchanges import Exchange
from shared.channels import CHANNELS, combination_name
from shared.evaluation.estimate import Z
from shared.features import CLASS_NAMES
from shared.features.layout import FEATURES_VERSION
from shared.model import PrivateModel
from shared.model_file import ModelFile, model_inputs
from shared.privacy.attribution import composite_weights
from shared.privacy.evaluation_precision import expected_precision
from shared.privacy.expected_loss import expected_loss
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan
from shared.report import document as d
from shared.report.privacy_statement import privacy_statement

__all__ = [
    "coefficients",
    "data",
    "federation",
    "index_test",
    "intended_use",
    "limits",
    "methods",
    "missingness",
    "privacy",
    "sample_size",
    "software",
]

_PURPOSE = {
    "gradient": "noised sum of gradients",
    "threshold": "noised sum for the threshold",
    "evaluation": "noised counts by label and score",
}
_TYPICAL_RATE = 0.75
_DIGITS = 4


def intended_use() -> d.IntendedUse:
    """What the result may serve for."""
    return d.IntendedUse(
        status="released",
        intended_use=(
            "Research into whether facial affect attributes, read from a child's iPad video and "
            "summarised over time, tell children with ASD from others, when no clinic shows its "
            "participants to anybody."
        ),
        out_of_scope=(
            "Diagnosis, screening or triage of any child.",
            "Children, recordings or clinics unlike those of the study.",
        ),
    )


def data(file: ModelFile, plan: Plan) -> d.Data:
    """Where participants come from, as far as the coordinator may know."""
    study = file.study
    together = "leave-one-out scores of the same participants" if plan.rounds == 1 else "none"
    return d.Data(
        status="released",
        note=(
            "Nobody but a child's own clinic knows how many children took part: the declared "
            "enrolment is a public constant that all clinics agreed on, and no count of the data."
        ),
        source=f"Participants of {len(study.clinics)} clinics in the study {file.title!r}.",
        setting=(
            "Children watch a video on an iPad whose camera records them; attributes are read from "
            "the recording at the clinic, and no recording leaves it."
        ),
        reference_standard=(
            "The label in each clinic's own table of participants; the study does not record who "
            "made the diagnosis, how and when."
        ),
        split=f"Evaluation data apart from the training data: {together}.",
        facts=(d.Fact(name="Declared enrolment", value=str(study.participants)),),
    )


def index_test(file: ModelFile, model: PrivateModel) -> d.IndexTest:
    """From a recording to a call."""
    study = file.study
    return d.IndexTest(
        status="released",
        model=(
            "Linear score: the features, mapped to a vector of length one with public constants "
            f"({len(model.direction)} numbers a child), times a direction trained under "
            "differential privacy."
        ),
        attribute_groups=file.feature_map.groups,
        features=int(model_inputs(study.attribute_groups).sum()),
        feature_version=str(FEATURES_VERSION),
        threshold=model.threshold,
        threshold_rule=(
            "ASD where the score exceeds the released threshold, which estimates where the "
            "probability passes one half. It was fixed before any call was counted."
        ),
        facts=(
            d.Fact(name="Combination", value=combination_name(file.feature_map.groups)),
            d.Fact(name="Public constants", value=file.constants.source),
        ),
    )


def methods(file: ModelFile, plan: Plan) -> d.Methods:
    """How the model and its evaluation were made."""
    study = file.study
    paragraphs = [
        "Each exchange opens one sum over all clinics. Every clinic adds a share of the noise and "
        "masks what it sends, so that nobody sees a clinic's own part.",
        f"Training: gradient descent on the logistic loss, {plan.rounds} noised sum"
        f"{'' if plan.rounds == 1 else 's'} of clipped gradients"
        + (", then one for the threshold." if plan.sigma_threshold is not None else "."),
    ]
    if plan.evaluation_bins:
        paragraphs.append(
            f"Evaluation: every participant counts in one of {2 * plan.evaluation_bins} cells, by "
            "label and score bin. The edges of the bins were public beforehand, the threshold is "
            "one of them. Intervals of rates are Wilson's with the noise's variance added; sums "
            "and differences of rates recover their variance from the limits (MOVER); predictive "
            "values are on the logit scale (Mercaldo 2007)."
        )
    return d.Methods(
        status="released",
        paragraphs=tuple(paragraphs),
        settings=(
            d.Fact(name="Mode", value=study.mode),
            d.Fact(name="Step", value=f"{plan.step:.4g}"),
            d.Fact(name="Noise of a gradient sum", value=f"{plan.sigma_gradient:.3f}"),
            d.Fact(name="Score bins", value=str(plan.evaluation_bins)),
        ),
    )


def sample_size(file: ModelFile, plan: Plan) -> d.SampleSize:
    """Precision so many participants can give, with noise, whatever comes out."""
    loss = expected_loss(plan.training_epsilon(), plan.participants)
    rationale = (
        f"{plan.participants} participants were declared; the plan follows from that number."
    )
    if loss is not None:
        rationale += (
            f" Privacy was expected to cost about {max(loss.f1, 0.0):.2f} of F1 and "
            f"{max(loss.auc, 0.0):.2f} of AUC, measured on {loss.measured_on}."
        )
    attainable: tuple[d.Precision, ...] = ()
    if plan.sigma_evaluation is not None:
        variance = file.study.share(plan.sigma_evaluation) * len(file.study.clinics)
        expected = expected_precision(
            plan.evaluation_bins, plan.participants, math.sqrt(variance) / GRID
        )
        half = plan.participants / 2
        rationale += " The table takes half of them to have ASD."
        attainable = tuple(
            d.Precision(
                metric=metric,
                participants=half if half >= d.SMALL_CELL else d.SMALL,
                expected=d.Estimate(
                    value=_TYPICAL_RATE,
                    low=round(max(_TYPICAL_RATE - expected.rate, 0.0), _DIGITS),
                    high=round(min(_TYPICAL_RATE + expected.rate, 1.0), _DIGITS),
                    method=f"normal, {Z:.2f} standard errors, noise included",
                ),
            )
            for metric in ("sensitivity", "specificity")
        )
    return d.SampleSize(status="released", rationale=rationale, attainable=attainable)


def coefficients(file: ModelFile, model: PrivateModel) -> d.Coefficients:
    """Weight of every channel and class in the released direction, largest first."""
    weights = composite_weights(file.feature_map, np.array(model.direction))
    order = [
        (int(channel), int(kind))
        for channel, kind in zip(
            *np.unravel_index(np.argsort(-np.abs(weights), axis=None), weights.shape), strict=True
        )
        if np.isfinite(weights[channel, kind])
    ]
    return d.Coefficients(
        status="released",
        note=(
            "The direction is released with its noise, so small weights may be noise alone; "
            "intervals would need the rows. A weight says how this model uses a channel beside all "
            "others; it is no cause."
        ),
        scale="score, before division by length, per public standard deviation of the composite",
        rows=tuple(
            d.Coefficient(
                channel=CHANNELS[channel],
                feature=CLASS_NAMES[kind],
                estimate=d.Estimate(
                    value=round(float(weights[channel, kind]), _DIGITS), method="released direction"
                ),
            )
            for channel, kind in order
        ),
        total=len(order),
    )


def missingness() -> d.Missingness:
    """The rule; how often it was used is each clinic's own."""
    return d.Missingness(
        status="released",
        note="How many rows were left out is known to each clinic alone.",
        rule=(
            "A participant with a feature that cannot be computed enters no sum. A frame without a "
            "face is left out of every feature."
        ),
    )


def privacy(file: ModelFile, plan: Plan) -> d.Privacy:
    """The claim in the terms of NIST SP 800-226."""
    study = file.study
    return privacy_statement(
        plan,
        mode=study.mode,
        earlier_mu2=study.parent.spent_mu2 if study.parent else 0.0,
        audit=(
            "The program's own audit (fedaffect-sim audit) looks for one participant in many "
            "simulated trainings of this mechanism; it was not run on these rows."
        ),
        facts=(
            d.Fact(
                name="Figures on this page",
                value=(
                    "All follow from the released sums and from public numbers, and so cost no "
                    "more privacy. Hiding counts below ten is a courtesy beside it, not privacy."
                ),
            ),
        ),
    )


def federation(file: ModelFile, plan: Plan, exchanges: tuple[Exchange, ...]) -> d.Federation:
    """Roster, exchanges and absences."""
    study = file.study
    facts = [
        d.Fact(
            name="Absences",
            value=(
                "An exchange is opened with the whole roster or not at all, so nobody was absent "
                "from what was opened. Attempts that ended for want of a clinic are not kept."
            ),
        )
    ]
    if study.parent is not None:
        facts.append(
            d.Fact(
                name="Continues",
                value=f"study {study.parent.study[:12]}, which ended with a larger roster",
            )
        )
    if exchanges:
        facts.append(
            d.Fact(
                name="Checked",
                value="the kept answers were opened again and give this model, bit for bit",
            )
        )
    else:
        facts.append(
            d.Fact(name="Exchanges", value="the folder of rounds was not beside the study file")
        )
    return d.Federation(
        status="released",
        clinics=study.clinics,
        rounds=tuple(
            d.Round(
                number=exchange.release.round,
                purpose=_PURPOSE[exchange.release.kind],
                answered=exchange.answered,
                asked=plan.clinics,
                mu=round(1 / exchange.release.sigma, 6),
            )
            for exchange in exchanges
        ),
        facts=tuple(facts),
    )


def software(file: ModelFile, plan: Plan, written_by: str) -> d.Software:
    """Hashes and versions."""
    return d.Software(
        status="released",
        command="fedaffect-server report study.toml",
        hashes=(
            d.Fact(name="Study", value=file.study.digest),
            d.Fact(name="Plan", value=plan.digest),
            d.Fact(name="Model file", value=file.sha256),
            d.Fact(name="Feature map", value=file.study.feature_map),
            d.Fact(name="Public constants", value=file.constants.digest),
        ),
        versions=(
            d.Fact(name="Report", value=written_by),
            d.Fact(name="Model", value=file.software),
        ),
        availability="The model file holds all that scoring needs. No rows can be had from here.",
    )


def limits(plan: Plan) -> d.Limits:
    """What a reader must not conclude."""
    items = [
        "A research result. Nothing here is a diagnosis, and no child may be assessed with it.",
        "The clinics' tables were not seen: labels, enrolment and recordings are as they say.",
        "A clinic that sent false numbers would spoil these figures unnoticed.",
    ]
    if plan.evaluation_bins and plan.rounds > 1:
        items.append(
            "The counts are of the children the model was trained on. Performance on others is not "
            "known, and is likely to be lower."
        )
    return d.Limits(status="released", items=tuple(items))
