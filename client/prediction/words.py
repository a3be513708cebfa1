"""How a child differs from the comparison group, channel by channel, in plain words.

The words follow from the composites of the features: level, variability and dynamics of a channel,
each of which grows with what its name says (``shared.features.statistics`` gives the signs). They
say what was seen and in which direction this model counts it. They never say why.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.channels import (
    ATTRIBUTE_GROUPS,
    CHANNELS,
    GROUP_CHANNELS,
    AttributeGroup,
    channel_title,
)
from shared.features import CLASS_NAMES
from shared.privacy.attribution import Attribution

__all__ = ["GROUP_TITLES", "ChannelPart", "channel_parts", "describe", "group_parts"]

GROUP_TITLES: Final[dict[AttributeGroup, str]] = {
    "au": "Action units",
    "arousal": "Arousal",
    "valence": "Valence",
    "expression": "Expressions",
}

_SLIGHT: Final = 0.5
_MUCH: Final = 1.5
"""Public standard deviations from the mean that count as slightly, and as much."""

_VERBS: Final[dict[str, tuple[str, str, str]]] = {
    # What the class says, when it is more, and when it is less.
    "level": ("shown", "more strongly", "less strongly"),
    "variability": ("varies", "more", "less"),
    "dynamics": ("changes", "faster", "more slowly"),
}
_SIGNED_LEVEL: Final = ("", "higher", "lower")
"""Valence and arousal go both ways, so they are not shown more or less."""


@dataclass(frozen=True)
class ChannelPart:
    """One channel's part of the log-odds.

    Attributes
    ----------
    channel : str
    part : float
        All three classes together; above 0 speaks for ASD in this model.
    classes : dict of str to float
        Part of each class.
    deviations : dict of str to float
        Each class, in the comparison group's standard deviations from its mean.
    words : str
        The class that did most of it.
    """

    channel: str
    part: float
    classes: dict[str, float]
    deviations: dict[str, float]
    words: str

    @property
    def towards(self) -> str:
        """ "ASD" or "non-ASD"."""
        return "ASD" if self.part > 0 else "non-ASD"


def channel_parts(attribution: Attribution) -> list[ChannelPart]:
    """Parts of all channels that the model reads, the largest first."""
    found = []
    for number, channel in enumerate(CHANNELS):
        deviations = attribution.deviations[number]
        if np.isnan(deviations).all():
            continue
        parts = attribution.parts[number]
        total = float(parts.sum())
        main = int(np.argmax(parts if total > 0 else -parts))
        found.append(
            ChannelPart(
                channel,
                total,
                dict(zip(CLASS_NAMES, parts.tolist(), strict=True)),
                dict(zip(CLASS_NAMES, deviations.tolist(), strict=True)),
                describe(channel, CLASS_NAMES[main], float(deviations[main])),
            )
        )
    return sorted(found, key=lambda one: -abs(one.part))


def group_parts(attribution: Attribution) -> dict[AttributeGroup, float]:
    """Parts of the attribute groups that the model reads."""
    return {
        group: float(attribution.parts[list(GROUP_CHANNELS[group])].sum())
        for group in ATTRIBUTE_GROUPS
        if not np.isnan(attribution.deviations[list(GROUP_CHANNELS[group])]).all()
    }


def describe(channel: str, statistic_class: str, deviation: float) -> str:
    """What was seen of a channel, such as "AU 12 lip corner pulled: varies less than average".

    Parameters
    ----------
    channel : str
    statistic_class : {"level", "variability", "dynamics"}
    deviation : float
        Of its composite, in the comparison group's standard deviations.
    """
    verb, more, less = _VERBS[statistic_class]
    if statistic_class == "level" and channel in ("valence", "arousal"):
        verb, more, less = _SIGNED_LEVEL
    size = abs(deviation)
    degree = "slightly " if size < _SLIGHT else "much " if size >= _MUCH else ""
    word = more if deviation > 0 else less
    said = f"{verb} {degree}{word} than average".strip()
    return f"{channel_title(channel)}: {said}"
