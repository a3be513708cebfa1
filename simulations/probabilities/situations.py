"""Studies whose probabilities are checked: rows of the table, between them, and beyond it."""

from dataclasses import dataclass
from typing import Final, Literal

from shared.channels import ATTRIBUTE_GROUPS, AttributeGroup
from shared.privacy.unit_vectors import AffectMap
from shared.study import Mode, RosterClinic, Study
from simulations.cohort.clinics import clinic_names
from simulations.probabilities.populations import ASD_SHARE

__all__ = ["SITUATIONS", "Situation"]


@dataclass(frozen=True)
class Situation:
    """A study, and whom its model is used on.

    Attributes
    ----------
    name : str
    epsilon : float
    participants : int
    groups : tuple of AttributeGroup
    clinics : int
    mode : {"secure-sum", "local"}
    rounds : int, optional
    constants : {"right", "pilot"}
        The packaged ones, or those of 20 pilot people.
    asd_share : float
        In the study and among the children.
    new_clinic : bool
        Whether the children come from a clinic that did not take part.
    """

    name: str
    epsilon: float
    participants: int
    groups: tuple[AttributeGroup, ...] = ATTRIBUTE_GROUPS
    clinics: int = 4
    mode: Mode = "secure-sum"
    rounds: int | None = None
    constants: Literal["right", "pilot"] = "right"
    asd_share: float = ASD_SHARE
    new_clinic: bool = False

    def study(self, feature_map: AffectMap) -> Study:
        """Return the study as its file would say it."""
        return Study(
            title=self.name,
            roster=tuple(RosterClinic(name=name) for name in clinic_names(self.clinics)),
            participants=self.participants,
            mode=self.mode,
            rounds=self.rounds,
            feature_map=feature_map.digest,
            attribute_groups=feature_map.groups,
            epsilon=self.epsilon,
            delta=1e-5,
        )


SITUATIONS: Final = (
    Situation("ε 1, 88 children", 1, 88),
    Situation("ε 2, 88 children", 2, 88),
    Situation("ε 4, 88 children", 4, 88),
    Situation("ε 8, 88 children", 8, 88),
    Situation("ε 4, 264 children", 4, 264),
    Situation("ε 4, 968 children", 4, 968),
    Situation("ε 8, 968 children", 8, 968),
    Situation("ε 4, 88, AU only", 4, 88, groups=("au",)),
    Situation("ε 3, 130, between rows", 3, 130),
    Situation("ε 4, 88, two clinics", 4, 88, clinics=2),
    Situation("ε 8, 264, mode local", 8, 264, mode="local"),
    Situation("ε 4, 88, 1 round", 4, 88, rounds=1),
    Situation("ε 4, 88, pilot constants", 4, 88, constants="pilot"),
    Situation("ε 4, 88, 30 % with ASD", 4, 88, asd_share=0.3),
    Situation("ε 4, 88, a new clinic's", 4, 88, new_clinic=True),
)
"""The first seven are rows of the table."""
