"""Leave-one-clinic-out: how a model does at a clinic that took no part in its training.

Each clinic is scored by a model trained on the other clinics' participants alone; combination and
penalty are chosen among those by inner cross-validation. A clinic's camera, light and case mix are
then new to the model, as they are when it is taken elsewhere (TRIPOD+AI: internal-external
validation, Steyerberg & Harrell 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.channels import all_combinations, combination_name
from shared.errors import InputError
from shared.evaluation.estimate import Estimate, wilson
from shared.evaluation.nested import (
    C_GRID,
    INNER_FOLDS,
    Chooser,
    Combination,
    attribute_columns,
)
from shared.evaluation.roc import auc

__all__ = ["ClinicHeldOut", "LeaveOneClinicOut", "leave_one_clinic_out"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ClinicHeldOut:
    """What the model of the other clinics does at one clinic.

    Attributes
    ----------
    clinic : str
    n_asd, n_non_asd : int
    sensitivity, specificity : Estimate
        Wilson intervals; unknown where the clinic has no such participant.
    auc : Estimate
        DeLong; unknown with one diagnosis.
    combination : str
        Chosen by the inner folds of the other clinics.
    c : float
    """

    clinic: str
    n_asd: int
    n_non_asd: int
    sensitivity: Estimate
    specificity: Estimate
    auc: Estimate
    combination: str
    c: float

    def as_json(self) -> dict[str, Any]:
        """Fields by name; counts are whole numbers of participants, for the holder of the rows."""
        return {
            "clinic": self.clinic,
            "n_asd": self.n_asd,
            "n_non_asd": self.n_non_asd,
            "sensitivity": self.sensitivity.as_json(),
            "specificity": self.specificity.as_json(),
            "auc": self.auc.as_json(),
            "combination": self.combination,
            "c": self.c,
        }


@dataclass(frozen=True, eq=False)
class LeaveOneClinicOut:
    """Scores of everyone by models that never saw their clinic.

    Attributes
    ----------
    clinics : tuple of ClinicHeldOut
    fold : ndarray of int, shape (n,)
        Index into ``clinics``: the clinic in which each participant was tested.
    score : ndarray, shape (n,)
        Log-odds by the chosen combination; above 0 is called ASD.
    by_combination : ndarray, shape (combinations, n)
        By each combination with its own chosen penalty.
    auc : Estimate
        Mean over clinics with both diagnoses, since scores of two clinics' models share no scale;
        DeLong. Unknown where no clinic has both.
    """

    clinics: tuple[ClinicHeldOut, ...]
    fold: NDArray[np.int64]
    score: Numbers
    by_combination: Numbers
    auc: Estimate

    def as_json(self) -> dict[str, Any]:
        """Figures by clinic and over all; no score of a participant."""
        return {
            "auc_within_clinics": self.auc.as_json(),
            "clinics": [clinic.as_json() for clinic in self.clinics],
        }


def leave_one_clinic_out(
    features: Numbers,
    asd: NDArray[np.bool_],
    clinic: Sequence[str] | NDArray[Any],
    *,
    seed: int,
    groups: tuple[NDArray[np.int64], ...] | None = None,
    combinations: Sequence[Combination] | None = None,
    c_grid: Sequence[float] = C_GRID,
    inner_folds: int = INNER_FOLDS,
) -> LeaveOneClinicOut:
    """Train without each clinic in turn and score it.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        One row per participant; NaN where a value is missing.
    asd : ndarray of bool, shape (n,)
    clinic : sequence, length n
    seed : int
        Of the inner folds.
    groups, combinations, c_grid, inner_folds
        As in ``nested_cross_validation``.

    Raises
    ------
    InputError
        There is one clinic only, or the others of a clinic have too few participants of a
        diagnosis for the inner folds.
    """
    names, fold = np.unique(np.asarray(clinic), return_inverse=True)
    if len(names) < 2 or len(fold) != len(asd):
        raise InputError(
            f"{len(names)} clinic(s) for {len(asd)} participants were given; leaving one out needs "
            "at least 2 clinics, and a clinic for every participant."
        )
    chooser = Chooser(
        features,
        asd,
        attribute_columns() if groups is None else groups,
        all_combinations() if combinations is None else tuple(combinations),
        tuple(c_grid),
        inner_folds,
    )
    score = np.empty(len(asd))
    each = np.empty((len(chooser.combinations), len(asd)))
    found = []
    for number, name in enumerate(names):
        here = fold == number
        odds, c, best = chooser.scores(~here, np.random.default_rng([seed, number]))
        each[:, here] = odds[:, here]
        score[here] = odds[best, here]
        positive, called = asd[here], score[here] > 0
        found.append(
            ClinicHeldOut(
                clinic=str(name),
                n_asd=int(positive.sum()),
                n_non_asd=int((~positive).sum()),
                sensitivity=wilson(int((called & positive).sum()), int(positive.sum())),
                specificity=wilson(int((~called & ~positive).sum()), int((~positive).sum())),
                auc=auc(positive, score[here]),
                combination=combination_name(chooser.combinations[best]),
                c=float(c[best]),
            )
        )
    return LeaveOneClinicOut(tuple(found), fold, score, each, auc(asd, score, fold))
