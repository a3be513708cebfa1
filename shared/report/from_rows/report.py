"""Put a report of participants' rows together."""

from dataclasses import dataclass
from datetime import datetime

from shared.evaluation.evaluate import Evaluation
from shared.report import document as d
from shared.report.checklist import fill_checklists
from shared.report.from_rows import accuracy, attributes, described, trust

__all__ = ["About", "report_of_rows"]


@dataclass(frozen=True)
class About:
    """What an evaluation cannot know of itself.

    Attributes
    ----------
    kind : Kind
    leaves_clinic : bool
        Whether the document is made to be handed on; small cells are then hidden.
    title, subtitle : str
    created : datetime
        With its time zone.
    source, reference_standard : str
        Where rows and labels come from, a sentence each.
    weights : str
        The affect network's weights.
    index_test : tuple of Fact
    software : Software
    further_protocols : tuple of ProtocolRow
    example, baselines, privacy, federation : Section
    limits : tuple of str
        Beside those of every such report.
    """

    kind: d.Kind
    leaves_clinic: bool
    title: str
    subtitle: str
    created: datetime
    source: str
    reference_standard: str
    weights: str
    software: d.Software
    example: d.Example
    baselines: d.Baselines
    privacy: d.Privacy
    federation: d.Federation
    index_test: tuple[d.Fact, ...] = ()
    further_protocols: tuple[d.ProtocolRow, ...] = ()
    limits: tuple[str, ...] = ()


def report_of_rows(found: Evaluation, about: About) -> d.Report:
    """Make the document.

    Parameters
    ----------
    found : Evaluation
    about : About

    Returns
    -------
    Report
    """
    settings, people = found.settings, found.people
    folds = found.performance.folds
    return d.Report(
        kind=about.kind,
        leaves_clinic=about.leaves_clinic,
        title=about.title,
        subtitle=about.subtitle,
        created=about.created,
        intended_use=described.intended_use(surrogate=about.kind == "surrogate"),
        participant_flow=described.participant_flow(people),
        data=described.data(
            people, source=about.source, reference_standard=about.reference_standard
        ),
        index_test=described.index_test(weights=about.weights, facts=about.index_test),
        methods=_methods(found),
        sample_size=described.sample_size(people),
        performance=accuracy.performance(
            found.performance,
            evaluated_on=(
                f"{folds}-fold cross-validation by participant, stratified by diagnosis; every "
                f"participant is called once (seed {settings.seed}). The interval of a count holds "
                "the variation of participants, not that of training sets."
            ),
        ),
        roc=accuracy.roc(
            found.together,
            note="All folds' probabilities are ranked together here, so that the threshold lies "
            "on the curve. The AUC above is taken within folds, since each fold has a model of its "
            "own.",
        ),
        calibration=accuracy.calibration(found.performance),
        decision_curve=accuracy.decision_curve(found.performance),
        protocols=accuracy.protocols(found, further=about.further_protocols),
        combinations=attributes.combinations(found),
        group_differences=attributes.group_differences(found),
        coefficients=attributes.coefficients(found),
        example=about.example,
        uncertainty=trust.uncertainty(found),
        fairness=trust.fairness(found, leaves=about.leaves_clinic),
        missingness=described.missingness(people),
        baselines=about.baselines,
        privacy=about.privacy,
        federation=about.federation,
        software=about.software,
        limits=d.Limits(status="released", items=(*about.limits, *described.LIMITS)),
        checklists=fill_checklists(),
    )


def _methods(found: Evaluation) -> d.Methods:
    settings = found.settings
    return d.Methods(
        status="released",
        paragraphs=(
            "Question: do facial affect attributes over time tell children with ASD from others, "
            "which attribute groups carry it, and how sure can one be with this many children? "
            "Development and internal evaluation; no external evaluation.",
            "The index test is fixed in advance and evaluated by cross-validation over "
            "participants. Whatever needs a choice (attribute groups, penalty) is evaluated by "
            "nested cross-validation, the choice made anew without each test fold. Clinics are "
            "left out one at a time to see performance at a place the model does not know.",
            "Intervals are 95 %. Proportions: Wilson; predictive values: logit (Mercaldo 2007); "
            "sums and ratios of two: MOVER; AUC: DeLong on the logit scale; figures over repeated "
            "partitions: corrected resampled t (Nadeau and Bengio 2003). Differences between "
            "combinations and between diagnoses are corrected for their number by the largest "
            "statistic (max-T).",
        ),
        settings=(
            d.Fact(name="Seed", value=str(settings.seed)),
            d.Fact(
                name="Folds and partitions", value=f"{found.performance.folds} x {settings.repeats}"
            ),
            d.Fact(name="Permutations", value=f"{settings.permutations:,}"),
            d.Fact(name="Bootstrap refits", value=f"{settings.bootstrap:,}"),
        ),
    )
