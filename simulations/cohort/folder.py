"""A cohort as a folder: written from a surrogate cohort, read from that or from a real one.

    DIR/participants.csv                  the table of participants (shared.participants)
    DIR/attributes/<participant>.parquet  one attribute file each (shared.attributes)

Only participants who consented and finished are read: the file of anyone else is never opened.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.features import FEATURE_NAMES, FeatureTable, temporal_features
from shared.participants import ParticipantRow, read_participants, write_participants
from simulations.cohort.clinics import clinic_names, clinic_sizes
from simulations.cohort.cohort import GENERATOR_VERSION, Cohort

__all__ = [
    "ATTRIBUTES_FOLDER",
    "PARTICIPANTS_FILE",
    "load_cohort_dir",
    "participant_rows",
    "write_cohort_dir",
]

PARTICIPANTS_FILE: Final = "participants.csv"
ATTRIBUTES_FOLDER: Final = "attributes"
SURROGATE: Final = "surrogate"

Progress = Callable[[int, int], None]
"""Told how many of how many participants are done."""


def write_cohort_dir(
    cohort: Cohort, folder: Path, *, on_progress: Progress = lambda done, total: None
) -> None:
    """Write a surrogate cohort as a folder.

    Participants without consent stand in the table and have no attribute file.

    Parameters
    ----------
    cohort : Cohort
    folder : Path
        Must be empty or missing.
    on_progress : callable
        Told after each participant.

    Raises
    ------
    InputError
        The folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder; choose another with --out.")
    people = cohort.participants
    for row, person in enumerate(people):
        if person.consented:
            values = cohort.series(row)
            write_attributes(
                folder / ATTRIBUTES_FOLDER / f"{person.name}.parquet",
                _attribute_series(person.name, values, cohort),
            )
        on_progress(row + 1, len(people))
    write_participants(folder / PARTICIPANTS_FILE, participant_rows(cohort))


def participant_rows(cohort: Cohort) -> list[ParticipantRow]:
    """Everyone recorded, as a clinic's table has them."""
    return [
        ParticipantRow(
            participant=person.name,
            asd=person.asd,
            consented=person.consented,
            finished=person.finished,
            video=f"surrogate-{person.name}",
            clinic=person.clinic,
            age_months=person.age_months,
            sex=person.sex,
        )
        for person in cohort.participants
    ]


def load_cohort_dir(
    folder: Path,
    clinics: int | None = None,
    *,
    on_progress: Progress = lambda done, total: None,
) -> FeatureTable:
    """Read a cohort folder and measure the features of everyone who may be analysed.

    Parameters
    ----------
    folder : Path
        See the module docstring.
    clinics : int, optional
        Number of clinics to split the participants into where the table names none: unequal, each
        with both diagnoses, by the order of their names. Where the table names clinics, those are
        used.
    on_progress : callable
        Told after each participant.

    Returns
    -------
    FeatureTable
        With diagnosis and clinic, in table order.

    Raises
    ------
    InputError
        The table or a file is missing or wrong, a file belongs to another participant, a series
        is too short, nobody may be analysed, or only one diagnosis is there.
    """
    table = folder / PARTICIPANTS_FILE
    if not table.is_file():
        raise InputError(
            f"{folder} has no {PARTICIPANTS_FILE}; a cohort folder holds that table and the folder "
            f"{ATTRIBUTES_FOLDER} with one file a participant."
        )
    rows = [row for row in read_participants(table) if row.analysed]
    asd = np.array([row.asd for row in rows], dtype=np.bool_)
    if not rows or asd.all() or not asd.any():
        raise InputError(
            f"{table}: {int(asd.sum())} ASD and {int((~asd).sum())} non-ASD participants consented "
            "and finished; both are needed."
        )
    files = [folder / ATTRIBUTES_FOLDER / f"{row.participant}.parquet" for row in rows]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{folder / ATTRIBUTES_FOLDER} lacks the files of {len(missing)} participants who "
            f"consented and finished: {', '.join(missing[:5])}. Extract them, or correct the table."
        )
    clinic = _clinics(rows, asd, clinics, table)
    values = np.empty((len(rows), len(FEATURE_NAMES)))
    sources: set[bool] = set()
    too_short = []
    for index, (row, file) in enumerate(zip(rows, files, strict=True)):
        series = read_attributes(file)
        if series.participant != row.participant:
            raise InputError(
                f"{file} belongs to participant {series.participant}, not to {row.participant} "
                f"(line {row.line} of {PARTICIPANTS_FILE}). Correct the name or the file."
            )
        sources.add(series.provenance.get("source") == SURROGATE)
        values[index] = temporal_features(series.values, rate_hz=FRAME_RATE_HZ)
        if np.isnan(values[index]).any():
            too_short.append(f"{row.participant} (line {row.line})")
        on_progress(index + 1, len(rows))
    if len(sources) == 2:
        raise InputError(
            f"{folder / ATTRIBUTES_FOLDER} mixes surrogate and recorded participants; keep them in "
            "different folders."
        )
    if too_short:
        raise InputError(
            f"{len(too_short)} participants show a face for less than 30 s: "
            f"{', '.join(too_short[:5])}. Write no under finished in {table}."
        )
    return FeatureTable(
        participants=tuple(row.participant for row in rows),
        values=values,
        names=FEATURE_NAMES,
        asd=asd,
        clinic=clinic,
        source="surrogate" if sources == {True} else "measured",
    )


def _clinics(
    rows: list[ParticipantRow], asd: NDArray[np.bool_], clinics: int | None, table: Path
) -> tuple[str, ...]:
    named = [row.clinic for row in rows if row.clinic is not None]
    if len(named) == len(rows):
        return tuple(named)
    if clinics is None:
        raise InputError(
            f"{table} names no clinics; add the column clinic, or say into how many clinics to "
            "split the participants with --clinics."
        )
    sizes = clinic_sizes(clinics, int(asd.sum()), int((~asd).sum()))
    names = clinic_names(clinics)
    assigned = [""] * len(rows)
    for column, label in enumerate((True, False)):
        members = sorted(np.flatnonzero(asd == label), key=lambda row: rows[row].participant)
        number = np.repeat(np.arange(clinics), sizes[:, column])
        for member, clinic in zip(members, number, strict=True):
            assigned[member] = names[clinic]
    return tuple(assigned)


def _attribute_series(name: str, values: NDArray[np.float32], cohort: Cohort) -> AttributeSeries:
    n_frames = values.shape[0]
    found = ~np.isnan(values[:, 0])
    box = np.full((n_frames, 4), np.nan, dtype=np.float32)
    box[found] = (256.0, 128.0, 160.0, 200.0)
    return AttributeSeries(
        participant=name,
        time_s=np.arange(n_frames) / FRAME_RATE_HZ,
        frame=np.arange(n_frames),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=box,
        values=values,
        provenance={
            "source": SURROGATE,
            "generator_version": str(GENERATOR_VERSION),
            "seed": str(cohort.seed),
            "world": cohort.world,
        },
    )
