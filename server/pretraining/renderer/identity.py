"""One person: the shape of the head, its paint, folds, eyes, hair and glasses.

The head model was built from adults. The participants are children, so a part of the identities is
given a child's proportions by a smooth warp (Farkas, Anthropometry of the Head and Face, 1994:
larger forehead and eyes, shorter lower face, smaller nose, rounder cheeks).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.action_units import lip_gap
from server.pretraining.renderer.canvas import SIDE, points
from server.pretraining.renderer.mesh import EXPRESSION_SHAPES, SKIN, FaceKit
from server.pretraining.renderer.skin import Skin, linear, paint_skin
from server.pretraining.renderer.wrinkles import wrinkle_maps

__all__ = ["Glasses", "Identity", "make_identity"]

_SHAPE_SD: Final = 0.75
"""Of the identity weights; 1 gives some heads that nobody has."""
_LIP_OVERLAP_CM: Final = 0.11
_CHILD_SHARE: Final = 0.45
_HEAD_CENTRE: Final = np.array([0, 5, 0], np.float32)

_IRISES: Final = np.array(
    [(58, 36, 22), (82, 52, 28), (105, 80, 45), (95, 110, 80), (95, 125, 150), (120, 140, 155)],
    np.float32,
) / np.float32(255)


@dataclass(frozen=True)
class Glasses:
    """Frame of a pair of glasses.

    Attributes
    ----------
    colour : tuple of float
        Linear RGB.
    width_cm, height_cm, thickness_cm : float
        Of one glass, and of the rim.
    roundness : float
        2 is an ellipse, more is squarer.
    tint : float
        Darkness of the glass, 0 to 1.
    """

    colour: tuple[float, float, float]
    width_cm: float
    height_cm: float
    thickness_cm: float
    roundness: float
    tint: float


@dataclass(frozen=True, eq=False)
class Identity:
    """One person.

    Attributes
    ----------
    base : ndarray, shape (n, 3), float32
        Vertices of the resting face.
    skin : Skin
    wrinkles : ndarray, shape (8, side, side), float32
        See ``wrinkle_maps``, scaled by how much this skin folds.
    iris, sclera, teeth : ndarray, shape (3,), float32
        Linear RGB.
    long_hair : float
        How far hair shows behind the head, 0 (not at all) to 1 (to the shoulders).
    glasses : Glasses or None
    child : bool
    """

    base: NDArray[np.float32]
    skin: Skin
    wrinkles: NDArray[np.float32]
    iris: NDArray[np.float32]
    sclera: NDArray[np.float32]
    teeth: NDArray[np.float32]
    long_hair: float
    glasses: Glasses | None
    child: bool


def make_identity(kit: FaceKit, rng: np.random.Generator) -> Identity:
    """Draw a person.

    Parameters
    ----------
    kit : FaceKit
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Identity
    """
    weights = rng.standard_normal(len(kit.identity)).astype(np.float32) * np.float32(_SHAPE_SD)
    moved = (weights @ kit.identity).reshape(-1, 3)
    base: NDArray[np.float32] = np.asarray(kit.neutral + moved, np.float32)
    child = bool(rng.random() < _CHILD_SHARE)
    if child:
        base = _with_child_proportions(base, kit, float(rng.uniform(0.4, 1)))
    base = _with_closed_lips(base, kit)
    landmarks = points(kit.neutral[kit.landmarks])
    skin = paint_skin(rng, landmarks, child=child)
    folds = rng.uniform(0.4, 0.8) if child else rng.uniform(0.6, 1.4)
    wrinkles = wrinkle_maps(rng, landmarks) * np.float32(folds)
    dark = 1 - float(skin.tone.mean()) > 0.8
    iris = _IRISES[rng.integers(2 if dark else len(_IRISES))] * rng.uniform(0.7, 1.3)
    bald = float(skin.hair.mean()) < 0.1
    return Identity(
        base=_with_hair(base, kit, skin, rng),
        skin=skin,
        wrinkles=wrinkles,
        iris=linear(iris.astype(np.float32)),
        sclera=_off_white(rng, 0.78, 0.95, 0.08),
        teeth=_off_white(rng, 0.78, 0.95, 0.2),
        long_hair=0.0 if bald or rng.random() < 0.45 else float(rng.uniform(0.1, 1)),
        glasses=_glasses(rng) if rng.random() < 0.15 else None,
        child=child,
    )


def _off_white(
    rng: np.random.Generator, dark: float, bright: float, yellow: float
) -> NDArray[np.float32]:
    """Linear RGB of something white that yellowed by up to ``yellow``."""
    level, yellowed = rng.uniform(dark, bright), rng.uniform(0, yellow)
    return linear(np.array([level, level * (1 - yellowed / 4), level * (1 - yellowed)], np.float32))


def _with_closed_lips(base: NDArray[np.float32], kit: FaceKit) -> NDArray[np.float32]:
    """A resting mouth without the slit that some identities have."""
    slit = lip_gap(kit, base) + _LIP_OVERLAP_CM
    closing = kit.expression[EXPRESSION_SHAPES.index("mouthClose")].reshape(-1, 3)
    reach = lip_gap(kit, kit.neutral) - lip_gap(kit, kit.neutral + closing)
    return np.asarray(base + closing * np.float32(np.clip(slit / reach, 0, 0.1)), np.float32)


def _with_child_proportions(
    base: NDArray[np.float32], kit: FaceKit, amount: float
) -> NDArray[np.float32]:
    """The head warped towards a child's proportions by ``amount``, 0 to 1."""
    marks = base[kit.landmarks]
    out = base.copy()
    for eye in (marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)):
        near = np.exp(-((base[:, :2] - eye[:2]) ** 2).sum(axis=1) / (2 * 1.7**2))
        out[:, :2] += amount * 0.22 * near[:, None] * (base[:, :2] - eye[:2])
    tip = marks[30]
    nose = np.exp(-((base - tip) ** 2 / (2 * np.array([1.4, 1.6, 2.2]) ** 2)).sum(axis=1))
    out[:, 2] -= amount * 0.9 * nose
    out[:, 1] += amount * 0.35 * nose
    out[:, 0] -= amount * 0.12 * nose * base[:, 0]
    cheeks = np.exp(-((np.abs(base[:, 0]) - 4.5) ** 2 / 6 + (base[:, 1] + 2) ** 2 / 8))
    out[:, 0] += amount * 0.5 * cheeks * np.sign(base[:, 0])
    out[:, 2] += amount * 0.3 * cheeks
    low = np.minimum(out[:, 1] - 1.0, 0)
    out[:, 1] -= amount * 0.14 * np.maximum(low, -9.0)
    high = np.maximum(out[:, 1] - 5.5, 0)
    out[:, 1] += amount * 0.1 * high
    out[:, 2] += amount * 0.06 * high
    return out.astype(np.float32)


