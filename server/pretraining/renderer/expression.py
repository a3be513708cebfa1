"""What a rendered face shows: random action units, other movements and gaze.

Four kinds are mixed, so that the units are seen alone, together as emotions bring them together, in
combinations that no emotion has, and not at all. Prototypes: Ekman and Friesen, EMFACS.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.action_units import DISTRACTORS, UNITS, shape_weights
from shared.channels import ACTION_UNITS

__all__ = ["KINDS", "Expression", "random_expression"]

KINDS: Final[dict[str, float]] = {"neutral": 0.15, "single": 0.25, "emotion": 0.3, "mixed": 0.3}
"""Kinds of random expression and their shares."""

_EMOTIONS: Final[tuple[dict[int, float], ...]] = (
    {6: 0.9, 12: 1.0, 25: 0.6, 26: 0.25},
    {1: 1.0, 4: 0.8, 17: 0.5},
    {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.8, 26: 0.8},
    {1: 1.0, 2: 0.9, 4: 0.9, 5: 1.0, 20: 0.9, 25: 0.8, 26: 0.4},
    {4: 1.0, 5: 0.7, 17: 0.4, 25: 0.2},
    {9: 1.0, 4: 0.3, 17: 0.6, 25: 0.3, 6: 0.3},
    {12: 1.0},
)
"""Joy, sadness, surprise, fear, anger, disgust, contempt: units and how often each takes part."""
_EMOTION_OTHERS: Final[tuple[dict[str, float], ...]] = (
    {"7 lid tightener": 0.3},
    {"15 lip corner depressor": 0.7},
    {},
    {},
    {"7 lid tightener": 0.7, "24 lip pressor": 0.6},
    {"10 upper lip raiser": 0.5, "15 lip corner depressor": 0.3},
    {"14 dimpler": 0.8},
)
_CONTEMPT: Final = 6
"""Shown on one side."""

_MIXED_SHARE: Final = 0.22
_FAINT_SHARE: Final = 0.12
_FAINT_LIMIT: Final = 0.15
"""A faint trace of a unit that is labelled inactive."""
_ASYMMETRIC_SHARE: Final = 0.25
_ONE_SIDED_SHARE: Final = 0.07


@dataclass(frozen=True, eq=False)
class Expression:
    """State of the face's muscles.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    intensity : ndarray, shape (12, 2), float32
        Asked intensity of each action unit on the person's left and right, 0 to 1. What the labels
        say of AU 25 is measured on the mesh.
    weights : ndarray, shape (57,), float32
        Weights of the expression shapes, other movements and gaze included.
    """

    kind: str
    intensity: NDArray[np.float32]
    weights: NDArray[np.float32]


def random_expression(rng: np.random.Generator) -> Expression:
    """Draw an expression.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Expression
    """
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    both = np.zeros(len(ACTION_UNITS), np.float32)
    others: dict[str, float] = {}
    one_sided = False
    if kind == "single":
        both[rng.integers(len(both))] = _strength(rng)
    elif kind == "emotion":
        emotion = int(rng.integers(len(_EMOTIONS)))
        one_sided = emotion == _CONTEMPT
        whole = _strength(rng)
        for number, share in _EMOTIONS[emotion].items():
            if rng.random() < share:
                both[ACTION_UNITS.index(number)] = np.clip(whole * rng.uniform(0.7, 1.3), 0.3, 1)
        for action, share in _EMOTION_OTHERS[emotion].items():
            if rng.random() < share:
                _add_other(others, action, whole * rng.uniform(0.5, 1), rng)
    elif kind == "mixed":
        for row in np.flatnonzero(rng.random(len(both)) < _MIXED_SHARE):
            both[row] = _strength(rng)
    _make_possible(both, rng)
    _add_traces(both, rng)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.15, 0.1]))):
        chosen = DISTRACTORS[rng.integers(len(DISTRACTORS))]
        _add_other(others, chosen.action, float(rng.beta(1.5, 1.5)), rng)
    _add_gaze(others, rng)
    intensity = _sides(both, one_sided, rng)
    closed = intensity[ACTION_UNITS.index(43)]
    if closed.max() == 0 and rng.random() < 0.25:
        # A drooping lid is no closed eye.
        droop = float(rng.uniform(0, 0.35))
        others |= {"eyeBlink_L": droop, "eyeBlink_R": droop}
    return Expression(kind, intensity, shape_weights(intensity, others))


def _strength(rng: np.random.Generator) -> float:
    """Intensity of an active unit, all strengths about equally often."""
    return float(rng.uniform(0.32, 1))


def _make_possible(both: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Settle what one face cannot do at once, in place."""
    wide, closed, parted, jaw = (ACTION_UNITS.index(number) for number in (5, 43, 25, 26))
    if both[closed] > 0:
        both[closed] = rng.uniform(0.85, 1)
        both[wide] = 0
    if both[jaw] > 0 and both[parted] == 0 and rng.random() < 0.8:
        # A jaw mostly drops with the lips open; both movements are labelled then.
        both[parted] = _strength(rng)


def _add_traces(both: NDArray[np.float32], rng: np.random.Generator) -> None:
    for row, unit in enumerate(UNITS):
        if both[row] == 0 and unit.number not in (25, 43) and rng.random() < _FAINT_SHARE:
            both[row] = rng.uniform(0, _FAINT_LIMIT)


def _sides(
    both: NDArray[np.float32], one_sided: bool, rng: np.random.Generator
) -> NDArray[np.float32]:
    intensity = np.stack([both, both], axis=1)
    for row, unit in enumerate(UNITS):
        if not unit.sided:
            continue
        weaker, draw = int(rng.integers(2)), rng.random()
        if one_sided and unit.number == 12:
            intensity[row, weaker] *= rng.uniform(0, 0.3)
        elif unit.number == 43:
            # A wink is not eye closure.
            intensity[row] *= rng.uniform(0.97, 1.0, 2)
        elif draw < _ONE_SIDED_SHARE:
            intensity[row, weaker] *= rng.uniform(0, 0.2)
        elif draw < _ASYMMETRIC_SHARE:
            intensity[row, weaker] *= rng.uniform(0.4, 1)
    return intensity.astype(np.float32)


def _add_other(
    others: dict[str, float], action: str, strength: float, rng: np.random.Generator
) -> None:
    chosen = next(item for item in DISTRACTORS if item.action == action)
    uneven = rng.uniform(0.4, 1, 2) if rng.random() < _ASYMMETRIC_SHARE else np.ones(2)
    for shape in chosen.shapes:
        names = (f"{shape}_L", f"{shape}_R") if chosen.sided else (shape,)
        for name, side in zip(names, uneven, strict=False):
            share = float(side) if chosen.sided else 1.0
            others[name] = max(others.get(name, 0.0), chosen.limit * strength * share)


def _add_gaze(others: dict[str, float], rng: np.random.Generator) -> None:
    across, up = rng.normal(0, 0.3, 2)
    if rng.random() < 0.1:
        up = -rng.uniform(0.5, 1)
    across, up = float(np.clip(across, -1, 1)), float(np.clip(up, -1, 1))
    outward, inward = ("L", "R") if across > 0 else ("R", "L")
    others[f"eyeLookOut_{outward}"] = others[f"eyeLookIn_{inward}"] = abs(across)
    for side in "LR":
        others[f"eyeLook{'Up' if up > 0 else 'Down'}_{side}"] = abs(up)
        others[f"PupilDilate_{side}"] = float(rng.random())
