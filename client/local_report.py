"""A clinic's full report about its own participants, for its own staff.

It is computed from the clinic's rows, so it is exact and no privacy budget covers it: it stays in
the site folder. What a study may say about all clinics together comes from the coordinator.
"""

import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from client.site_folder import SiteFolder
from client.site_participants import read_site_participants
from shared.attributes import read_attributes
from shared.errors import InputError
from shared.evaluation.analysed import AnalysedParticipants, analysed_participants
from shared.evaluation.confusion import Confusion
from shared.evaluation.evaluate import Evaluation
from shared.evaluation.roc import auc
from shared.features import read_features
from shared.features.layout import FEATURES_VERSION
from shared.model import LinearModel
from shared.model_file import ModelFile, model_inputs
from shared.privacy.unit_vectors import AffectMap
from shared.report import document as d
from shared.report.from_rows.convert import metrics
from shared.report.from_rows.example import example_of, typical_row
from shared.report.from_rows.report import About, report_of_rows
from shared.software import software

__all__ = ["clinic_participants", "local_report"]

_FIGURES: Final = ("sensitivity", "specificity", "balanced_accuracy", "f1")


def clinic_participants(folder: SiteFolder) -> AnalysedParticipants:
    """Participants of the site's feature table who may still be used.

    Raises
    ------
    InputError
        When there is no feature table, nobody of it may be used, or somebody in it was never
        imported.
    LedgerError
        When the ledger cannot be read.
    """
    listed = read_site_participants(folder)
    if not folder.features.is_file():
        raise InputError(
            f"{folder.root} has no feature table yet; run `fedaffect-client features --site "
            f"{folder.root}` first"
        )
    clinic = folder.policy().name
    # Whoever withdrew has taken the consent back.
    people = [
        replace(
            row, clinic=clinic, consented=row.consented and row.participant not in listed.withdrawn
        )
        for row in listed.rows
    ]
    usable = {row.participant: row.asd for row in people if row.analysed}
    table = read_features(folder.features)
    table = table.select(np.array([name in usable for name in table.participants]))
    if not len(table):
        raise InputError(
            "none of the children in the feature table may be used any more; run "
            f"`fedaffect-client features --site {folder.root}` again"
        )
    labels = np.array([usable[name] for name in table.participants])
    return analysed_participants(replace(table, asd=labels, clinic=None), people)


def local_report(
    found: Evaluation, folder: SiteFolder, *, command: str, model: ModelFile | None = None
) -> d.Report:
    """Make the report.

    Parameters
    ----------
    found : Evaluation
        Of ``clinic_participants``.
    folder : SiteFolder
    command : str
        As it was typed.
    model : ModelFile, optional
        A released model, to be judged on these participants as well.
    """
    people, clinic = found.people, folder.policy().name
    surrogate = people.table.source == "surrogate"
    return report_of_rows(
        found,
        About(
            kind="clinic",
            leaves_clinic=False,
            title=f"{clinic}: report on its own participants",
            subtitle=f"{len(people)} children. For the staff of {clinic} only.",
            created=datetime.now(UTC),
            source=f"Recordings and diagnoses of {clinic}"
            + (", all of them simulated children." if surrogate else "."),
            reference_standard="The column diagnosis of the imported table; who made it, how and "
            "when is for the clinic to say.",
            weights="none: the attributes are simulated"
            if surrogate
            else "as the attribute files name them",
            software=d.Software(
                status="released",
                command=command,
                seed=found.settings.seed,
                machine=f"{platform.system()} {platform.machine()}",
                versions=(
                    d.Fact(name="Program", value=software()),
                    d.Fact(name="Features", value=f"version {FEATURES_VERSION}"),
                ),
            ),
            example=_example(found, folder.attributes, surrogate=surrogate),
            baselines=d.Baselines(
                status="not_released",
                note="One clinic alone has nothing to compare with; the study's report has.",
            ),
            privacy=d.Privacy(
                status="not_released",
                note="This report is exact and stays at the clinic. What the clinic gave away to "
                "studies stands in `fedaffect-client ledger show`.",
            ),
            federation=d.Federation(status="not_released", note="No federation took part in this."),
            further_protocols=() if model is None else (_joint(people, model),),
            limits=(
                "One clinic has few children. Its own classifier is shown to understand the data, "
                "not to be used.",
            ),
        ),
    )


def _example(found: Evaluation, attributes: Path, *, surrogate: bool) -> d.Example:
    row = typical_row(found)
    if row is None:
        return d.Example(status="not_released", note="Nobody with ASD was called so.")
    file = attributes / f"{found.people.table.participants[row]}.parquet"
    if not file.is_file():
        return d.Example(
            status="not_released", note="The attribute file of the chosen recording is gone."
        )
    try:
        return example_of(found, row, read_attributes(file).values, surrogate=surrogate)
    except InputError:
        return d.Example(
            status="not_released", note="The attribute file of the chosen recording is damaged."
        )


def _joint(people: AnalysedParticipants, model: ModelFile) -> d.ProtocolRow:
    groups = model.study.attribute_groups
    complete = np.isfinite(people.table.values).all(axis=1)
    values, asd = people.table.values[complete], people.asd[complete]
    if isinstance(model.model, LinearModel):
        values = values[:, model_inputs(groups)]
    score = model.model.scores(values, AffectMap(model.constants, groups))
    figures = {**Confusion.of(asd, score > 0).figures(), "auc": auc(asd, score)}
    left_out = int((~complete).sum())
    return d.ProtocolRow(
        protocol=f"Joint model of the study {model.study.title!r}",
        metrics=metrics({name: figures[name] for name in (*_FIGURES, "auc")}),
        note="On this clinic's children. If they took part in its training, these figures flatter "
        "a little." + (f" {left_out} without all features are left out." if left_out else ""),
    )
