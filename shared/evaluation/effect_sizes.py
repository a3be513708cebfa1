"""How large a difference between the diagnoses is: Hedges' g and Cliff's delta with intervals.

Participants are compared within their clinic only, so a difference between clinics is never taken
for one between diagnoses; with one clinic these are the textbook figures: Hedges' g (1981) with
the interval of Hedges and Olkin 1985, and Cliff's delta (1993) with Feng and Cliff's 2004
asymmetric interval about a jackknife variance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import rankdata

from shared.errors import InputError
from shared.evaluation.estimate import Z
from shared.evaluation.plain import plain

__all__ = ["Effects", "cliffs_delta", "hedges_g", "strata_of"]


@dataclass(frozen=True, eq=False)
class Effects:
    """One effect size of each feature with its 95 % interval.

    Attributes
    ----------
    value, low, high : ndarray, shape (d,)
        Above 0 where the ASD group has the higher values; NaN where it is not defined.
    method : str
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    method: str

    def as_json(self) -> dict[str, Any]:
        """Lists by name; None where not defined."""
        return {
            "value": plain(self.value),
            "low": plain(self.low),
            "high": plain(self.high),
            "method": self.method,
        }


def hedges_g(
    features: NDArray[np.float64], asd: NDArray[np.bool_], clinic: ArrayLike | None = None
) -> Effects:
    """Hedges' g of each feature: difference of means in pooled standard deviations, unbiased.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    asd : ndarray of bool, shape (n,)
    clinic : array, shape (n,), optional
        Means are compared within clinics, weighted by n1 n0 / (n1 + n0); the standard deviation is
        pooled over clinics and diagnoses.

    Notes
    -----
    d = difference / s, g = J d with the exact J = Gamma(f / 2) / (sqrt(f / 2) Gamma((f - 1) / 2))
    for f degrees of freedom; var(g) = J^2 (1 / W + d^2 / (2 N)), W the sum of weights, which is
    (n1 + n0) / (n1 n0) + d^2 / (2 (n1 + n0)) for one clinic (Hedges and Olkin 1985, chapter 5).
    NaN for a feature that does not vary.
    """
    strata = strata_of(asd, clinic)
    d = features.shape[1]
    difference, weight, squares, freedom = (np.zeros(d) for _ in range(4))
    for stratum in np.unique(strata):
        counts, means = np.zeros((2, d)), np.zeros((2, d))
        for label in (0, 1):
            rows = features[(strata == stratum) & (asd == label)]
            present = ~np.isnan(rows)
            counts[label] = present.sum(axis=0)
            filled = np.where(present, rows, 0.0)
            means[label] = filled.sum(axis=0) / np.maximum(counts[label], 1)
            squares += np.square(np.where(present, rows - means[label], 0.0)).sum(axis=0)
            freedom += np.maximum(counts[label] - 1, 0)
        share = counts[0] * counts[1] / np.maximum(counts.sum(axis=0), 1)
        difference += share * (means[1] - means[0])
        weight += share
    n = (~np.isnan(features)).sum(axis=0)
    scale = np.sqrt(squares / np.maximum(freedom, 1))
    size = np.nanmax(np.abs(features), axis=0, initial=0.0)
    defined = (weight > 0) & (freedom > 1) & (scale > 1e-12 * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = np.where(defined, difference / (weight * scale), np.nan)
        half = np.where(defined, freedom, np.nan) / 2
        shrink = np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half)
        error = shrink * np.sqrt(1 / weight + raw**2 / (2 * n))
    g = shrink * raw
    return Effects(g, g - Z * error, g + Z * error, "Hedges and Olkin 1985, normal")


def cliffs_delta(
    features: NDArray[np.float64], asd: NDArray[np.bool_], clinic: ArrayLike | None = None
) -> Effects:
    """Cliff's delta of each feature: P(ASD higher) - P(ASD lower), over pairs of one clinic.

    Parameters
    ----------
    features : ndarray, shape (n, d)
    asd : ndarray of bool, shape (n,)
    clinic : array, shape (n,), optional

    Notes
    -----
    The interval is Feng and Cliff's 2004 (asymmetric, within [-1, 1]) about the jackknife
    variance, which keeps a participant's pairs together. Without any overlap between the groups
    it is their (n - z^2) / (n + z^2), n the smaller group.
    """
    strata = strata_of(asd, clinic)
    wins, pairs = np.zeros(features.shape), np.zeros(features.shape)
    missing = np.isnan(features)
    for stratum in np.unique(strata):
        here = strata == stratum
        if asd[here].all() or not asd[here].any():
            continue
        # A missing value ranks above all others and so moves no rank of theirs.
        values = np.where(missing[here], np.inf, features[here])
        overall = rankdata(values, axis=0)
        for label in (False, True):
            own, others = here & (asd == label), here & (asd != label)
            below = overall[asd[here] == label] - rankdata(values[asd[here] == label], axis=0)
            n_others = (~missing[others]).sum(axis=0)
            wins[own] = np.where(missing[own], 0.0, 2 * below - n_others)
            pairs[own] = np.where(missing[own], 0.0, n_others)
    # ``wins`` is seen from each side: ASD rows count up, the others count down.
    total, all_pairs = wins[asd].sum(axis=0), pairs[asd].sum(axis=0)
    signed = np.where(asd[:, None], wins, -wins)
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = total / all_pairs
        without = (total - signed) / (all_pairs - pairs)
    variance = np.zeros(features.shape[1])
    for label in (False, True):
        used = (asd == label)[:, None] & (pairs > 0)
        n = used.sum(axis=0)
        left = np.where(used, without, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            centre = left.sum(axis=0) / n
            variance += (n - 1) / n * np.square(np.where(used, left - centre, 0.0)).sum(axis=0)
    smaller = np.minimum(*((pairs[asd == label] > 0).sum(axis=0) for label in (False, True)))
    low, high = _feng_cliff(delta, variance, smaller)
    return Effects(delta, low, high, "Feng and Cliff 2004, jackknife variance")


def strata_of(asd: NDArray[np.bool_], clinic: ArrayLike | None) -> NDArray[np.int64]:
    """Number of each participant's clinic from 0 on, shape (n,); all 0 without clinics.

    Raises
    ------
    InputError
        Lengths do not agree, or no clinic has participants of both diagnoses.
    """
    if clinic is None:
        strata = np.zeros(len(asd), dtype=np.int64)
    else:
        strata = np.unique(np.asarray(clinic), return_inverse=True)[1].astype(np.int64)
    if len(strata) != len(asd):
        raise InputError(f"{len(strata)} clinics were given for {len(asd)} participants.")
    mixed = [0 < asd[strata == s].sum() < (strata == s).sum() for s in np.unique(strata)]
    if not any(mixed):
        raise InputError(
            f"None of {len(mixed)} clinics has participants of both diagnoses, so nothing can be "
            "compared within a clinic. Compare without clinics, or add participants."
        )
    return strata


def _feng_cliff(
    delta: NDArray[np.float64], variance: NDArray[np.float64], smaller: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    reach = Z**2 * variance
    root = np.sqrt(reach * (np.square(1 - delta**2) + reach))
    with np.errstate(divide="ignore", invalid="ignore"):
        low = (delta - delta**3 - root) / (1 - delta**2 + reach)
        high = (delta - delta**3 + root) / (1 - delta**2 + reach)
    apart = np.abs(delta) >= 1 - 1e-9
    nearest = (smaller - Z**2) / (smaller + Z**2)
    low = np.where(apart, np.where(delta > 0, nearest, -1.0), low)
    high = np.where(apart, np.where(delta > 0, 1.0, -nearest), high)
    return low, high
