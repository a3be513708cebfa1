"""The report of a federated study: every section, released or with the reason why not."""

from datetime import datetime

from server.journal import Journal
from server.report import described, withheld
from server.report.differences import group_differences
from server.report.exchanges import kept_exchanges
from server.report.results import Results, results
from shared.errors import InputError
from shared.model import PrivateModel
from shared.model_file import ModelFile
from shared.report.checklist import fill_checklists
from shared.report.document import Report

__all__ = ["assemble_report"]


def assemble_report(
    file: ModelFile, journal: Journal, *, created: datetime, written_by: str
) -> Report:
    """Make the report of a finished study.

    Parameters
    ----------
    file : ModelFile
        What the study released.
    journal : Journal
        Of its training; may hold nothing of it.
    created : datetime
        With a time zone.
    written_by : str
        Name and version of the program.

    Returns
    -------
    Report
        Of kind ``federated``; it may leave.

    Raises
    ------
    InputError
        When the study was not trained under differential privacy by the clinics together, or its
        kept rounds do not give this model.
    """
    study, model = file.study, file.model
    if study.method != "federated-dp" or not isinstance(model, PrivateModel):
        raise InputError(
            f"a report of study {file.title!r} with method {study.method!r} was asked; this one is "
            "for federated-dp, whose releases are private. Let each clinic make its own: "
            "fedaffect-client report"
        )
    plan = study.plan(file.feature_map)
    exchanges = kept_exchanges(study, file.feature_map, model, journal)
    found = (
        results(file, plan, model.evaluation_counts)
        if model.evaluation_counts is not None
        else Results(withheld.performance(plan), withheld.roc(plan), withheld.calibration(plan))
    )
    return Report(
        kind="federated",
        leaves_clinic=True,
        title=file.title,
        subtitle="Federated study: what the clinics released together",
        created=created,
        intended_use=described.intended_use(),
        participant_flow=withheld.participant_flow(plan),
        data=described.data(file, plan),
        index_test=described.index_test(file, model),
        methods=described.methods(file, plan),
        sample_size=described.sample_size(file, plan),
        performance=found.performance,
        roc=found.roc,
        calibration=found.calibration,
        decision_curve=withheld.decision_curve(plan),
        protocols=withheld.protocols(plan),
        combinations=withheld.combinations(plan),
        group_differences=group_differences(file, plan, model.evaluation_counts, exchanges),
        coefficients=described.coefficients(file, model),
        example=withheld.example(),
        uncertainty=withheld.uncertainty(plan),
        fairness=withheld.fairness(plan),
        missingness=described.missingness(),
        baselines=withheld.baselines(plan),
        privacy=described.privacy(file, plan),
        federation=described.federation(file, plan, exchanges),
        software=described.software(file, plan, written_by),
        limits=described.limits(plan),
        checklists=fill_checklists(),
    )
