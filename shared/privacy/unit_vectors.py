"""The map phi: a participant's temporal features become one vector of norm at most one.

Scores of all statistics are averaged into composites per channel and class (fine) and per
attribute group and class (coarse), each whitened with public constants, block by block, so that
any combination of attribute groups is a sub-vector; the result is divided by its own length.
Nothing here depends on another participant.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, AttributeGroup, combination_name
from shared.errors import InputError
from shared.privacy.constants import PublicConstants, composites, standard_scores
from shared.privacy.grid import on_grid

__all__ = ["AffectMap"]

_COARSE_SHARE: Final = 0.25
_SHORTEST: Final = 0.35  # in units of the public root-mean-square norm; shorter rows stay short


_Numbers = NDArray[np.float64]
_Block = tuple[AttributeGroup, _Numbers, _Numbers, _Numbers, _Numbers]


class AffectMap:
    """Unit vectors of temporal affect features for one combination of attribute groups.

    Parameters
    ----------
    constants : PublicConstants
        The study's public constants.
    groups : sequence of AttributeGroup
        Attribute groups that enter, at least one.

    Raises
    ------
    InputError
        When a group is unknown or none is given.
    """

    constant_last = False
    releases_threshold = True

    def __init__(self, constants: PublicConstants, groups: Sequence[AttributeGroup]) -> None:
        unknown = sorted(set(groups) - set(ATTRIBUTE_GROUPS))
        if unknown or not groups:
            raise InputError(
                f"attribute groups {list(groups)} asked; choose at least one of "
                f"{', '.join(ATTRIBUTE_GROUPS)}"
            )
        self.constants = constants
        self.groups = tuple(group for group in ATTRIBUTE_GROUPS if group in groups)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the constants and the chosen groups."""
        name = f"{self.constants.digest}|{combination_name(self.groups)}"
        return hashlib.sha256(name.encode()).hexdigest()

    @property
    def top_eigenvalue(self) -> float:
        """Largest eigenvalue of the public people's mean outer product."""
        return self.constants.top_eigenvalue[combination_name(self.groups)]

    @functools.cached_property
    def dimension(self) -> int:
        """Coordinates of a unit vector: 78 for all four groups."""
        blocks = [self.constants.groups[group] for group in self.groups]
        return sum(len(b.coarse_centre) + len(b.fine_centre) for b in blocks)

    def unit_vectors(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Map temporal features to quantised unit vectors.

        Parameters
        ----------
        features : ndarray, shape (n, n_features)
            In the order of ``shared.features.FEATURE_NAMES``.

        Returns
        -------
        ndarray of int64, shape (n, dimension)
            Norm <= ``GRID``; a row with a feature that is not finite is a zero row.
        """
        vectors = np.zeros((len(features), self.dimension), dtype=np.int64)
        # One participant at a time: the same arithmetic in the same order whoever else is there.
        for row, vector in zip(features, vectors, strict=True):
            if np.isfinite(row).all():
                vector[:] = self._unit_vector(np.array(row))
        return vectors

    def _unit_vector(self, row: _Numbers) -> NDArray[np.int64]:
        scores = standard_scores(self.constants, row)
        parts = []
        for group, fine_whitening, fine_centre, coarse_whitening, coarse_centre in self._blocks:
            fine, coarse = composites(scores, group)
            parts.append(coarse @ coarse_whitening - coarse_centre)
            parts.append(fine @ fine_whitening - fine_centre)
        whole = np.concatenate(parts)
        return on_grid(whole / max(float(np.linalg.norm(whole)), _SHORTEST))

    @functools.cached_property
    def _blocks(self) -> list[_Block]:
        """Whitening and centres of the chosen groups, scaled to a public mean square of one."""
        chosen = [self.constants.groups[group] for group in self.groups]
        fine_scale = np.sqrt((1 - _COARSE_SHARE) / sum(c.fine_variance for c in chosen))
        coarse_scale = np.sqrt(_COARSE_SHARE / sum(c.coarse_variance for c in chosen))
        return [
            (
                group,
                fine_scale * np.array(block.fine_whitening),
                fine_scale * np.array(block.fine_centre),
                coarse_scale * np.array(block.coarse_whitening),
                coarse_scale * np.array(block.coarse_centre),
            )
            for group, block in zip(self.groups, chosen, strict=True)
        ]
