"""Bootstrap resamples as matrices of weights, all drawn at once.

A resample of n rows is the number of times each row was drawn. Any mean, count or pair statistic of
all resamples is then one matrix product, with no loop over them. A participant is one row; where
several rows belong to one participant, or participants to one clinic, whole clusters are drawn.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.estimate import Estimate, student

__all__ = ["DRAWS", "cluster_interval", "cluster_weights", "stratified_weights"]

DRAWS: Final = 2000
"""Resamples behind an interval; the limits' own error is then about a tenth of their half-width."""


def stratified_weights(
    strata: NDArray[np.generic], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw rows with replacement within each stratum, whose size stays as it is.

    Parameters
    ----------
    strata : ndarray, shape (n,)
        For example the diagnosis, or diagnosis and fold together.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (draws, n)
        How often each row was drawn.
    """
    weights = np.empty((draws, len(strata)))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)
    return weights


def cluster_weights(
    clusters: NDArray[np.generic], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw whole clusters with replacement, as many as there are.

    Parameters
    ----------
    clusters : ndarray, shape (n,)
        Clinic (or participant) of each row.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (draws, n)
        How often each row's cluster was drawn.
    """
    names, position = np.unique(clusters, return_inverse=True)
    many = len(names)
    drawn = rng.multinomial(many, np.full(many, 1 / many), draws).astype(np.float64)
    return drawn[:, position]


def cluster_interval(value: float, draws: NDArray[np.float64], clusters: int) -> Estimate:
    """Interval of a share from cluster resamples, fit for the few clinics of a federation.

    Parameters
    ----------
    value : float
        The figure on the data, within [0, 1].
    draws : ndarray, shape (n_draws,)
        The figure on each resample of clusters; NaN where it is not defined.
    clusters : int
        Number of clusters.

    Notes
    -----
    Percentiles of so few clusters are too narrow. The draws' standard deviation is corrected by
    sqrt(G / (G - 1)) and taken times the t quantile with G - 1 degrees of freedom (Cameron and
    Miller 2015, J. Hum. Resour. 50:317, section VI).
    """
    method = f"bootstrap of {clusters} clinics, t with {clusters - 1} degrees of freedom"
    kept = draws[~np.isnan(draws)]
    if clusters < 2 or len(kept) < 2 or math.isnan(value):
        return Estimate(value, math.nan, math.nan, method)
    error = float(kept.std(ddof=1)) * math.sqrt(clusters / (clusters - 1))
    wide = student(value, error, clusters - 1, method)
    return Estimate(value, max(wide.low, 0.0), min(wide.high, 1.0), method)
