"""Unit vectors for any table of numbers, from public ranges or from public people.

With public lower and upper bounds each column is scaled to [-1, 1]; with a table of unlabelled
public people it is standardised and whitened by their mean and covariance. Either way nothing is
taken from the private rows. A missing value is 0 after scaling, and several rows of one participant
are averaged after scaling, so the unit of privacy stays the participant.
"""

import functools
import hashlib
import json
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.privacy.grid import on_grid

__all__ = ["TableMap", "map_from_people", "map_from_ranges"]

_SCORE_LIMIT: Final = 3.0
_RANGE_CONSTANT: Final = 0.5
_FEWEST_PEOPLE: Final = 20


class TableMap:
    """Public scaling, whitening and constant coordinate of a feature table.

    Built by :func:`map_from_ranges` or :func:`map_from_people`. It works in two steps, because
    rows of one participant are averaged between them: :meth:`standardise` and
    :meth:`unit_vectors`.

    Parameters
    ----------
    centre, scale : ndarray, shape (d,)
        Standard scores are (value - centre) / scale, clipped to +-``limit``.
    limit : float
        Clipping of the standard scores.
    offset : ndarray, shape (d,)
        Subtracted after clipping.
    whitening : ndarray, shape (d, d)
        Applied after the offset.
    constant : float
        The constant coordinate beside the whitened scores.
    releases_threshold : bool
        Whether a threshold is released (people) or the constant coordinate serves as the
        intercept (ranges).
    """

    constant_last = True

    def __init__(
        self,
        *,
        centre: NDArray[np.float64],
        scale: NDArray[np.float64],
        limit: float,
        offset: NDArray[np.float64],
        whitening: NDArray[np.float64],
        constant: float,
        releases_threshold: bool,
    ) -> None:
        self.centre = centre
        self.scale = scale
        self.limit = limit
        self.offset = offset
        self.whitening = whitening
        self.constant = constant
        self.releases_threshold = releases_threshold
        self.top_eigenvalue = 1.0

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over all numbers of the map."""
        numbers = [
            self.centre.tolist(),
            self.scale.tolist(),
            self.limit,
            self.offset.tolist(),
            self.whitening.tolist(),
            self.constant,
            self.releases_threshold,
            self.top_eigenvalue,
        ]
        return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()

    @property
    def dimension(self) -> int:
        """Coordinates of a unit vector: the columns and the constant."""
        return len(self.centre) + 1

    def standardise(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard scores of raw rows, shape (n, d); missing values become 0."""
        with np.errstate(over="ignore"):  # an infinite score is clipped like any other
            scores = np.clip((rows - self.centre) / self.scale, -self.limit, self.limit)
        return np.where(np.isnan(rows), 0.0, scores)

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Map standard scores, averaged by participant, to quantised unit vectors.

        Parameters
        ----------
        features : ndarray, shape (n, d)
            From :meth:`standardise`.

        Returns
        -------
        ndarray of int64, shape (n, d + 1)
            Norm <= ``GRID``; the last coordinate is the constant. A row that is not finite is a
            zero row.
        """
        vectors = np.zeros((len(features), self.dimension), dtype=np.int64)
        # One participant at a time: the same arithmetic in the same order whoever else is there.
        for row, vector in zip(features, vectors, strict=True):
            if np.isfinite(row).all():
                whole = np.append((np.array(row) - self.offset) @ self.whitening, self.constant)
                vector[:] = on_grid(whole / np.linalg.norm(whole))
        return vectors


def map_from_ranges(low: NDArray[np.float64], high: NDArray[np.float64]) -> TableMap:
    """Scale each column from its public range to [-1, 1].

    Parameters
    ----------
    low, high : ndarray, shape (d,)
        Public bounds; values beyond them are clipped.

    Raises
    ------
    InputError
        When a bound is not finite or a lower bound is not below its upper bound.
    """
    wrong = ~(np.isfinite(low) & np.isfinite(high) & (low < high))
    if wrong.any():
        raise InputError(
            f"public range of column {int(np.flatnonzero(wrong)[0]) + 1} is "
            f"[{low[wrong][0]}, {high[wrong][0]}]; the lower bound must be below the upper bound"
        )
    d = len(low)
    return TableMap(
        centre=(low + high) / 2,
        scale=(high - low) / 2,
        limit=1.0,
        offset=np.zeros(d),
        whitening=np.eye(d) / np.sqrt(d),
        constant=_RANGE_CONSTANT,
        releases_threshold=False,
    )


def map_from_people(people: NDArray[np.float64]) -> TableMap:
    """Standardise and whiten by unlabelled public people.

    Parameters
    ----------
    people : ndarray, shape (n, d)
        Raw values of at least 20 people; missing values are left out column by column.

    Raises
    ------
    InputError
        When there are fewer than 20 people or a column holds no value at all.
    """
    if len(people) < _FEWEST_PEOPLE:
        raise InputError(
            f"{len(people)} public people given; at least {_FEWEST_PEOPLE} are needed. "
            "Give public ranges instead"
        )
    empty = np.isnan(people).all(axis=0)
    if empty.any():
        raise InputError(
            f"column {int(np.flatnonzero(empty)[0]) + 1} of the public people holds no value; "
            "remove the column or give public ranges instead"
        )
    if np.isinf(people).any():
        column = int(np.flatnonzero(np.isinf(people).any(axis=0))[0]) + 1
        raise InputError(
            f"column {column} of the public people holds an infinite value; correct it or leave "
            "the cell empty"
        )
    centre = np.nanmean(people, axis=0)
    freedom = np.maximum((~np.isnan(people)).sum(axis=0) - 1, 1)
    spread = np.sqrt(np.nansum(np.square(people - centre), axis=0) / freedom)
    # The mean of equal numbers is off by a rounding error, which is no spread.
    varies = spread > 1e-10 * np.abs(centre)
    draft = TableMap(
        centre=centre,
        scale=np.where(varies, spread, 1.0),
        limit=_SCORE_LIMIT,
        offset=np.zeros(len(centre)),
        whitening=np.eye(len(centre)),
        constant=0.0,
        releases_threshold=True,
    )
    scores = draft.standardise(people)
    offset = scores.mean(axis=0)
    covariance = np.atleast_2d(np.cov(scores, rowvar=False))
    ridge = max(float(np.trace(covariance)) / len(covariance), 1e-9)
    eigenvalues, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    draft.offset = offset
    draft.whitening = (vectors / np.sqrt(eigenvalues)) @ vectors.T
    lengths = np.linalg.norm((scores - offset) @ draft.whitening, axis=1)
    draft.constant = float(np.median(lengths)) / 2 or _RANGE_CONSTANT
    rows = draft.unit_vectors(scores)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)
    moment = unit.T @ unit / len(unit)
    draft.top_eigenvalue = min(1.0, float(np.linalg.eigvalsh(moment)[-1]))
    return draft
