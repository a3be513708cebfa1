"""Weak labels for valence, arousal and action units from a distribution over expressions.

FER+ has neither valence and arousal nor action units. Until better labels are at hand they are
derived from its expression votes, and everything trained on them says so: these labels know nothing
about a face beyond its expression votes.

Valence and arousal: mean over the distribution of the published coordinates of the emotion words
(Russell & Mehrabian 1977, "Evidence for a three-factor theory of emotions", J. Research in
Personality 11:273-294, ratings on [-1, 1]); neutral is the origin by construction, contempt is
left out.

Action units: share of the distribution whose prototype contains the unit (Ekman & Friesen, EMFACS;
Ekman, Friesen & Hager 2002, Table 10-1). Units that a prototype may or may not contain make a face
ambiguous for that unit, and it is masked there.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ACTION_UNITS, EXPRESSIONS

__all__ = [
    "ACTION_UNIT_PROTOTYPES",
    "VALENCE_AROUSAL",
    "weak_action_units",
    "weak_valence_arousal",
]

_MAXIMUM_UNKNOWN: Final = 0.25
"""Share of the distribution without a known label above which the face is masked."""

VALENCE_AROUSAL: Final[dict[str, tuple[float, float] | None]] = {
    "neutral": (0.0, 0.0),
    "joy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "anger": (-0.51, 0.59),
    "contempt": None,
}
"""Coordinates of "happy", "sad", "surprised", "fearful", "disgusted", "angry" in the 1977 table."""

_ALWAYS: Final[dict[str, tuple[int, ...]]] = {
    "neutral": (),
    "joy": (6, 12),
    "sad": (1, 4),
    "surprise": (1, 2, 5, 25, 26),
    "fear": (1, 2, 4, 5, 20, 25),
    "disgust": (9,),
    "anger": (4, 5),
    "contempt": (),
}
_SOMETIMES: Final[dict[str, tuple[int, ...]]] = {
    "neutral": (43,),
    "joy": (25, 26, 43),
    "sad": (6, 17, 43),
    "surprise": (),
    "fear": (26,),
    "disgust": (4, 6, 17, 25, 43),
    "anger": (9, 17, 25, 26),
    "contempt": (12, 43),
}


def _prototypes() -> NDArray[np.float64]:
    table = np.zeros((len(EXPRESSIONS), len(ACTION_UNITS)))
    for row, name in enumerate(EXPRESSIONS):
        for column, unit in enumerate(ACTION_UNITS):
            if unit in _SOMETIMES[name]:
                table[row, column] = np.nan
            elif unit in _ALWAYS[name]:
                table[row, column] = 1.0
    return table


ACTION_UNIT_PROTOTYPES: Final = _prototypes()
"""Shape (8, 12): 1 the prototype has the unit, 0 it has not, NaN either way."""


def _expectation(
    distribution: NDArray[np.floating], table: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Mean of ``table`` over each row's distribution; NaN where too much of it is unknown."""
    known = np.isfinite(table)
    weight = distribution @ known
    total = distribution @ np.where(known, table, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weight >= 1 - _MAXIMUM_UNKNOWN, total / weight, np.nan)
    return mean.astype(np.float32)


def weak_valence_arousal(distribution: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weak valence and arousal, shape (n, 2), of expression distributions, shape (n, 8).

    NaN where contempt holds more than a quarter of the distribution.
    """
    table = np.array([VALENCE_AROUSAL[name] or (np.nan, np.nan) for name in EXPRESSIONS])
    return _expectation(distribution, table)


def weak_action_units(distribution: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weak probabilities of the 12 action units, shape (n, 12), of distributions, shape (n, 8).

    NaN where the unit is ambiguous for more than a quarter of the distribution.
    """
    return _expectation(distribution, ACTION_UNIT_PROTOTYPES)
