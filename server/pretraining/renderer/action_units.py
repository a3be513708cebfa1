"""Which shapes of the head model make which facial action, by the Facial Action Coding System.

Numbers and names: Ekman, Friesen and Hager, FACS 2002. Lips part (AU 25) has no muscle shape of its
own and depends on the jaw, so its label is measured on the mesh, not set (``lips_part``). Jaw drop
(AU 26) and mouth stretch (AU 27) are one movement of different extent; both count as 26 here,
because the network has no channel for 27 and a wider mouth must not lower the answer. Eye closure
(AU 43) is the blink shape, held; a drooping lid below its threshold is not yet closure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.mesh import EXPRESSION_SHAPES, FaceKit
from shared.channels import ACTION_UNITS

__all__ = [
    "DISTRACTORS",
    "UNITS",
    "ActionUnit",
    "Distractor",
    "active_units",
    "lip_gap",
    "lips_part",
    "shape_weights",
]

_N = len(ACTION_UNITS)
_INDEX: Final = {name: index for index, name in enumerate(EXPRESSION_SHAPES)}


@dataclass(frozen=True)
class ActionUnit:
    """One of the network's action units.

    Attributes
    ----------
    number : int
        FACS number.
    name : str
        FACS name.
    shapes : dict of str to float
        Shape without its side, and its weight at full intensity.
    sided : bool
        Whether left and right can differ.
    threshold : float
        Intensity, 0 to 1, from which on the unit is labelled active.
    """

    number: int
    name: str
    shapes: Mapping[str, float]
    sided: bool
    threshold: float = 0.3


UNITS: Final[tuple[ActionUnit, ...]] = (
    ActionUnit(1, "inner brow raiser", {"browInnerUp": 1.45}, sided=True),
    ActionUnit(2, "outer brow raiser", {"browOuterUp": 1.35}, sided=True),
    ActionUnit(4, "brow lowerer", {"browDown": 1.8}, sided=True),
    ActionUnit(5, "upper lid raiser", {"eyeWide": 1.6}, sided=True),
    ActionUnit(6, "cheek raiser", {"cheekSquint": 1.0, "cheekRaiser": 1.0}, sided=True),
    ActionUnit(
        9, "nose wrinkler", {"noseSneer": 1.6, "browDown": 0.25, "cheekSquint": 0.3}, sided=True
    ),
    ActionUnit(12, "lip corner puller", {"mouthSmile": 1.0}, sided=True),
    ActionUnit(17, "chin raiser", {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.5}, sided=False),
    ActionUnit(20, "lip stretcher", {"mouthStretch": 1.0}, sided=True),
    ActionUnit(25, "lips part", {"mouthLowerDown": 0.5, "mouthUpperUp": 0.33}, sided=False),
    ActionUnit(26, "jaw drop", {"jawOpen": 0.65}, sided=False),
    ActionUnit(43, "eye closure", {"eyeBlink": 1.0}, sided=True, threshold=0.6),
)
"""In the order of ``ACTION_UNITS``; the threshold .3 lies between FACS intensities A and B."""


@dataclass(frozen=True)
class Distractor:
    """A movement without a channel of its own, which must not be taken for one that has.

    Attributes
    ----------
    action : str
        FACS number and name.
    shapes : tuple of str
        Shapes without side; they move together.
    sided : bool
    limit : float
        Largest weight drawn.
    """

    action: str
    shapes: tuple[str, ...]
    sided: bool
    limit: float


DISTRACTORS: Final[tuple[Distractor, ...]] = (
    Distractor("7 lid tightener", ("eyeSquint",), True, 1.0),
    Distractor("10 upper lip raiser", ("mouthUpperUp",), True, 0.8),
    Distractor("14 dimpler", ("mouthDimple",), True, 1.0),
    Distractor("15 lip corner depressor", ("mouthFrown",), True, 1.0),
    Distractor("16 lower lip depressor", ("mouthLowerDown",), True, 0.8),
    Distractor("18 lip pucker", ("mouthPucker",), False, 1.0),
    Distractor("22 lip funneler", ("mouthFunnel",), False, 0.9),
    Distractor("24 lip pressor", ("mouthPress",), True, 1.0),
    Distractor("28 lip suck", ("mouthRollLower", "mouthRollUpper"), False, 0.9),
    Distractor("29 jaw thrust", ("jawForward",), False, 0.8),
    Distractor("30 jaw sideways, left", ("jawLeft",), False, 0.7),
    Distractor("30 jaw sideways, right", ("jawRight",), False, 0.7),
    Distractor("34 cheek puff", ("cheekPuff",), True, 1.0),
    Distractor("mouth to the left", ("mouthLeft",), False, 0.6),
    Distractor("mouth to the right", ("mouthRight",), False, 0.6),
)

_WEIGHT_LIMIT: Final = 1.8
"""Brows, lids and nose of the model move less at weight 1 than faces do at their fullest."""

_PARTED_JAW: Final = 0.12
"""A little jaw belongs to parted lips; with the jaw down, the lips need no help."""

_UNSTICKING, _UNSTUCK_FROM = 0.12, 0.1

_CLOSING: Final = 0.8
"""Weight of mouthClose that shuts the lips over a jaw at weight 1."""

_CLOSED_GAP: Final = 0.03
_FULL_GAP: Final = 0.75
"""Visible gap between closed lips and at full AU 25, model units (about centimetres)."""


def shape_weights(
    intensity: NDArray[np.float32], others: Mapping[str, float] | None = None
) -> NDArray[np.float32]:
    """Weights of the expression shapes, shape (57,), that show these action units.

    Parameters
    ----------
    intensity : ndarray, shape (12, 2)
        Intensity 0 to 1 of each action unit on the person's left and right.
    others : mapping of str to float, optional
        Weights added to shapes named in ``EXPRESSION_SHAPES``.

    Returns
    -------
    ndarray, shape (57,), float32
        Each from 0 to 1.8, see ``UNITS``.
    """
    weights = np.zeros(len(EXPRESSION_SHAPES), np.float32)
    by_number = dict(zip(ACTION_UNITS, np.clip(intensity, 0, 1), strict=True))
    parted, jaw = float(by_number[25].max()), float(by_number[26].max())
    # Lips come unstuck at once, then part with the intensity.
    unstuck = _UNSTICKING * min(1.0, parted / _UNSTUCK_FROM)
    by_number[25] = np.full(2, unstuck + (1 - _UNSTICKING) * parted)
    for unit in UNITS:
        left, right = by_number[unit.number]
        if not unit.sided:
            left = right = max(left, right)
        share = 1 - jaw if unit.number == 25 else 1.0
        for shape, weight in unit.shapes.items():
            for name, value in _sides(shape, left, right):
                weights[_INDEX[name]] += value * weight * share
    weights[_INDEX["jawOpen"]] += _PARTED_JAW * float(by_number[25].max()) * (1 - jaw)
    for name, value in (others or {}).items():
        weights[_INDEX[name]] += value
    # Lips that stay together while the jaw drops.
    weights[_INDEX["mouthClose"]] += (
        weights[_INDEX["jawOpen"]] * _CLOSING * max(0.0, 1 - 2 * parted)
    )

    return np.clip(weights, 0, _WEIGHT_LIMIT)


def _sides(shape: str, left: float, right: float) -> tuple[tuple[str, float], ...]:
    if shape in _INDEX:
        return ((shape, max(left, right)),)
    return ((f"{shape}_L", left), (f"{shape}_R", right))


def lips_part(kit: FaceKit, vertices: NDArray[np.float32]) -> float:
    """Intensity 0 to 1 of AU 25 that a face, shape (n, 3), shows."""
    share = (lip_gap(kit, vertices) - _CLOSED_GAP) / (_FULL_GAP - _CLOSED_GAP)
    return float(np.clip(share, 0, 1))


def lip_gap(kit: FaceKit, vertices: NDArray[np.float32]) -> float:
    """Gap between the lips of a face, shape (n, 3), from in front; centimetres.

    It is the height between the lowest point of the upper lip and the highest of the lower one, so
    lips that roll or push against each other do not count as parted: it is negative then.
    """
    height = vertices[:, 1]
    return float(np.mean([height[up].min() - height[low].max() for up, low in kit.lips]))


def active_units(intensity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Labels 0 or 1, shape (..., 12), of intensities, shape (..., 12)."""
    thresholds = np.array([unit.threshold for unit in UNITS], np.float32)
    return (np.asarray(intensity, np.float32) >= thresholds).astype(np.uint8)
