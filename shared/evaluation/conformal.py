"""Sets of possible diagnoses with a guaranteed coverage.

A conformal set holds the true diagnosis of a new child with a probability of at least 1 - alpha,
whatever the classifier and the distribution, as long as the child and the calibration children are
exchangeable (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002 for the split form). The
class-conditional (Mondrian) form gives this within each diagnosis, so a rare class is not given up
for a frequent one. Nonconformity is one minus the probability of the diagnosis.

Three ways to calibrate: on children set aside (**split**: guaranteed); on out-of-fold
probabilities, a new child scored by the models of all folds (**cross**: Vovk 2015; at least
1 - 2 alpha guaranteed, near 1 - alpha in practice); and for the children of a cross-validation
themselves, each by the out-of-fold probabilities of the other folds (**held out**: an estimate of
what a set would look like; its coverage is measured, not promised).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, wilson

__all__ = [
    "ConformalRule",
    "SetMeasures",
    "calibrate",
    "cross_conformal",
    "held_out_sets",
    "measure_sets",
]

_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class ConformalRule:
    """A calibrated split-conformal predictor.

    Attributes
    ----------
    most_other, most_asd : float
        Largest nonconformity with which a diagnosis stays in the set; infinite when there are too
        few calibration children for the asked coverage, so the diagnosis always stays.
    alpha : float
        Accepted share of errors.
    by_class : bool
        Whether each diagnosis was calibrated by itself.
    """

    most_other: float
    most_asd: float
    alpha: float
    by_class: bool

    def sets(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which diagnoses are in the set, shape (n, 2): not ASD, ASD."""
        kept: NDArray[np.bool_] = _nonconformity(probability) <= np.array(
            [self.most_other, self.most_asd]
        )
        return kept


@dataclass(frozen=True)
class SetMeasures:
    """How conformal sets did on participants whose diagnosis is known.

    Attributes
    ----------
    nominal : float
        1 - alpha.
    coverage, coverage_asd, coverage_other : Estimate
        Share of sets that hold the true diagnosis.
    single, both, none : Estimate
        Share of sets with one diagnosis, with both (undecided), and empty.
    single_correct : Estimate
        Share of the sets with one diagnosis that hold the true one.
    n : int
    """

    nominal: float
    coverage: Estimate
    coverage_asd: Estimate
    coverage_other: Estimate
    single: Estimate
    both: Estimate
    none: Estimate
    single_correct: Estimate
    n: int

    def as_json(self) -> dict[str, Any]:
        """Estimates by name."""
        estimates = {
            name: value.as_json()
            for name, value in vars(self).items()
            if isinstance(value, Estimate)
        }
        return {"nominal": self.nominal, "n": self.n, **estimates}


def calibrate(
    probability: NDArray[np.float64],
    asd: NDArray[np.bool_],
    alpha: float = 0.1,
    *,
    by_class: bool = True,
) -> ConformalRule:
    """Calibrate a split-conformal predictor on children the classifier has not seen.

    Parameters
    ----------
    probability : ndarray, shape (n,)
        Of ASD.
    asd : ndarray of bool, shape (n,)
    alpha : float
        Accepted share of errors, in (0, 1).
    by_class : bool
        Calibrate each diagnosis by itself.

    Raises
    ------
    InputError
        ``alpha`` is outside (0, 1), a probability outside [0, 1], or nobody is there.
    """
    _check(probability, asd, alpha)
    own = _nonconformity(probability)[np.arange(len(asd)), asd.astype(np.int64)]
    parts = (own[~asd], own[asd]) if by_class else (own, own)
    most_other, most_asd = (_limit(part, alpha) for part in parts)
    return ConformalRule(most_other, most_asd, alpha, by_class)


