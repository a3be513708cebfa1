"""The painted surface of one head: skin of any tone, brows, lips, lashes, beard and hair.

The head model has no texture, so everything here is procedural and drawn anew for every identity.
Colours are sRGB while painting and linear light in the result.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.canvas import (
    SIDE,
    blurred,
    coordinates,
    line,
    lines,
    noise,
    region,
    rise,
)

__all__ = ["Skin", "linear", "paint_skin"]

Image = NDArray[np.float32]

_TONES: Final = np.array(
    [
        (246, 219, 200),
        (238, 202, 176),
        (222, 178, 146),
        (200, 150, 114),
        (165, 115, 82),
        (122, 80, 56),
        (84, 54, 40),
        (58, 38, 31),
    ],
    np.float32,
) / np.float32(255)
"""sRGB skin tones from very light to very dark."""

_HAIR: Final = np.array(
    [
        (28, 24, 22),
        (45, 34, 28),
        (74, 52, 38),
        (110, 80, 55),
        (160, 125, 85),
        (200, 170, 125),
        (130, 66, 36),
        (160, 158, 155),
    ],
    np.float32,
) / np.float32(255)
"""sRGB hair: black, browns, blonds, red, grey."""


@dataclass(frozen=True, eq=False)
class Skin:
    """Paint of one head.

    Attributes
    ----------
    albedo : ndarray, shape (side, side, 3), float32
        Linear RGB, 0 to 1.
    relief : ndarray, shape (side, side), float32
        Fine heights of the resting skin, centimetres.
    gloss : ndarray, shape (side, side), float32
        Share of mirrored light, 0 to 1.
    hair : ndarray, shape (side, side), float32
        1 where hair or cloth covers the skin.
    hair_colour, tone : ndarray, shape (3,), float32
        Linear RGB.
    covered : bool
        Whether a cloth is worn instead of hair.
    """

    albedo: NDArray[np.float32]
    relief: Image
    gloss: Image
    hair: Image
    hair_colour: NDArray[np.float32]
    tone: NDArray[np.float32]
    covered: bool


def linear(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light of sRGB values 0 to 1 (gamma 2.2)."""
    return np.asarray(np.clip(srgb, 0, 1) ** np.float32(2.2), np.float32)


def paint_skin(rng: np.random.Generator, landmarks: NDArray[np.float32], *, child: bool) -> Skin:
    """Paint one head.

    Parameters
    ----------
    rng : numpy.random.Generator
    landmarks : ndarray, shape (68, 2)
        Landmarks on the canvas, centimetres.
    child : bool
        No beard, smoother skin.

    Returns
    -------
    Skin
    """
    depth = rng.uniform(0, len(_TONES) - 1)
    tone = _between(_TONES, depth) * rng.uniform(0.96, 1.03, 3).astype(np.float32)
    darkness = depth / (len(_TONES) - 1)
    hair_colour = _hair_colour(rng, darkness, child)
    colour = np.empty((SIDE, SIDE, 3), np.float32)
    colour[:] = tone
    _blemishes(colour, rng, darkness, child)
    _flush(colour, rng, landmarks)
    _shadows(colour, rng, landmarks)
    bearded = not child and bool(rng.random() < 0.35)
    lips = _lips(colour, rng, landmarks, darkness, painted=not (child or bearded))
    if bearded:
        _beard(colour, rng, landmarks, hair_colour, lips)
    _lashes(colour, rng, landmarks)
    _brows(colour, rng, landmarks, hair_colour, tone)
    hair, covered, paint = _hair(rng, landmarks, hair_colour)
    colour += hair[:, :, None] * (paint - colour)
    _clothes(colour, rng)
    # The oily zone: forehead, nose, cheeks.
    x, _ = coordinates()
    gloss = (0.5 + 0.5 * np.exp(-((x / 3.5) ** 2))) * (1 - 0.8 * hair) + 0.5 * lips
    pores = noise(rng, 0.16) * rng.uniform(0.001, 0.006) + noise(rng, 0.5) * 0.004
    relief = (pores * (1 - hair) + hair * noise(rng, 0.25, 6) * 0.012).astype(np.float32)
    crease = np.zeros((SIDE, SIDE), np.float32)
    for eye in (landmarks[36:40], landmarks[42:46]):
        line(crease, eye + np.array([0, rng.uniform(0.3, 0.5)], np.float32), 0.1)
    relief -= blurred(crease, 0.08) * np.float32(rng.uniform(0.01, 0.06))
    return Skin(
        albedo=linear(colour),
        relief=relief,
        gloss=np.asarray(np.clip(gloss, 0, 1), np.float32),
        hair=hair,
        hair_colour=linear(paint.reshape(-1, 3).mean(axis=0)),
        tone=linear(tone),
        covered=covered,
    )


