"""How far a single call can be relied on, from cross-validated scores."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.evaluation.conformal import SetMeasures, held_out_sets, measure_sets
from shared.evaluation.indeterminate import (
    Zone,
    ZoneMeasures,
    choose_zone,
    held_out_zone,
    measure_zone,
)
from shared.evaluation.venn_abers import held_out_venn_abers

__all__ = ["ALPHAS", "IndeterminateZone", "Uncertainty", "measure_uncertainty"]

Numbers = NDArray[np.float64]

ALPHAS: Final = (0.1, 0.2)
"""Accepted shares of errors of the conformal sets."""

_ZONE_TARGETS: Final = (0.9, 0.8, 0.7)
"""Sensitivity and specificity asked outside the zone: the first that can be reached."""


@dataclass(frozen=True, eq=False)
class IndeterminateZone:
    """A zone of probabilities without a call, and how it did on folds it was not chosen on.

    Attributes
    ----------
    target : float
        Sensitivity and specificity asked outside it.
    low, high : float
        Probabilities, as chosen on everybody.
    measures : ZoneMeasures
        With each fold's zone chosen on the other folds.
    folds, folds_without : int
        Folds, and those of which the other folds had no zone that reaches the targets.
    """

    target: float
    low: float
    high: float
    measures: ZoneMeasures
    folds: int
    folds_without: int


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far a single call can be relied on.

    Attributes
    ----------
    zone : IndeterminateZone or None
        None where no zone reaches the targets, or none is needed.
    zone_needless : bool
        Whether the highest target is reached with a call for everybody.
    sets : tuple of SetMeasures
        Class-conditional conformal sets, one an entry of ``ALPHAS``.
    venn_abers_width : ndarray, shape (n,)
        Width of each participant's probability interval.
    """

    zone: IndeterminateZone | None
    zone_needless: bool
    sets: tuple[SetMeasures, ...]
    venn_abers_width: Numbers


def measure_uncertainty(
    asd: NDArray[np.bool_], score: Numbers, fold: NDArray[np.int64]
) -> Uncertainty:
    """Zone without a call, conformal sets and probability intervals.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Cross-validated log-odds of ASD.
    fold : ndarray of int, shape (n,)

    Raises
    ------
    InputError
        One diagnosis is missing, or there is only one fold.
    """
    probability = expit(score)
    kept, needless = None, False
    for target in _ZONE_TARGETS:
        zone = choose_zone(asd, score, sensitivity=target, specificity=target)
        if zone is not None:
            if zone.low > zone.high:
                needless = True
                break
            kept = _held_out(asd, score, fold, zone, target)
            break
    sets = tuple(
        measure_sets(held_out_sets(probability, asd, fold, alpha), asd, alpha) for alpha in ALPHAS
    )
    low, high = held_out_venn_abers(score, asd, fold)
    return Uncertainty(kept, needless, sets, high - low)


def _held_out(
    asd: NDArray[np.bool_], score: Numbers, fold: NDArray[np.int64], zone: Zone, target: float
) -> IndeterminateZone:
    zones, inside = held_out_zone(asd, score, fold, sensitivity=target, specificity=target)
    ends = expit(np.array([zone.low, zone.high]))
    return IndeterminateZone(
        target,
        float(ends[0]),
        float(ends[1]),
        measure_zone(asd, score, inside),
        len(zones),
        zones.count(None),
    )
