"""Noised counts of participants by label and score bin: what a federation is evaluated by.

Given the released direction and threshold, a participant falls into exactly one of 2 x B cells, so
adding or removing one moves all counts together by one, whatever B is. The released threshold is
an edge, so right and wrong calls follow from the counts. The other edges lie at fixed distances
from it on either side; they follow from the public map alone and were fixed before any score was
seen. With two bins the cells are the confusion matrix.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.grid import GRID
from shared.privacy.threshold import score_limit

__all__ = [
    "BIN_CHOICES",
    "EvaluationBins",
    "bin_edges",
    "counts_by_label",
    "counts_from_sum",
    "evaluation_contribution",
    "score_bins",
]

EvaluationBins = Literal[0, 2, 4, 6, 8]
"""Score bins a study may ask for; 0 for no evaluation."""

BIN_CHOICES: Final = (2, 4, 6, 8)

_OUTERMOST: Final = 2 / 3
"""Share of the score limit that the bins on one side of the threshold divide evenly; scores beyond
it belong to the outermost bin. The limit is 1.8 standard deviations of the scores, so the outermost
bin begins within 1.2 of them and is seldom empty."""


def bin_edges(bins: int, dimension: int) -> NDArray[np.float64]:
    """Edges between the bins, less the threshold.

    Parameters
    ----------
    bins : int
        One of ``BIN_CHOICES``.
    dimension : int
        Coordinates of the unit vectors.

    Returns
    -------
    ndarray, shape (bins - 1,)
        Ascending, in units of the unit score; the middle one is 0 exactly.
    """
    half = bins // 2
    steps = np.arange(1 - half, half) * (_OUTERMOST / half)
    return np.asarray(steps * score_limit(dimension), dtype=np.float64)


def score_bins(
    scores: NDArray[np.float64], threshold: float, bins: int, dimension: int
) -> NDArray[np.int64]:
    """Bin of each participant, from 0 for the lowest scores.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Unit scores; each bin depends on its own score only. What is no number is in bin 0.
    threshold : float
        The released threshold; a score above it, and no other, is in the upper half of the bins.
    bins, dimension : int
        As in :func:`bin_edges`.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    above = scores[:, None] > threshold + bin_edges(bins, dimension)
    found: NDArray[np.int64] = above.sum(axis=1, dtype=np.int64)
    return found


def evaluation_contribution(
    score_bin: NDArray[np.int64],
    asd: NDArray[np.bool_],
    bins: int,
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised counts.

    Parameters
    ----------
    score_bin : ndarray of int64, shape (n,)
        See :func:`score_bins`.
    asd : ndarray of bool, shape (n,)
        Labels.
    bins : int
    variance : int
        This clinic's noise share, squared grid units; 0 adds nothing.
    noise : NoiseSource
        Where the noise comes from.
    release : str
        Name of this release.

    Returns
    -------
    ndarray of int64, shape (2 * bins,)
        ``GRID`` for each participant: first those with ASD, then the others, each from the bin of
        the highest scores to that of the lowest.
    """
    cell = np.where(asd, 0, bins) + (bins - 1 - score_bin)
    total: NDArray[np.int64] = GRID * np.bincount(cell, minlength=2 * bins).astype(np.int64)
    return total + noise.integers(variance, total, release) if variance else total


def counts_from_sum(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts of an opened sum, in its order; noise may make them fractional or negative."""
    return total / GRID


def counts_by_label(counts: Sequence[float]) -> NDArray[np.float64]:
    """Released counts as a table.

    Parameters
    ----------
    counts : sequence of float, length 2 * bins
        In the order of :func:`evaluation_contribution`.

    Returns
    -------
    ndarray, shape (2, bins)
        Row 0 ASD, row 1 the others; columns from the lowest scores to the highest.
    """
    table: NDArray[np.float64] = np.array(counts, dtype=np.float64).reshape(2, -1)[:, ::-1]
    return table