def _between(colours: NDArray[np.float32], place: float) -> NDArray[np.float32]:
    low = min(int(place), len(colours) - 2)
    share = np.float32(place - low)
    return np.asarray(colours[low] * (1 - share) + colours[low + 1] * share, np.float32)


def _blend(colour: Image, mask: Image, target: NDArray[np.float32]) -> None:
    colour += mask[:, :, None] * (target - colour)


def _hair_colour(rng: np.random.Generator, darkness: float, child: bool) -> NDArray[np.float32]:
    light = max(0.03, 1 - 1.6 * darkness)
    choice = int(rng.choice(len(_HAIR), p=_weights(light, child)))
    return np.asarray(_HAIR[choice] * rng.uniform(0.85, 1.15), np.float32)


def _weights(light: float, child: bool) -> NDArray[np.float64]:
    grey = 0.0 if child else 0.12
    weights = np.array([1.2, 1.2, *(light * np.array([1, 0.8, 0.6, 0.4, 0.35])), grey])
    return np.asarray(weights / weights.sum())


def _blemishes(colour: Image, rng: np.random.Generator, darkness: float, child: bool) -> None:
    uneven = noise(rng, 2.5) * 0.02 + noise(rng, 0.7) * 0.015 + noise(rng, 0.2) * 0.012
    colour *= 1 + uneven[:, :, None] * rng.uniform(0.6, 2.0)
    colour[:, :, 0] *= 1 + noise(rng, 1.5) * 0.015
    if rng.random() < 0.25:
        spots = np.clip(noise(rng, 0.28) - rng.uniform(1.2, 2), 0, 1)
        middle = np.exp(-((coordinates()[0] / 4.5) ** 2))
        _blend(colour, np.asarray(spots * middle * 0.45, np.float32), _DARK_SPOT)
    for _ in range(int(rng.integers(0, 2 if child else 6))):
        x, y = rng.uniform(-6, 6), rng.uniform(-6, 9)
        mole = np.zeros((SIDE, SIDE), np.float32)
        line(mole, np.array([[x, y], [x + 0.02, y]], np.float32), rng.uniform(0.1, 0.25))
        _blend(colour, mole * np.float32(0.7), _DARK_SPOT * np.float32(1 - 0.6 * darkness))


_DARK_SPOT: Final = np.array([0.42, 0.25, 0.17], np.float32)


def _flush(colour: Image, rng: np.random.Generator, landmarks: NDArray[np.float32]) -> None:
    """Redness of cheeks, nose and ears."""
    x, y = coordinates()
    strength = rng.uniform(0, 0.16)
    cheek = np.exp(-(((np.abs(x) - 4.2) / 1.9) ** 2) - ((y - 0.2) / 1.7) ** 2)
    nose = np.exp(-((x / 1.2) ** 2) - ((y - landmarks[30, 1]) / 1.3) ** 2)
    ears = rise(np.abs(x), 9.5, 11)
    mask = strength * np.maximum(np.maximum(cheek, 0.8 * nose), 0.7 * ears)
    colour *= 1 - mask[:, :, None] * np.array([0.05, 0.75, 0.6], np.float32)


def _shadows(colour: Image, rng: np.random.Generator, landmarks: NDArray[np.float32]) -> None:
    """Darker skin around the eyes."""
    strength = rng.uniform(0.03, 0.22)
    ring = np.zeros((SIDE, SIDE), np.float32)
    for eye in (landmarks[36:42], landmarks[42:48]):
        ring = np.maximum(ring, region(eye, 0.55))
    lower = np.zeros_like(ring)
    for eye in (landmarks[[39, 40, 41, 36]], landmarks[[42, 47, 46, 45]]):
        line(lower, eye - np.array([0, 0.55], np.float32), 0.5)
    lower = blurred(lower, 0.3)
    mask = np.maximum(ring * 0.8, lower) * strength
    colour *= 1 - mask[:, :, None] * np.array([0.85, 1.0, 0.95], np.float32)
    if rng.random() < 0.15:
        shadow = np.zeros_like(ring)
        for eye in (landmarks[36:40], landmarks[42:46]):
            line(shadow, eye + np.array([0, 0.3], np.float32), 0.55)
        painted = rng.uniform(0.1, 0.6, 3).astype(np.float32)
        _blend(colour, blurred(shadow, 0.15) * np.float32(rng.uniform(0.2, 0.6)), painted)


