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
    "GroupConstants",
    "PublicConstants",
    "build_constants",
    "composites",
    "load_constants",
    "standard_scores",
]

CONSTANTS_VERSION: Final = 1
DEFAULT_CONSTANTS: Final = Path(__file__).with_name("surrogate_constants.json")
"""Constants of the surrogate population, used until a study brings its own pilot recordings."""

_CLASSES: Final = 3  # level, variability, dynamics
_FEWEST_PEOPLE: Final = 20
_EDGE: Final = 1e-6  # keeps the logit finite
_SCORE_LIMIT: Final = 3.0
_SHRINKAGE: Final = 0.8


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
    if len(usable) < _FEWEST_PEOPLE:
        raise InputError(
            f"{len(usable)} usable public people ({len(features)} given); at least "
            f"{_FEWEST_PEOPLE} unlabelled people with complete features are needed"
        )
    located = _logits(usable)
    mean = located.mean(axis=0)
    sd = np.maximum(located.std(axis=0, ddof=1), 1e-3)
    scores = np.clip((located - mean) / sd, -_SCORE_LIMIT, _SCORE_LIMIT)

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


def standard_scores(
    constants: PublicConstants, features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logits of the features scaled to their public ranges, in public standard deviations.

    Returns
    -------
    ndarray, shape (n, n_features)
        Clipped to [-3, 3]; a missing feature stays missing.
    """
    scores = (_logits(features) - np.array(constants.mean)) / np.array(constants.sd)
    clipped: NDArray[np.float64] = np.clip(scores, -_SCORE_LIMIT, _SCORE_LIMIT)
    return clipped


def composites(
    scores: NDArray[np.float64], group: AttributeGroup
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the signed scores: per channel and class (fine), and per class (coarse).

    Parameters
    ----------
    scores : ndarray, shape (n, n_features)
    group : AttributeGroup
        The attribute group whose channels are used.

    Returns
    -------
    fine : ndarray, shape (n, 3 * n_channels)
        Channel-major; class order level, variability, dynamics.
    coarse : ndarray, shape (n, 3)
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
    if constants.people < _FEWEST_PEOPLE:
        return f"people: {constants.people}, at least {_FEWEST_PEOPLE} are needed"
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


def _logits(features: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = FEATURE_RANGES[:, 0], FEATURE_RANGES[:, 1]
    with np.errstate(over="ignore"):  # an infinite quotient is clipped like any other
        placed = np.clip((features - low) / (high - low), _EDGE, 1 - _EDGE)
    logits: NDArray[np.float64] = np.log(placed) - np.log1p(-placed)
    return logits


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
    from shared.privacy.feature_map import training_rows
    from shared.privacy.unit_vectors import AffectMap

    largest = {}
    for combination in all_combinations():
        feature_map = AffectMap(constants, combination)
        rows = training_rows(feature_map, feature_map.unit_vectors(features))
        moment = rows.T @ rows / len(rows)
        largest[combination_name(combination)] = min(1.0, float(np.linalg.eigvalsh(moment)[-1]))
    return largest
