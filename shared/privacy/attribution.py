"""What moved one participant's score: exactly additive parts, channel by channel.

Up to its length a unit vector is an affine function of the composites (level, variability and
dynamics of each channel, in public standard deviations), and the score is linear in it. So the
score less its threshold is a sum over channels and classes of how far the participant lies from the
public mean, times what the model's direction makes of it, plus a part that no channel has: the
threshold, and the rounding of the unit vector to its grid.

The length divides all parts alike. A part says how this model uses a channel beside all others,
which is an association in the data it was trained on, and neither a cause nor what the channel
would say alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.channels import CHANNELS, GROUP_CHANNELS, AttributeGroup
from shared.features import CLASS_NAMES, FEATURE_CHANNEL, FEATURE_CLASS
from shared.model import LinearModel
from shared.privacy.constants import PublicConstants, composites, standard_scores
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

__all__ = ["Attribution", "attribute_log_odds", "attribute_score", "composite_weights"]

_CLASSES = len(CLASS_NAMES)


@dataclass(frozen=True, eq=False)
class Attribution:
    """A score as a sum of parts.

    Attributes
    ----------
    parts : ndarray, shape (22, 3)
        Channels in the order of ``CHANNELS``, classes level, variability, dynamics; 0 where the
        model does not read the channel. Above 0 speaks for ASD.
    rest : float
        What no channel has: minus the threshold, and the rounding to the grid.
    deviations : ndarray, shape (22, 3)
        How far each composite lies from the public people's mean, in their standard deviations;
        NaN where the model does not read the channel.
    """

    parts: NDArray[np.float64]
    rest: float
    deviations: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Sum of all parts."""
        return float(self.parts.sum()) + self.rest

    def scaled(self, factor: float, shift: float = 0.0) -> "Attribution":
        """Return the parts of ``factor * score + shift``."""
        return Attribution(factor * self.parts, factor * self.rest + shift, self.deviations)


def attribute_score(
    features: NDArray[np.float64],
    feature_map: AffectMap,
    direction: NDArray[np.float64],
    threshold: float,
) -> Attribution:
    """Take one participant's score apart.

    Parameters
    ----------
    features : ndarray, shape (n_features,)
        Finite.
    feature_map : AffectMap
    direction : ndarray, shape (k,)
        Not zero.
    threshold : float

    Returns
    -------
    Attribution
        Its sum is the unit score less the threshold, to rounding of floating-point sums.
    """
    vector = feature_map.unit_vectors(features[None])
    score = float(unit_scores(vector, direction)[0]) - threshold
    scores = standard_scores(feature_map.constants, features)
    weights = _weights(feature_map, direction)
    parts = np.zeros((len(CHANNELS), _CLASSES))
    whole = []
    for group, fine_whitening, fine_centre, coarse_whitening, coarse_centre in feature_map._blocks:
        channels = list(GROUP_CHANNELS[group])
        fine, coarse = composites(scores, group)
        whole += [coarse @ coarse_whitening - coarse_centre, fine @ fine_whitening - fine_centre]
        parts[channels] = (weights[group] * (fine - _mean(feature_map.constants, group))).reshape(
            -1, _CLASSES
        )
    length = _length(np.concatenate(whole), vector[0] / GRID)
    parts = parts / length if length > 0 else np.zeros_like(parts)
    return Attribution(
        parts,
        score - float(parts.sum()),
        _deviations(feature_map.constants, feature_map.groups, scores),
    )


def composite_weights(
    feature_map: AffectMap, direction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much the model makes of each channel and class.

    Parameters
    ----------
    feature_map : AffectMap
    direction : ndarray, shape (k,)
        Not zero.

    Returns
    -------
    ndarray, shape (22, 3)
        Change of the score, before it is divided by the participant's length, when the composite
        rises by one public standard deviation; NaN where the model does not read the channel.
    """
    found = np.full((len(CHANNELS), _CLASSES), np.nan)
    for group, weights in _weights(feature_map, direction).items():
        spread = _spread(feature_map.constants, group)
        found[list(GROUP_CHANNELS[group])] = (weights * spread).reshape(-1, _CLASSES)
    return found


def _weights(
    feature_map: AffectMap, direction: NDArray[np.float64]
) -> dict[AttributeGroup, NDArray[np.float64]]:
    """What the score gains by one unit of each fine composite, through its coarse one as well."""
    unit = direction / np.linalg.norm(direction)
    found: dict[AttributeGroup, NDArray[np.float64]] = {}
    first = 0
    for group, fine_whitening, _, coarse_whitening, _ in feature_map._blocks:
        channels = len(GROUP_CHANNELS[group])
        middle = first + _CLASSES
        last = middle + len(fine_whitening)
        # A coarse composite is the mean of the fine ones of its class, channel by channel.
        through_coarse = coarse_whitening @ unit[first:middle] / channels
        found[group] = fine_whitening @ unit[middle:last] + np.tile(through_coarse, channels)
        first = last
    return found


def attribute_log_odds(
    features: NDArray[np.float64],
    model: LinearModel,
    groups: Sequence[AttributeGroup],
    constants: PublicConstants,
) -> Attribution:
    """Take the log-odds of a model without privacy apart, by its own mean instead of the public.

    Parameters
    ----------
    features : ndarray, shape (n_features,)
        Finite; all channels.
    model : LinearModel
        On the features of the groups' channels.
    groups : sequence of AttributeGroup
    constants : PublicConstants
        For the deviations only.
    """
    read = np.isin(FEATURE_CHANNEL, [channel for g in groups for channel in GROUP_CHANNELS[g]])
    standard = (features[read] - np.array(model.mean)) / np.array(model.scale)
    parts = np.zeros((len(CHANNELS), _CLASSES))
    places = (FEATURE_CHANNEL[read], FEATURE_CLASS[read])
    np.add.at(parts, places, standard * np.array(model.coefficients))
    deviations = _deviations(constants, groups, standard_scores(constants, features))
    return Attribution(parts, model.intercept, deviations)


def _deviations(
    constants: PublicConstants, groups: Sequence[AttributeGroup], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    found = np.full((len(CHANNELS), _CLASSES), np.nan)
    for group in groups:
        fine, _ = composites(scores, group)
        gap = (fine - _mean(constants, group)) / _spread(constants, group)
        found[list(GROUP_CHANNELS[group])] = gap.reshape(-1, _CLASSES)
    return found


def _mean(constants: PublicConstants, group: AttributeGroup) -> NDArray[np.float64]:
    """Mean of each fine composite among the public people: what its whitened centre came from."""
    block = constants.groups[group]
    mean: NDArray[np.float64] = np.linalg.solve(
        np.array(block.fine_whitening).T, np.array(block.fine_centre)
    )
    return mean


def _spread(constants: PublicConstants, group: AttributeGroup) -> NDArray[np.float64]:
    """Standard deviation of each fine composite among the public people.

    The whitening is the inverse root of their covariance, shrunk towards its own diagonal, which
    leaves the diagonal as it is.
    """
    root = np.linalg.inv(np.array(constants.groups[group].fine_whitening))
    spread: NDArray[np.float64] = np.sqrt(np.square(root).sum(axis=0))
    return spread


def _length(whole: NDArray[np.float64], unit: NDArray[np.float64]) -> float:
    """What the map divided by, the small shrink of its grid included."""
    along = float(whole @ unit)
    return float(whole @ whole) / along if along > 0 else 0.0