def _lips(
    colour: Image,
    rng: np.random.Generator,
    landmarks: NDArray[np.float32],
    darkness: float,
    *,
    painted: bool,
) -> Image:
    outline = landmarks[48:60].copy()
    mask = region(outline, rng.uniform(0.06, 0.14))
    red = np.array([0.72, 0.36, 0.34], np.float32) * np.float32(1 - 0.55 * darkness)
    strength = rng.uniform(0.3, 0.7)
    if painted and rng.random() < 0.25:
        red = np.array([rng.uniform(0.4, 0.8), rng.uniform(0.02, 0.3), rng.uniform(0.1, 0.35)])
        strength = rng.uniform(0.6, 0.95)
    red = red.astype(np.float32)
    paint = red * (1 + 0.08 * noise(rng, 0.3, 3))[:, :, None]
    colour += (mask * np.float32(strength))[:, :, None] * (paint - colour)
    seam = np.zeros((SIDE, SIDE), np.float32)
    line(seam, landmarks[[48, 60, 61, 62, 63, 64, 54]], 0.14)
    colour *= 1 - 0.55 * blurred(seam, 0.06)[:, :, None]
    return mask


def _beard(
    colour: Image,
    rng: np.random.Generator,
    landmarks: NDArray[np.float32],
    hair_colour: NDArray[np.float32],
    lips: Image,
) -> None:
    x, y = coordinates()
    corner = landmarks[54]
    side = -2.5 + rng.uniform(0, 2.5)
    jaw = rise(y, corner[1] + 0.6 + 0 * x, corner[1] - 1.0 + 0 * x)
    cheek = rise(y - (side + 0.45 * (np.abs(x) - 5)), 0.6, -0.6) * rise(np.abs(x), 2.4, 3.6)
    lip = np.exp(-((x / 2.6) ** 4)) * rise(y, landmarks[33, 1] + 0.1, landmarks[33, 1] - 0.4)
    mask = np.clip(np.maximum(np.maximum(jaw, cheek), lip), 0, 1) * rise(y, -9.5, -8.5)
    kind = rng.random()
    if kind < 0.25:
        mask = lip * rise(y, -3.6, -3.0)
    elif kind < 0.45:
        mask = np.maximum(lip, jaw) * (1 - rise(np.abs(x), 2.8, 3.6)) * rise(y, -9.5, -8.5)
    mask = mask * rise(np.abs(x), 9.0, 8.2)  # in front of the ears
    strands = 0.75 + 0.25 * noise(rng, 0.2, 2)
    strength = rng.choice([rng.uniform(0.12, 0.35), rng.uniform(0.6, 0.95)], p=[0.6, 0.4])
    _blend(
        colour,
        np.asarray(np.clip(mask * strands, 0, 1) * strength * (1 - lips), np.float32),
        hair_colour * np.float32(0.9),
    )


def _lashes(colour: Image, rng: np.random.Generator, landmarks: NDArray[np.float32]) -> None:
    upper, lower = rng.uniform(0.55, 1.0), rng.uniform(0.15, 0.6)
    width = rng.uniform(0.12, 0.26)
    lash = np.zeros((SIDE, SIDE), np.float32)
    for eye in (landmarks[36:40], landmarks[42:46]):
        line(lash, eye, width, upper)
    for eye in (landmarks[[36, 41, 40, 39]], landmarks[[42, 47, 46, 45]]):
        line(lash, eye, 0.1, lower)
    _blend(colour, blurred(lash, 0.05), np.array([0.06, 0.045, 0.04], np.float32))


