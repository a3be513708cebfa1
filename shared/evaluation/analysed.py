"""The participants of an evaluation: their features, and what else is known of each.

Everything that one party computes from rows it holds (a simulation, a cohort in one hand, a
clinic's report about its own participants) starts here, so that all of it counts the same people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.features import FeatureTable
from shared.participant_row import ParticipantRow

__all__ = ["AnalysedParticipants", "FlowCounts", "analysed_participants"]

_UNKNOWN: Final = "not stated"

_ONE_CLINIC: Final = "all participants"


@dataclass(frozen=True)
class FlowCounts:
    """How many participants of one clinic reached each step.

    Attributes
    ----------
    clinic : str
    recorded, consented, finished, analysed : int
        Each step counts those who passed the steps before it.
    """

    clinic: str
    recorded: int
    consented: int
    finished: int
    analysed: int


@dataclass(frozen=True, eq=False)
class AnalysedParticipants:
    """Participants who are analysed, one a row.

    Attributes
    ----------
    table : FeatureTable
        With diagnoses. A row may have missing values.
    asd : ndarray of bool, shape (n,)
    clinic : tuple of str
    age_months : ndarray, shape (n,)
        NaN where unknown.
    sex, device : tuple of str
        ``"not stated"`` where unknown.
    flow : tuple of FlowCounts
        By clinic, in order of their names.
    """

    table: FeatureTable
    asd: NDArray[np.bool_]
    clinic: tuple[str, ...]
    age_months: NDArray[np.float64]
    sex: tuple[str, ...]
    device: tuple[str, ...]
    flow: tuple[FlowCounts, ...]

    def __len__(self) -> int:
        return len(self.asd)

    @property
    def clinics(self) -> tuple[str, ...]:
        """Names of the clinics, sorted."""
        return tuple(sorted(set(self.clinic)))

    def with_clinics(self) -> FeatureTable:
        """The features with the clinics of these participants."""
        return replace(self.table, clinic=self.clinic)


def analysed_participants(
    table: FeatureTable, people: Sequence[ParticipantRow]
) -> AnalysedParticipants:
    """Join features with the table of participants.

    Parameters
    ----------
    table : FeatureTable
        With diagnoses; clinics are taken from it where it names them.
    people : sequence of ParticipantRow
        Everyone who was recorded.

    Raises
    ------
    InputError
        When the features come without diagnoses, or somebody has features and no row.
    """
    if table.asd is None:
        raise InputError(
            "the feature table has no diagnoses; build it with the table of participants"
        )
    known = {person.participant: person for person in people}
    unknown = [name for name in table.participants if name not in known]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(table)} participants with features are not in the table of "
            f"participants: {', '.join(unknown[:5])}; add them or build the features again"
        )
    rows = [known[name] for name in table.participants]
    clinic = table.clinic or tuple(row.clinic or _ONE_CLINIC for row in rows)
    at = dict(zip(table.participants, clinic, strict=True))
    return AnalysedParticipants(
        table=table,
        asd=np.asarray(table.asd, dtype=np.bool_),
        clinic=clinic,
        age_months=np.array([_number(row.age_months) for row in rows], dtype=np.float64),
        sex=tuple({"F": "girls", "M": "boys"}.get(row.sex or "", _UNKNOWN) for row in rows),
        device=tuple(row.device or _UNKNOWN for row in rows),
        flow=_flow(people, at),
    )


def _number(months: int | None) -> float:
    return float("nan") if months is None else float(months)


def _flow(people: Sequence[ParticipantRow], analysed_at: dict[str, str]) -> tuple[FlowCounts, ...]:
    # Whoever is not analysed has only the clinic of the participants' table.
    unnamed = _ONE_CLINIC if set(analysed_at.values()) == {_ONE_CLINIC} else "clinic not stated"
    at = [analysed_at.get(row.participant, row.clinic or unnamed) for row in people]
    flow = []
    for clinic in sorted(set(at)):
        own = [row for row, place in zip(people, at, strict=True) if place == clinic]
        consented = [row for row in own if row.consented]
        flow.append(
            FlowCounts(
                clinic,
                len(own),
                len(consented),
                sum(row.finished for row in consented),
                sum(row.participant in analysed_at for row in own),
            )
        )
    return tuple(flow)
