"""What the mechanism needs to know of a map from a participant's features to a unit vector.

A map is made from public constants alone, so one participant's vector depends on that participant
only. Two exist: :class:`shared.privacy.unit_vectors.AffectMap` for temporal affect features, and
:class:`shared.privacy.table_map.TableMap` for any table of numbers.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.privacy.grid import GRID

__all__ = ["FeatureMap", "unit_scores"]


class FeatureMap(Protocol):
    """A public map from features to quantised vectors of norm at most one.

    Attributes
    ----------
    digest : str
        SHA-256 of everything the map is made of.
    dimension : int
        Coordinates k of a unit vector.
    top_eigenvalue : float
        Largest eigenvalue of the mean outer product of the public people's unit vectors.
    constant_last : bool
        Whether the last coordinate of a unit vector is a constant, which trains an intercept.
    releases_threshold : bool
        Whether a threshold is released after the direction; if so a constant coordinate serves
        the training only and is dropped from the model.
    """

    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> int: ...  # noqa: D102
    @property
    def top_eigenvalue(self) -> float: ...  # noqa: D102
    @property
    def constant_last(self) -> bool: ...  # noqa: D102
    @property
    def releases_threshold(self) -> bool: ...  # noqa: D102

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Integer vectors, shape (n, dimension), norm <= GRID; an unusable row is a zero row."""
        ...


def unit_scores(vectors: NDArray[np.int64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Projection of unit vectors on the normalised direction, in [-1, 1]; zero rows score 0.

    The dot product with a direction on the weight grid is exact, so a participant's score does not
    depend on who else is scored.
    """
    length = float(np.linalg.norm(direction))
    if length == 0:
        return np.zeros(len(vectors))
    scores: NDArray[np.float64] = ((vectors / GRID) @ direction) / length
    return scores