def _brows(
    colour: Image,
    rng: np.random.Generator,
    landmarks: NDArray[np.float32],
    hair_colour: NDArray[np.float32],
    tone: NDArray[np.float32],
) -> None:
    """Many short hairs along the brow ridge, thinner towards the temple."""
    height = rng.uniform(0.45, 0.95)
    lift = rng.uniform(-0.75, -0.25)
    hairs = np.zeros((SIDE, SIDE), np.float32)
    count = int(rng.integers(110, 260))
    for brow, outward in ((landmarks[17:22][::-1], -1.0), (landmarks[22:27], 1.0)):
        along = rng.uniform(0, 1, count)
        knots = np.linspace(0, 1, 5)
        thickness = height * np.interp(along, [0, 0.25, 0.65, 1], [0.75, 1, 0.75, 0.2])
        offset = rng.uniform(-0.5, 0.5, count) * thickness
        x = np.interp(along, knots, brow[:, 0])
        y = np.interp(along, knots, brow[:, 1]) + lift + offset
        tilt = np.interp(along, [0, 0.4, 1], [1.2, 0.4, -0.35]) + rng.normal(0, 0.15, count)
        length = rng.uniform(0.3, 0.6, count)
        tips = x + outward * length * np.cos(tilt), y + length * np.sin(tilt)
        ends = np.stack([np.stack([x, y], axis=1), np.stack(tips, axis=1)], axis=1)
        lines(hairs, ends.astype(np.float32), 0.08)
    soft = np.clip(0.5 * hairs + 0.9 * blurred(hairs, 0.09), 0, 1)
    # Brows are darker than hair and skin, but for the lightest.
    dark = np.minimum(np.minimum(hair_colour, 0.75), 0.8 * tone)
    dark = dark * np.float32(rng.uniform(0.5, 0.95))
    _blend(colour, np.asarray(soft * rng.uniform(0.55, 1.0), np.float32), dark)


def _hair(
    rng: np.random.Generator, landmarks: NDArray[np.float32], hair_colour: NDArray[np.float32]
) -> tuple[Image, bool, NDArray[np.float32]]:
    """Where hair or cloth is, whether it is cloth, and its paint, shape (side, side, 3)."""
    x, y = coordinates()
    ax = np.abs(x)
    kind = rng.random()
    brow = float(landmarks[17:27, 1].max())
    paint = np.empty((SIDE, SIDE, 3), np.float32)
    if kind < 0.06:
        # A scarf: also beside the cheeks and over the neck.
        mask = np.maximum(
            rise(y - (brow + rng.uniform(2.5, 4.5) - 0.05 * ax**2), -0.1, 0.1),
            rise(ax, 8.0, 8.5) + rise(y, -8.6, -9.2),
        )
        paint[:] = rng.uniform(0.05, 0.9, 3)
        paint *= 1 + 0.08 * noise(rng, 1.5, 4)[:, :, None]
        return np.asarray(np.clip(mask, 0, 1), np.float32), True, np.clip(paint, 0, 1)
    bald = kind > 0.93
    front = brow + (rng.uniform(6, 8) if bald else rng.uniform(2.2, 5.2))
    if not bald and rng.random() < 0.18:
        front = brow + rng.uniform(0.6, 1.8)
    peak = rng.uniform(-0.04, 0.03)
    temple = rng.uniform(7.8, 9.3)
    ragged = noise(rng, 0.5, 2) * 0.35 + noise(rng, 0.2, 4) * 0.2
    top = rise(y - (front + peak * x**2 + ragged - rng.uniform(-0.1, 0.1) * x), -0.3, 0.3)
    sideburn = rng.uniform(-1, 4)
    side = rise(ax + ragged, temple, temple + 0.6) * rise(y, sideburn - 0.6, sideburn + 0.6)
    side *= 1 - rise(ax, 10.0, 10.6) * rise(y, 5.5, 4.5)
    if not bald and rng.random() < 0.3:
        # Long hair that falls over the ears.
        side = np.maximum(side, rise(ax + ragged * 1.5, temple - 0.4, temple + 0.4))
    mask = np.clip(np.maximum(top, side), 0, 1)
    paint[:] = hair_colour
    strands = 1 + rng.uniform(0.1, 0.3) * noise(rng, 0.22, 8) + 0.12 * noise(rng, 1.0, 5)
    paint *= strands[:, :, None]
    return np.asarray(mask, np.float32), False, np.clip(paint, 0, 1)


def _clothes(colour: Image, rng: np.random.Generator) -> None:
    x, y = coordinates()
    cloth = rise(y + 0 * x, -11.2, -11.3)
    _blend(colour, np.asarray(cloth, np.float32), rng.uniform(0.03, 0.95, 3).astype(np.float32))