def _with_hair(
    base: NDArray[np.float32], kit: FaceKit, skin: Skin, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Scalp raised by the thickness of the hair."""
    row, column = (np.minimum((kit.place[:, axis] * SIDE).astype(int), SIDE - 1) for axis in (1, 0))
    above = np.clip((kit.neutral[:, 1] - 3) / 6, 0, 1)
    thick = rng.uniform(0.05, 0.3) if skin.covered else rng.uniform(0.1, 2.2)
    cover = np.where(kit.part == SKIN, skin.hair[row, column], 0) * above * thick
    out = base - _HEAD_CENTRE
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    waves = 1 + rng.uniform(0, 0.25) * np.sin(out @ rng.normal(0, 5, 3) + rng.uniform(0, 6))
    return np.asarray(base + out * (cover * waves)[:, None], np.float32)


def _glasses(rng: np.random.Generator) -> Glasses:
    dark = rng.uniform(0.0, 0.06)
    red, green, blue = (float(v) for v in rng.uniform(0.05, 0.6, 3))
    colour = (dark, dark, dark) if rng.random() < 0.6 else (red, green, blue)
    return Glasses(
        colour=colour,
        width_cm=float(rng.uniform(4.6, 6.0)),
        height_cm=float(rng.uniform(2.8, 4.6)),
        thickness_cm=float(rng.uniform(0.12, 0.4)),
        roundness=float(rng.uniform(2, 5)),
        tint=float(rng.uniform(0.6, 0.95)) if rng.random() < 0.08 else float(rng.uniform(0, 0.15)),
    )
