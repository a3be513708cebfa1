"""Everything one row of predictions says about a classifier, with intervals, in one call.

Assumes one row per participant and a threshold fixed before these participants were seen. Predicts
for children like those of the study, with as many with and without ASD as it has: intervals are
conditional on those numbers. The intervals beside the others "by clinic" let whole clinics vary.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.calibration import Calibration, measure_calibration
from shared.evaluation.confusion import Confusion
from shared.evaluation.decision_curve import DecisionCurve, decision_curve
from shared.evaluation.estimate import Estimate
from shared.evaluation.resampling import DRAWS, cluster_interval, cluster_weights
from shared.evaluation.roc import RocCurve, auc, auc_draws, roc_curve

__all__ = ["FEWEST_CLINICS", "Performance", "measure_performance"]

FEWEST_CLINICS: Final = 3
"""With fewer, an interval over clinics says nothing: its t quantile alone is 12.7 at two."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A classifier's performance on some participants.

    Attributes
    ----------
    participants, asd, non_asd : int
        Numbers of participants.
    folds : int
        1 when the classifier was fixed; else the folds of a cross-validation, whose intervals do
        not hold the variation of the training rows.
    confusion : Confusion
        At the threshold; gives sensitivity, specificity, F1, balanced accuracy, accuracy, PPV, NPV
        and both at stated prevalences.
    auc : Estimate
    roc : RocCurve
    calibration : Calibration or None
        None when no probabilities were given.
    decision_curve : DecisionCurve or None
        None when no probabilities were given.
    by_clinic : dict
        Sensitivity, specificity, balanced accuracy and AUC with intervals over clinics; empty with
        fewer than three clinics.
    """

    participants: int
    asd: int
    non_asd: int
    folds: int
    confusion: Confusion
    auc: Estimate
    roc: RocCurve
    calibration: Calibration | None
    decision_curve: DecisionCurve | None
    by_clinic: dict[str, Estimate]

    def figures(self) -> dict[str, Estimate]:
        """Headline figures by name: those of the confusion counts and the AUC."""
        return {**self.confusion.figures(), "auc": self.auc}

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "participants": self.participants,
            "asd": self.asd,
            "non_asd": self.non_asd,
            "folds": self.folds,
            "confusion": self.confusion.as_json(),
            "auc": self.auc.as_json(),
            "roc": self.roc.as_json(),
            "calibration": self.calibration.as_json() if self.calibration else None,
            "decision_curve": self.decision_curve.as_json() if self.decision_curve else None,
            "by_clinic": {name: figure.as_json() for name, figure in self.by_clinic.items()},
        }


def measure_performance(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    probability: NDArray[np.float64] | None = None,
    clinic: NDArray[np.generic] | None = None,
    fold: NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Performance:
    """Measure.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Score minus threshold: above 0 is called ASD.
    probability : ndarray, shape (n,), optional
        Predicted probability of ASD.
    clinic : ndarray, shape (n,), optional
        Clinic of each participant.
    fold : ndarray of int, shape (n,), optional
        Test fold of each participant in a cross-validation: ranking is judged within folds.
    seed : int
        Of the resamples.
    draws : int
        Resamples.

    Raises
    ------
    InputError
        Lengths differ, a class is missing, or a value is not a number.
    """
    if not (asd.any() and not asd.all()):
        raise InputError(
            "Performance needs participants with and without ASD; one of the two is missing among "
            f"{len(asd)}. Add participants, or report counts alone."
        )
    rng = np.random.default_rng(seed)
    return Performance(
        participants=len(asd),
        asd=int(asd.sum()),
        non_asd=int((~asd).sum()),
        folds=1 if fold is None else len(np.unique(fold)),
        auc=auc(asd, score, fold),
        confusion=Confusion.of(asd, score > 0),
        roc=roc_curve(asd, score, fold, rng=rng, draws=draws),
        calibration=None if probability is None else measure_calibration(asd, probability),
        decision_curve=None if probability is None else decision_curve(asd, probability),
        by_clinic={} if clinic is None else _by_clinic(asd, score, clinic, fold, rng, draws),
    )


def _by_clinic(
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    clinic: NDArray[np.generic],
    fold: NDArray[np.int64] | None,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, Estimate]:
    if len(clinic) != len(asd):
        raise InputError(
            f"{len(asd)} labels were given with {len(clinic)} clinics. Give one of each per "
            "participant."
        )
    clinics = len(np.unique(clinic))
    if clinics < FEWEST_CLINICS:
        return {}
    weights = np.concatenate([np.ones((1, len(asd))), cluster_weights(clinic, draws, rng)])
    called = score > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        # A resample of clinics may lack a class: NaN, left out.
        found = weights @ (asd & called) / (weights @ asd)
        cleared = weights @ (~asd & ~called) / (weights @ ~asd)
    figures = {
        "sensitivity": found,
        "specificity": cleared,
        "balanced_accuracy": (found + cleared) / 2,
        "auc": auc_draws(asd, score, weights, fold),
    }
    return {
        name: cluster_interval(float(drawn[0]), drawn[1:], clinics)
        for name, drawn in figures.items()
    }
