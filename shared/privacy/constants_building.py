"""Make the public constants from a table of public people's features.

Kept apart from :mod:`shared.privacy.constants`, which every node reads: building happens once, on a
desk, and needs the finished map to measure its largest eigenvalues.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import (
    ATTRIBUTE_GROUPS,
    AttributeGroup,
    all_combinations,
    combination_name,
)
from shared.errors import InputError
from shared.features import FEATURES_VERSION
from shared.privacy.constants import (
    CONSTANTS_VERSION,
    FEWEST_PEOPLE,
    SCORE_LIMIT,
    GroupConstants,
    PublicConstants,
    composites,
    feature_logits,
)
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

__all__ = ["build_constants"]

_SHRINKAGE: Final = 0.8  # weight of the covariance against its own diagonal


def build_constants(features: NDArray[np.float64], source: str) -> PublicConstants:
    """Make constants from the temporal features of unlabelled public people.

    Parameters
    ----------
    features : ndarray, shape (n_people, n_features)
        At least 20 rows without missing values.
    source : str
        Who these people are, for the study's readers.

    Raises
    ------
    InputError
        When there are too few people or a row is not finite.
    """
    usable = features[np.isfinite(features).all(axis=1)]
    if len(usable) < FEWEST_PEOPLE:
        raise InputError(
            f"{len(usable)} usable public people ({len(features)} given); at least "
            f"{FEWEST_PEOPLE} unlabelled people with complete features are needed"
        )
    located = feature_logits(usable)
    mean = located.mean(axis=0)
    sd = np.maximum(located.std(axis=0, ddof=1), 1e-3)
    scores = np.clip((located - mean) / sd, -SCORE_LIMIT, SCORE_LIMIT)

    groups: dict[AttributeGroup, GroupConstants] = {}
    for group in ATTRIBUTE_GROUPS:
        fine, coarse = composites(scores, group)
        fine_w, fine_c, fine_v = _whitening(fine)
        coarse_w, coarse_c, coarse_v = _whitening(coarse)
        groups[group] = GroupConstants(
            fine_whitening=fine_w.tolist(),
            fine_centre=fine_c.tolist(),
            fine_variance=fine_v,
            coarse_whitening=coarse_w.tolist(),
            coarse_centre=coarse_c.tolist(),
            coarse_variance=coarse_v,
        )
    draft = PublicConstants(
        version=CONSTANTS_VERSION,
        features_version=FEATURES_VERSION,
        source=source,
        people=len(usable),
        mean=mean.tolist(),
        sd=sd.tolist(),
        groups=groups,
        top_eigenvalue={combination_name(c): 1.0 for c in all_combinations()},
    )
    return draft.model_copy(update={"top_eigenvalue": _top_eigenvalues(draft, usable)})


def _whitening(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return W = C_shrunk^(-1/2) (symmetric root), the centre W mean, and the variance of W x."""
    covariance = np.cov(values, rowvar=False)
    diagonal = np.diag(np.diag(covariance))
    shrunk = (1 - _SHRINKAGE) * diagonal + _SHRINKAGE * covariance
    eigenvalues, vectors = np.linalg.eigh(shrunk)
    floor = 1e-6 * max(float(eigenvalues[-1]), 1e-12)
    root = (vectors / np.sqrt(np.maximum(eigenvalues, floor))) @ vectors.T
    variance = float(np.trace(root @ covariance @ root.T))
    return root, root @ values.mean(axis=0), variance


def _top_eigenvalues(constants: PublicConstants, features: NDArray[np.float64]) -> dict[str, float]:
    largest = {}
    for combination in all_combinations():
        feature_map = AffectMap(constants, combination)
        rows = feature_map.unit_vectors(features) / GRID
        moment = rows.T @ rows / len(rows)
        largest[combination_name(combination)] = min(1.0, float(np.linalg.eigvalsh(moment)[-1]))
    return largest
