"""What the mechanism needs to know of a map from a participant's features to a unit vector.

A map is made from public constants alone, so one participant's vector depends on that participant
only. Two exist: :class:`shared.privacy.unit_vectors.AffectMap` for temporal affect features, and
:class:`shared.privacy.table_map.TableMap` for any table of numbers.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.privacy.grid import GRID

__all__ = ["FeatureMap", "direction_and_threshold", "training_rows", "unit_scores"]

_FEATURE_WEIGHT = np.sqrt(0.8)
_CONSTANT_WEIGHT = np.sqrt(0.2)


class FeatureMap(Protocol):
    """A public map from features to quantised vectors of norm at most one.

    Attributes
    ----------
    digest : str
        SHA-256 of everything the map is made of.
    dimension : int
        Coordinates k of a unit vector.
    top_eigenvalue : float
        Largest eigenvalue of the mean outer product of the public people's training rows.
    appends_constant : bool
        Whether training appends a constant coordinate to each unit vector.
    releases_threshold : bool
        Whether a threshold is released after the direction; if so the constant coordinate serves
        the training only and is dropped from the model.
    """

    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> int: ...  # noqa: D102
    @property
    def top_eigenvalue(self) -> float: ...  # noqa: D102
    @property
    def appends_constant(self) -> bool: ...  # noqa: D102
    @property
    def releases_threshold(self) -> bool: ...  # noqa: D102

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Integer vectors, shape (n, dimension), norm <= GRID; an unusable row is a zero row."""
        ...


def training_rows(feature_map: FeatureMap, vectors: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows the direction is trained on: unit vectors, with a constant coordinate where appended.

    Parameters
    ----------
    feature_map : FeatureMap
        The map the vectors come from.
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors without zero rows.

    Returns
    -------
    ndarray, shape (n, k) or (n, k + 1)
        Norm at most one: (sqrt(.8) phi, sqrt(.2)) where a constant is appended.
    """
    phi = vectors / GRID
    if not feature_map.appends_constant:
        return phi
    constant = np.full((len(phi), 1), _CONSTANT_WEIGHT)
    return np.hstack([_FEATURE_WEIGHT * phi, constant])


def unit_scores(vectors: NDArray[np.int64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Projection of unit vectors on the normalised direction, in [-1, 1]; zero rows score 0."""
    length = float(np.linalg.norm(direction))
    if length == 0:
        return np.zeros(len(vectors))
    scores: NDArray[np.float64] = (vectors / GRID) @ (direction / length)
    return scores


def direction_and_threshold(
    feature_map: FeatureMap, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Weights on training rows, read as a direction on unit vectors and a threshold on its score.

    Parameters
    ----------
    feature_map : FeatureMap
    weights : ndarray, shape (k,) or (k + 1,)
        With the weight of the appended constant last, where one is appended.
    """
    if not feature_map.appends_constant:
        return weights, 0.0
    direction, constant = weights[:-1], float(weights[-1])
    length = float(np.linalg.norm(direction))
    if length == 0:
        return direction, 0.0
    return direction, float(-constant * _CONSTANT_WEIGHT / (_FEATURE_WEIGHT * length))
