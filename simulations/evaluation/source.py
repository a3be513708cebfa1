"""The participants of an evaluation: a surrogate cohort, or a cohort folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.attributes import read_attributes
from shared.evaluation.analysed import AnalysedParticipants, analysed_participants
from shared.participants import read_participants
from simulations.cohort.cohort import surrogate_cohort
from simulations.cohort.features import cohort_features
from simulations.cohort.folder import (
    ATTRIBUTES_FOLDER,
    PARTICIPANTS_FILE,
    load_cohort_dir,
    participant_rows,
)
from simulations.cohort.population import World

__all__ = ["EvaluationSource", "cohort_source", "surrogate_source"]


@dataclass(frozen=True, eq=False)
class EvaluationSource:
    """Participants and where they come from.

    Attributes
    ----------
    people : AnalysedParticipants
    kind : {"surrogate", "cohort"}
    description, reference_standard : str
    series : callable
        Attribute series, shape (n_frames, 22), of the participant in a row of ``people``.
    """

    people: AnalysedParticipants
    kind: Literal["surrogate", "cohort"]
    description: str
    reference_standard: str
    series: Callable[[int], NDArray[np.float32]]


def surrogate_source(seed: int, *, clinics: int, world: World) -> EvaluationSource:
    """One surrogate cohort of 105 recorded and 88 analysed children.

    Parameters
    ----------
    seed : int
    clinics : int
    world : str
        Where the group effect lives; "none" for no effect.
    """
    cohort = surrogate_cohort(seed, clinics=clinics, world=world)
    people = analysed_participants(cohort_features(cohort), participant_rows(cohort))
    rows = cohort.analysed
    return EvaluationSource(
        people,
        "surrogate",
        f"Surrogate cohort (seed {seed}, signal world {world!r}): simulated children, {clinics} "
        "clinics. The size of its group effect was set so that pooled training gives the "
        "published accuracy on average.",
        "Drawn with the simulated child; nobody was examined.",
        lambda row: cohort.series(rows[row]),
    )


def cohort_source(
    folder: Path,
    clinics: int | None,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> EvaluationSource:
    """A cohort folder, as ``simulations.cohort.folder`` describes it.

    Parameters
    ----------
    folder : Path
    clinics : int, optional
        Clinics to split the participants into where the table names none.
    on_progress : callable
        Told after each participant.

    Raises
    ------
    InputError
        As ``load_cohort_dir``.
    """
    table = load_cohort_dir(folder, clinics, on_progress=on_progress)
    people = analysed_participants(table, read_participants(folder / PARTICIPANTS_FILE))
    surrogate = table.source == "surrogate"

    def series(row: int) -> NDArray[np.float32]:
        name = people.table.participants[row]
        return read_attributes(folder / ATTRIBUTES_FOLDER / f"{name}.parquet").values

    return EvaluationSource(
        people,
        "surrogate" if surrogate else "cohort",
        f"{'Surrogate cohort' if surrogate else 'Cohort'} in the folder {folder.name}.",
        "Drawn with the simulated child; nobody was examined."
        if surrogate
        else "The column diagnosis of participants.csv; who made it, how and when is for the "
        "authors to say.",
        series,
    )
