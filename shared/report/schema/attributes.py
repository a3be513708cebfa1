"""Which attributes carry the signal: combinations, group differences, weights, one example."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.channels import AttributeGroup
from shared.report.schema.values import (
    Curve,
    Estimate,
    Matrix,
    Metrics,
    Model,
    Number,
    Probability,
    Section,
    check_same_length,
)

__all__ = [
    "AttributeGroupDifference",
    "ChannelTrack",
    "Coefficient",
    "Coefficients",
    "CombinationRow",
    "Combinations",
    "Example",
    "FeatureDifference",
    "GroupDifferences",
    "ShapleyShare",
]


class CombinationRow(Model):
    """One of the 15 combinations of attribute groups, such as ``"au+arousal"``."""

    combination: str = Field(min_length=1)
    metrics: Metrics
    difference: Estimate | None = None
    """In ``Combinations.metric``, minus the reference; simultaneous interval if corrected so."""
    p_value: Probability = None
    """Adjusted for multiplicity."""


class ShapleyShare(Model):
    """Share of one attribute group in the gain over chance (mean over orders of entry)."""

    group: AttributeGroup
    metrics: Metrics


class Combinations(Section):
    """All combinations on the same folds, compared with action units only."""

    required = ("rows", "metric")

    reference: str = "au"
    metric: str = ""
    correction: str = ""
    rows: tuple[CombinationRow, ...] = ()
    shapley: tuple[ShapleyShare, ...] = ()
    finding: str = ""
    """The answer in one sentence, with its uncertainty."""


class FeatureDifference(Model):
    """Difference between the groups (ASD minus non-ASD) in one feature of one channel."""

    channel: str
    feature: str
    hedges_g: Estimate
    cliffs_delta: Estimate | None = None
    p_max_t: Probability = None
    q_bh: Probability = None


class AttributeGroupDifference(Model):
    """Joint test of all features of one attribute group."""

    group: AttributeGroup
    features: int = Field(ge=1)
    largest_g: Estimate
    p_max_t: Probability = None
    q_bh: Probability = None


class GroupDifferences(Section):
    """Differences between ASD and non-ASD, feature by feature, corrected for multiplicity."""

    required = ("channels", "features", "hedges_g")

    channels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    hedges_g: Matrix = ()
    """(features, channels)"""
    p_max_t: Matrix = ()
    """(features, channels), Westfall and Young 1993."""
    q_bh: Matrix = ()
    """(features, channels), Benjamini and Hochberg 1995."""
    largest: tuple[FeatureDifference, ...] = ()
    attribute_groups: tuple[AttributeGroupDifference, ...] = ()
    permutations: int | None = Field(default=None, ge=1)
    finding: str = ""

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        for name in ("hedges_g", "p_max_t", "q_bh"):
            rows = getattr(self, name)
            if rows and [len(row) for row in rows] != [len(self.channels)] * len(self.features):
                raise ValueError(f"{name} has one row a feature and one column a channel")
        return self


class Coefficient(Model):
    """One weight of the model."""

    channel: str
    feature: str
    estimate: Estimate
    sign_stability: Probability = None
    """Share of resamples in which the weight has the sign of ``estimate``."""


class Coefficients(Section):
    """Weights of the model, largest first."""

    required = ("rows",)

    scale: str = ""
    """Unit of the weights, such as "log-odds per standard deviation"."""
    rows: tuple[Coefficient, ...] = ()
    total: int | None = Field(default=None, ge=1)
    """How many weights the model has; ``rows`` may show the largest only."""


class ChannelTrack(Model):
    """What one channel contributes to the score over time."""

    channel: str
    contribution: Curve


class Example(Section):
    """One participant's score over the recording: which channels, when."""

    required = ("time_s", "tracks", "decomposition")

    title: str = ""
    """Who this is without naming anyone, such as "A surrogate child with ASD, called ASD"."""
    decomposition: Literal["exact", "sliding window", ""] = ""
    """Whether contributions add up to the score, or are the score of windows."""
    window_s: float | None = Field(default=None, gt=0)
    time_s: Curve = ()
    tracks: tuple[ChannelTrack, ...] = ()
    score: Number = None
    probability: Probability = None
    sentence: str = ""

    @model_validator(mode="after")
    def _curves(self) -> Self:
        for track in self.tracks:
            check_same_length(time_s=self.time_s, contribution=track.contribution)
        return self
