"""What training takes from a data set: pictures, targets, and a mask for what is not labelled.

Every data set becomes one ``LabelledFaces``. Labels a set does not have are NaN, so that one loss
serves all of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ACTION_UNITS, EXPRESSIONS

__all__ = ["LabelledFaces", "Skipped", "skipped_text", "unlabelled"]

_NAMED: Final = 3
"""Skipped pictures that a message names one by one."""


@dataclass(frozen=True)
class Skipped:
    """A picture of a data set that is not trained on.

    Attributes
    ----------
    place : str
        File, or file and line.
    reason : str
        Such as "not a readable picture"; equal reasons are counted together.
    """

    place: str
    reason: str


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Faces of one data set with all their targets.

    Attributes
    ----------
    name : str
        The data set's name.
    pictures : ndarray, shape (n, side, side, channels), uint8
        RGB, or one channel where the whole set is grey; may be mapped from a file.
    expression : ndarray, shape (n, 8), float32
        Distribution over ``EXPRESSIONS``, or NaN.
    valence_arousal : ndarray, shape (n, 2), float32
        In [-1, 1], or NaN, each by itself.
    action_units : ndarray, shape (n, 12), float32
        Probability of ``ACTION_UNITS``, or NaN where a unit is not coded.
    skipped : tuple of Skipped
        What was left out while reading.
    """

    name: str
    pictures: NDArray[np.uint8]
    expression: NDArray[np.float32]
    valence_arousal: NDArray[np.float32]
    action_units: NDArray[np.float32]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.pictures)
        shapes = (
            (self.expression, (n, len(EXPRESSIONS))),
            (self.valence_arousal, (n, 2)),
            (self.action_units, (n, len(ACTION_UNITS))),
        )
        for array, shape in shapes:
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"targets of {array.shape} {array.dtype}; {shape} float32 needed")
        if self.pictures.ndim != 4 or self.pictures.shape[3] not in (1, 3):
            raise ValueError(f"pictures of shape {self.pictures.shape}")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def side(self) -> int:
        """Side of the square pictures, pixels."""
        return int(self.pictures.shape[1])

    @property
    def is_grey(self) -> bool:
        """Whether the pictures have one channel."""
        return bool(self.pictures.shape[3] == 1)

    def labels(self) -> dict[str, int]:
        """Number of faces that have each kind of label."""
        return {
            "expression": int(np.isfinite(self.expression).all(axis=1).sum()),
            "valence_arousal": int(np.isfinite(self.valence_arousal).any(axis=1).sum()),
            "action_units": int(np.isfinite(self.action_units).any(axis=1).sum()),
        }


def unlabelled(n: int) -> dict[str, NDArray[np.float32]]:
    """Targets of ``n`` faces without any label, by the names of ``LabelledFaces``."""
    return {
        "expression": np.full((n, len(EXPRESSIONS)), np.nan, np.float32),
        "valence_arousal": np.full((n, 2), np.nan, np.float32),
        "action_units": np.full((n, len(ACTION_UNITS)), np.nan, np.float32),
    }


def skipped_text(skipped: Sequence[Skipped]) -> str:
    """What was left out, counted by reason, the first ones named; empty when nothing was."""
    if not skipped:
        return ""
    counts = ", ".join(
        f"{count} {reason}" for reason, count in Counter(s.reason for s in skipped).most_common()
    )
    named = ", ".join(item.place for item in skipped[:_NAMED])
    more = ", ..." if len(skipped) > _NAMED else ""
    noun = "picture" if len(skipped) == 1 else "pictures"
    return f"{len(skipped)} {noun} skipped: {counts} ({named}{more})"
