"""The public constants a study freezes: where typical features lie and how they vary together.

They come from public, pilot or synthetic people only, never from the participants of a study, so
using them costs no privacy. The file is JSON, versioned, and named by its SHA-256 in the study.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.channels import (
    ATTRIBUTE_GROUPS,
    GROUP_CHANNELS,
    AttributeGroup,
    all_combinations,
    combination_name,
)
from shared.errors import InputError
from shared.features import (
    FEATURE_CHANNEL,
    FEATURE_CLASS,
    FEATURE_NAMES,
    FEATURE_RANGES,
    FEATURE_SIGN,
    FEATURES_VERSION,
)

__all__ = [
    "CONSTANTS_VERSION",
    "DEFAULT_CONSTANTS",
    "FEWEST_PEOPLE",
    "SCORE_LIMIT",
    "GroupConstants",
    "PublicConstants",
    "composites",
    "feature_logits",
    "load_constants",
    "standard_scores",
]

CONSTANTS_VERSION: Final = 2
DEFAULT_CONSTANTS: Final = Path(__file__).with_name("surrogate_constants.json")
"""Constants of the surrogate population, used until a study brings its own pilot recordings."""

_CLASSES: Final = 3  # level, variability, dynamics
FEWEST_PEOPLE: Final = 20
_EDGE: Final = 1e-6  # keeps the logit finite
SCORE_LIMIT: Final = 3.0


class GroupConstants(BaseModel):
    """Whitening of one attribute group: fine (channel x class) and coarse (class) composites."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fine_whitening: list[list[float]]
    fine_centre: list[float]
    fine_variance: float
    coarse_whitening: list[list[float]]
    coarse_centre: list[float]
    coarse_variance: float


class PublicConstants(BaseModel):
    """Everything the map from temporal features to unit vectors takes from public people."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: int
    features_version: int
    source: str
    people: int
    mean: list[float]
    sd: list[float]
    groups: dict[AttributeGroup, GroupConstants]
    top_eigenvalue: dict[str, float]

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @functools.cached_property
    def feature_mean(self) -> NDArray[np.float64]:
        """Mean logit of each feature, shape (n_features,)."""
        return np.array(self.mean)

    @functools.cached_property
    def feature_sd(self) -> NDArray[np.float64]:
        """Standard deviation of each feature's logit, shape (n_features,)."""
        return np.array(self.sd)

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True) + "\n"


def load_constants(path: Path = DEFAULT_CONSTANTS) -> PublicConstants:
    """Read and validate a constants file.

    Raises
    ------
    InputError
        When the file is missing, malformed, or made for another version of the features.
    """
    try:
        constants = PublicConstants.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"no public constants at {path}; make them with `fedaffect-sim constants`"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path} is not a constants file: {where or 'content'}: {first['msg']}. "
            "Make it anew with `fedaffect-sim constants`"
        ) from None
    made_for = (constants.version, constants.features_version)
    if made_for != (CONSTANTS_VERSION, FEATURES_VERSION) or len(constants.mean) != len(
        FEATURE_NAMES
    ):
        raise InputError(
            f"{path} is for constants {made_for[0]} and features {made_for[1]} "
            f"({len(constants.mean)} of them); this version needs {CONSTANTS_VERSION} and "
            f"{FEATURES_VERSION} ({len(FEATURE_NAMES)}). Make it anew with "
            "`fedaffect-sim constants`"
        )
    flaw = _flaw(constants)
    if flaw:
        raise InputError(
            f"{path} is not a constants file: {flaw}. Make it anew with `fedaffect-sim constants`"
        )
    return constants


def standard_scores(
    constants: PublicConstants, features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logits of the features scaled to their public ranges, in public standard deviations.

    Returns
    -------
    ndarray, shape (..., n_features)
        Clipped to [-3, 3]; a missing feature stays missing.
    """
    scores = (feature_logits(features) - constants.feature_mean) / constants.feature_sd
    clipped: NDArray[np.float64] = np.clip(scores, -SCORE_LIMIT, SCORE_LIMIT)
    return clipped


def composites(
    scores: NDArray[np.float64], group: AttributeGroup
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the signed scores: per channel and class (fine), and per class (coarse).

    Parameters
    ----------
    scores : ndarray, shape (..., n_features)
    group : AttributeGroup
        The attribute group whose channels are used.

    Returns
    -------
    fine : ndarray, shape (..., 3 * n_channels)
        Channel-major; class order level, variability, dynamics.
    coarse : ndarray, shape (..., 3)
    """
    fine_weights, coarse_weights = _composite_weights(group)
    return scores @ fine_weights, scores @ coarse_weights


@functools.cache
def _composite_weights(
    group: AttributeGroup,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns = []
    for channel in GROUP_CHANNELS[group]:
        for statistic_class in range(_CLASSES):
            members = np.equal(FEATURE_CHANNEL, channel) & np.equal(FEATURE_CLASS, statistic_class)
            columns.append(np.where(members, FEATURE_SIGN, 0.0) / members.sum())
    fine = np.stack(columns, axis=1)
    coarse = np.stack([fine[:, index::_CLASSES].mean(axis=1) for index in range(_CLASSES)], axis=1)
    return fine, coarse


def _flaw(constants: PublicConstants) -> str | None:
    """Return the first thing in a constants file that the map could not work with."""
    if constants.people < FEWEST_PEOPLE:
        return f"people: {constants.people}, at least {FEWEST_PEOPLE} are needed"
    if len(constants.sd) != len(FEATURE_NAMES) or min(constants.sd) <= 0:
        return f"sd: {len(FEATURE_NAMES)} numbers above 0 are needed"
    for group in ATTRIBUTE_GROUPS:
        block = constants.groups.get(group)
        if block is None:
            return f"groups: {group} is missing"
        fine = _CLASSES * len(GROUP_CHANNELS[group])
        for name, size in (("fine", fine), ("coarse", _CLASSES)):
            whitening: list[list[float]] = getattr(block, f"{name}_whitening")
            lengths = {len(whitening), *map(len, whitening), len(getattr(block, f"{name}_centre"))}
            if lengths != {size} or getattr(block, f"{name}_variance") <= 0:
                return f"groups.{group}: a {name} whitening of size {size} is needed"
    for combination in all_combinations():
        name = combination_name(combination)
        if not 0 < constants.top_eigenvalue.get(name, 0.0) <= 1:
            return f"top_eigenvalue: {name} must be there and lie in (0, 1]"
    return None


def feature_logits(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of features placed in their public range, shape (..., n_features), ends kept off."""
    low, high = FEATURE_RANGES[:, 0], FEATURE_RANGES[:, 1]
    with np.errstate(over="ignore"):  # an infinite quotient is clipped like any other
        placed = np.clip((features - low) / (high - low), _EDGE, 1 - _EDGE)
    logits: NDArray[np.float64] = np.log(placed) - np.log1p(-placed)
    return logits