def cross_conformal(
    probability: NDArray[np.float64],
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    new: NDArray[np.float64],
    alpha: float = 0.1,
    *,
    by_class: bool = True,
) -> NDArray[np.bool_]:
    """Sets for new children from a cross-validation (Vovk 2015).

    Parameters
    ----------
    probability : ndarray, shape (n,)
        Out-of-fold probabilities of the calibration children.
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (n,)
        0 to K - 1.
    new : ndarray, shape (m, K)
        Probability of each new child under the model that left each fold out.
    alpha : float
    by_class : bool

    Returns
    -------
    ndarray of bool, shape (m, 2)
        Not ASD, ASD.

    Raises
    ------
    InputError
        As ``calibrate``, or the folds are not 0 to K - 1.
    """
    _check(probability, asd, alpha)
    if new.ndim != 2 or not np.array_equal(np.unique(fold), np.arange(new.shape[1])):
        raise InputError(
            f"Probabilities of shape {new.shape} and {len(np.unique(fold))} folds were given; each "
            "new child needs one probability for each fold, folds numbered from 0."
        )
    own = _nonconformity(probability)[np.arange(len(asd)), asd.astype(np.int64)]
    kept = np.zeros((len(new), 2), dtype=np.bool_)
    for label in (0, 1):
        used = asd == label if by_class else np.ones(len(asd), dtype=np.bool_)
        theirs = _nonconformity(new)[..., label]
        reached = np.zeros(len(new))
        for k in range(new.shape[1]):
            ordered = np.sort(own[used & (fold == k)])
            at = np.searchsorted(ordered, theirs[:, k] - _ROUNDING, side="left")
            reached += len(ordered) - at
        kept[:, label] = (reached + 1) / (int(used.sum()) + 1) > alpha
    return kept


def held_out_sets(
    probability: NDArray[np.float64],
    asd: NDArray[np.bool_],
    fold: NDArray[np.int64],
    alpha: float = 0.1,
    *,
    by_class: bool = True,
) -> NDArray[np.bool_]:
    """Sets for the children of a cross-validation, each calibrated on the other folds.

    Parameters
    ----------
    probability : ndarray, shape (n,)
        Out-of-fold probabilities.
    asd : ndarray of bool, shape (n,)
    fold : ndarray of int, shape (n,)
        At least two folds.
    alpha : float
    by_class : bool

    Returns
    -------
    ndarray of bool, shape (n, 2)
        Not ASD, ASD.

    Raises
    ------
    InputError
        As ``calibrate``, or there is only one fold.
    """
    _check(probability, asd, alpha)
    _check_folds(fold)
    kept = np.zeros((len(asd), 2), dtype=np.bool_)
    for k in np.unique(fold):
        here = fold == k
        rule = calibrate(probability[~here], asd[~here], alpha, by_class=by_class)
        kept[here] = rule.sets(probability[here])
    return kept


def measure_sets(sets: NDArray[np.bool_], asd: NDArray[np.bool_], alpha: float) -> SetMeasures:
    """Coverage and size of sets, with Wilson intervals.

    Parameters
    ----------
    sets : ndarray of bool, shape (n, 2)
        Not ASD, ASD.
    asd : ndarray of bool, shape (n,)
    alpha : float
        With which the sets were made.
    """
    covered = sets[np.arange(len(asd)), asd.astype(np.int64)]
    size = sets.sum(axis=1)
    n = len(asd)
    single = size == 1
    return SetMeasures(
        nominal=1 - alpha,
        coverage=wilson(int(covered.sum()), n),
        coverage_asd=wilson(int(covered[asd].sum()), int(asd.sum())),
        coverage_other=wilson(int(covered[~asd].sum()), int((~asd).sum())),
        single=wilson(int(single.sum()), n),
        both=wilson(int((size == 2).sum()), n),
        none=wilson(int((size == 0).sum()), n),
        single_correct=wilson(int((covered & single).sum()), int(single.sum())),
        n=n,
    )


def _nonconformity(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """One minus the probability of each diagnosis, last axis not ASD, ASD."""
    return np.stack([probability, 1 - probability], axis=-1)


def _limit(nonconformity: NDArray[np.float64], alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest; infinite when there is none."""
    n = len(nonconformity)
    # Rounding must not push (n + 1)(1 - alpha) = 45.000000000000001 to 46.
    rank = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    return float(np.sort(nonconformity)[rank - 1]) + _ROUNDING if rank <= n else float("inf")


def _check(probability: NDArray[np.float64], asd: NDArray[np.bool_], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"An error rate of {alpha} asked; it must lie between 0 and 1.")
    if not len(asd) or probability.shape != asd.shape:
        raise InputError(
            f"{probability.shape} probabilities and {asd.shape} diagnoses were given; conformal "
            "sets need one probability for each calibration child, and at least one child."
        )
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InputError("Probabilities must lie between 0 and 1; give probabilities, not scores.")


def _check_folds(fold: NDArray[np.int64]) -> None:
    if len(np.unique(fold)) < 2:
        raise InputError(
            "Only one fold was given; the children of a fold are judged by the others, so at least "
            "two are needed."
        )
