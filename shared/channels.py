"""The 22 affect channels of a face, in the order every file, network and feature table uses.

Order and names: Li et al., ICIP 2019. Expressions are probabilities that sum to one, valence and
arousal lie in [-1, 1], action units (FACS numbers) are probabilities of being active.
"""

from typing import Final, Literal, get_args

__all__ = [
    "ACTION_UNITS",
    "ACTION_UNIT_NAMES",
    "ATTRIBUTE_GROUPS",
    "CHANNELS",
    "EXPRESSIONS",
    "FRAME_RATE_HZ",
    "GROUP_CHANNELS",
    "POSTER_COMBINATIONS",
    "AttributeGroup",
    "all_combinations",
    "channel_title",
    "combination_name",
]

EXPRESSIONS: Final = (
    "neutral",
    "joy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
ACTION_UNITS: Final = (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)

ACTION_UNIT_NAMES: Final = {
    1: "inner brow raised",
    2: "outer brow raised",
    4: "brow lowered",
    5: "upper lid raised",
    6: "cheek raised",
    9: "nose wrinkled",
    12: "lip corner pulled",
    17: "chin raised",
    20: "lip stretched",
    25: "lips parted",
    26: "jaw dropped",
    43: "eyes closed",
}
"""Ekman & Friesen's Facial Action Coding System, in short."""

CHANNELS: Final[tuple[str, ...]] = (
    *(f"expression_{name}" for name in EXPRESSIONS),
    "valence",
    "arousal",
    *(f"au{number}" for number in ACTION_UNITS),
)

FRAME_RATE_HZ: Final = 24.0
"""Clock of every attribute series, frames per second."""

AttributeGroup = Literal["au", "arousal", "valence", "expression"]
ATTRIBUTE_GROUPS: Final[tuple[AttributeGroup, ...]] = get_args(AttributeGroup)

GROUP_CHANNELS: Final[dict[AttributeGroup, tuple[int, ...]]] = {
    "au": tuple(range(10, 22)),
    "arousal": (9,),
    "valence": (8,),
    "expression": tuple(range(8)),
}
"""Channel indices (into ``CHANNELS``) of each attribute group."""

POSTER_COMBINATIONS: Final[tuple[tuple[AttributeGroup, ...], ...]] = (
    ("au",),
    ("au", "arousal"),
    ("au", "arousal", "valence"),
    ("au", "arousal", "valence", "expression"),
)
"""The four inputs of the poster's Table 1, in its order."""


def combination_name(groups: tuple[AttributeGroup, ...]) -> str:
    """Name of a combination of attribute groups, such as ``"au+arousal"``."""
    return "+".join(group for group in ATTRIBUTE_GROUPS if group in groups)


def all_combinations() -> tuple[tuple[AttributeGroup, ...], ...]:
    """Return the 15 non-empty combinations of the four groups, the poster's four first."""
    subsets = (
        tuple(group for bit, group in enumerate(ATTRIBUTE_GROUPS) if mask >> bit & 1)
        for mask in range(1, 16)
    )
    return POSTER_COMBINATIONS + tuple(s for s in subsets if s not in POSTER_COMBINATIONS)


def channel_title(channel: str) -> str:
    """Name of a channel for a person, such as ``"AU 12 lip corner pulled"`` for ``"au12"``."""
    for number, name in ACTION_UNIT_NAMES.items():
        if channel == f"au{number}":
            return f"AU {number} {name}"
    return channel.removeprefix("expression_").capitalize()
