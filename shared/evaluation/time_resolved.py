"""When in the video a child's score came about: parts by stretch of time, channel and class.

A score is a function of 16 statistics of each channel, which ``features_over_time`` takes apart:

* ten exactly, as sums over moments;
* six quantile statistics on stretches laid end to end, with a ``remainder`` that is shown.

A linear model carries these parts to its score as they are. The private model first bends each
feature (logit, clipping) and divides by a length. The bend is replaced by the straight line from
the public mean to this child's value (the rescale rule of DeepLIFT, Shrikumar et al. 2017), and
the length is the child's, so here too all parts, the remainder and the rest add up to the score.

A stretch without a face has no part, and a part is no cause: it says which moments moved this
model's arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.channels import CHANNELS, FRAME_RATE_HZ, GROUP_CHANNELS, AttributeGroup
from shared.errors import InputError
from shared.evaluation.features_over_time import (
    EXACT_STATISTICS,
    WINDOWED_STATISTICS,
    FeaturesOverTime,
    features_over_time,
)
from shared.evaluation.plain import plain
from shared.features import (
    CLASS_NAMES,
    FEATURE_CHANNEL,
    FEATURE_CLASS,
    FEATURE_RANGES,
    FEATURE_SIGN,
)
from shared.privacy.attribution import attribute_score
from shared.privacy.constants import composites, standard_scores
from shared.privacy.unit_vectors import AffectMap

__all__ = ["StandardisedModel", "TimeResolved", "resolve_linear", "resolve_private"]

Values = NDArray[np.float64]


class StandardisedModel(Protocol):
    """A linear model on standardised features: pooled, federated or of one clinic."""

    @property
    def mean(self) -> Any:
        """Of each feature, shape (d,)."""

    @property
    def scale(self) -> Any:
        """Of each feature, shape (d,)."""

    @property
    def coefficients(self) -> Any:
        """On standardised features, shape (d,)."""

    @property
    def intercept(self) -> float:
        """Log-odds where all features are at their mean."""


@dataclass(frozen=True, eq=False)
class TimeResolved:
    """A child's score as a sum of parts over time.

    Attributes
    ----------
    start_s, stop_s : ndarray, shape (n_stretches,)
        Seconds from the beginning of the recording.
    face_share : ndarray, shape (n_stretches,)
        Share of frames in which the face was found.
    parts : ndarray, shape (n_stretches, 22, 3)
        Channels in the order of ``CHANNELS``, classes level, variability, dynamics. Above 0 speaks
        for ASD.
    remainder : ndarray, shape (22, 3)
        What quantiles of the whole recording have beyond those of its stretches.
    rest : float
        What no channel has: threshold, intercept, grid.
    """

    start_s: Values
    stop_s: Values
    face_share: Values
    parts: Values
    remainder: Values
    rest: float

    @property
    def score(self) -> float:
        """Sum of everything: the child's score minus threshold, or log-odds."""
        return float(self.parts.sum() + self.remainder.sum()) + self.rest

    @property
    def remainder_share(self) -> float:
        """Size of the remainder beside all channel parts, 0 to 1."""
        parts = float(np.abs(self.parts.sum(axis=0)).sum())
        left = float(np.abs(self.remainder).sum())
        return left / (parts + left) if left > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Parts by channel (classes added up), with what they do not explain."""
        return {
            "channels": list(CHANNELS),
            "classes": list(CLASS_NAMES),
            "start_s": plain(self.start_s),
            "stop_s": plain(self.stop_s),
            "face_share": plain(self.face_share),
            "parts": plain(self.parts.sum(axis=2)),
            "whole": plain(self.parts.sum(axis=0)),
            "remainder": plain(self.remainder),
            "rest": self.rest,
            "score": self.score,
            "remainder_share": self.remainder_share,
            "exact_statistics": list(EXACT_STATISTICS),
            "windowed_statistics": list(WINDOWED_STATISTICS),
        }


def resolve_linear(
    values: NDArray[np.floating],
    model: StandardisedModel,
    groups: Sequence[AttributeGroup],
    *,
    stretch_s: int = 15,
    rate_hz: float = FRAME_RATE_HZ,
) -> TimeResolved:
    """Take the log-odds of a linear model apart over time.

    Parameters
    ----------
    values : ndarray, shape (n_frames, 22)
        Attribute series of one child; rows of NaN where no face was found.
    model : StandardisedModel
        On the features of the groups' channels.
    groups : sequence of AttributeGroup
    stretch_s : int
        Length of a stretch in whole seconds, at least 4; a last one of less than half of that is
        joined to the one before.
    rate_hz : float

    Raises
    ------
    InputError
        As ``temporal_features``; fewer than 30 s of frames show a face; the stretch is too short;
        or the model does not read the groups' features.
    """
    read = np.isin(FEATURE_CHANNEL, [channel for g in groups for channel in GROUP_CHANNELS[g]])
    mean, scale = np.asarray(model.mean), np.asarray(model.scale)
    if mean.shape != (int(read.sum()),):
        raise InputError(
            f"The model reads {len(mean)} features; {'+'.join(groups)} has {int(read.sum())}. "
            "Name the attribute groups the model was trained on."
        )
    spread = features_over_time(values, stretch_s=stretch_s, rate_hz=rate_hz)
    slope, centre = np.zeros(len(read)), np.zeros(len(read))
    slope[read], centre[read] = np.asarray(model.coefficients) / scale, mean
    parts = slope * (spread.parts - spread.share[:, None] * centre)
    remainder = _by_class(slope * spread.remainder)
    return _resolved(spread, _by_class(parts), remainder, model.intercept)


def resolve_private(
    values: NDArray[np.floating],
    feature_map: AffectMap,
    direction: Values,
    threshold: float,
    *,
    stretch_s: int = 15,
    rate_hz: float = FRAME_RATE_HZ,
) -> TimeResolved:
    """Take the score of a private model apart over time; see ``resolve_linear``.

    Parameters
    ----------
    values : ndarray, shape (n_frames, 22)
    feature_map : AffectMap
    direction : ndarray, shape (k,)
        Not zero.
    threshold : float
    stretch_s : int
    rate_hz : float
    """
    spread = features_over_time(values, stretch_s=stretch_s, rate_hz=rate_hz)
    constants = feature_map.constants
    whole = attribute_score(spread.features, feature_map, direction, threshold)
    scores = standard_scores(constants, spread.features)
    centre, slope = _straight_line(
        spread.features, scores, constants.feature_mean, constants.feature_sd
    )
    # How a feature's public score enters the composite of its channel and class.
    members = np.bincount(_PLACE, minlength=_PLACES)[_PLACE]
    entering = slope * FEATURE_SIGN / members
    parts = _by_class(entering * (spread.parts - spread.share[:, None] * centre))
    remainder = _by_class(entering * spread.remainder)
    weight, mean = np.zeros((2, len(CHANNELS), len(CLASS_NAMES)))
    for group in feature_map.groups:
        channels = list(GROUP_CHANNELS[group])
        block = constants.groups[group]
        centred = np.linalg.solve(np.array(block.fine_whitening).T, np.array(block.fine_centre))
        away = composites(scores, group)[0] - centred
        moved = whole.parts[channels].ravel()
        # A composite exactly at the public mean has no part to tell its weight by.
        ratio = np.divide(moved, away, out=np.zeros_like(moved), where=away != 0)
        weight[channels] = ratio.reshape(len(channels), -1)
        mean[channels] = centred.reshape(len(channels), -1)
    parts = weight * (parts - spread.share[:, None, None] * mean)
    return _resolved(spread, parts, weight * remainder, whole.rest)


def _straight_line(
    features: Values, scores: Values, public_mean: Values, public_sd: Values
) -> tuple[Values, Values]:
    """Feature value of the public mean, and the slope from there to this child's score."""
    low, high = FEATURE_RANGES[:, 0], FEATURE_RANGES[:, 1]
    middle = expit(public_mean)
    centre = low + (high - low) * middle
    gap = features - centre
    # Where the child is at the public mean the line is the tangent.
    tangent = 1 / ((high - low) * middle * (1 - middle) * public_sd)
    far = np.abs(gap) > 1e-9 * (high - low)
    slope = np.divide(scores, gap, out=tangent, where=far)
    return centre, slope


_PLACE: Final = FEATURE_CHANNEL * len(CLASS_NAMES) + FEATURE_CLASS
_PLACES: Final = len(CHANNELS) * len(CLASS_NAMES)


def _by_class(parts: Values) -> Values:
    """Sum of features over each channel and class, shape (..., 22, 3)."""
    to_class = np.zeros((len(_PLACE), _PLACES))
    to_class[np.arange(len(_PLACE)), _PLACE] = 1.0
    return (parts @ to_class).reshape(*parts.shape[:-1], len(CHANNELS), len(CLASS_NAMES))


def _resolved(
    spread: FeaturesOverTime, parts: Values, remainder: Values, rest: float
) -> TimeResolved:
    return TimeResolved(
        spread.start_s, spread.stop_s, spread.face_share, parts, remainder, float(rest)
    )
