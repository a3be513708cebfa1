"""Folds that appear in the skin when a muscle acts, as heights on the canvas.

The mesh is too coarse for them, and a FACS coder reads several units from them: forehead lines
(1, 2), the furrow between the brows (4), crow's feet (6), folds beside the nose (9, 12), lines
beside the mouth (12, 20) and the pebbled chin (17). Places: Ekman, Friesen and Hager, FACS 2002.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.canvas import SIDE, blurred, coordinates, line, noise, rise
from shared.channels import ACTION_UNITS

__all__ = ["WRINKLED", "relief_at", "wrinkle_maps"]

WRINKLED: Final = (1, 2, 4, 6, 9, 12, 17, 20)
"""Action units with a map, in the order of ``wrinkle_maps``."""

_DEPTH_CM: Final = (0.13, 0.13, 0.24, 0.16, 0.24, 0.17, 0.15, 0.15)
"""Of a deep groove, in the order of ``WRINKLED``."""

Image = NDArray[np.float32]


def wrinkle_maps(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heights at full intensity of each unit in ``WRINKLED``, both sides of the face.

    Parameters
    ----------
    rng : numpy.random.Generator
        Makes every person's folds their own.
    landmarks : ndarray, shape (68, 2)
        Landmarks on the canvas, centimetres.

    Returns
    -------
    ndarray, shape (8, side, side), float32
        Centimetres; grooves are negative.
    """
    makers = (_forehead, _temples, _furrow, _crows_feet, _nose, _smile, _chin, _stretch)
    depth = np.array(_DEPTH_CM, np.float32)[:, None, None]
    return np.stack([maker(rng, landmarks) for maker in makers]) * depth


def relief_at(maps: NDArray[np.float32], intensity: NDArray[np.float32]) -> Image:
    """Heights for intensities, shape (12, 2), left and right, scaled by ``maps``."""
    x, _ = coordinates()
    left = rise(x, -0.8, 0.8)
    relief = np.zeros((SIDE, SIDE), np.float32)
    for unit, heights in zip(WRINKLED, maps, strict=True):
        on_left, on_right = intensity[ACTION_UNITS.index(unit)]
        if max(on_left, on_right) > 0.02:
            relief += heights * (on_left * left + on_right * (1 - left))
    return relief


def _empty() -> Image:
    return np.zeros((SIDE, SIDE), np.float32)


def _folded(grooves: Image, width_cm: float) -> Image:
    """A groove with raised skin on both sides."""
    deep = blurred(grooves, width_cm)
    swollen = blurred(grooves, width_cm * 3)
    return np.asarray(
        1.6 * swollen / max(float(swollen.max()), 1e-6) * 0.6
        - 1.4 * deep / max(float(deep.max()), 1e-6),
        np.float32,
    )


def _curve(rng: np.random.Generator, *places: tuple[float, float]) -> NDArray[np.float32]:
    """Smooth line through a few places, a little off."""
    given = np.array(places, np.float32) + rng.normal(0, 0.06, (len(places), 2))
    share = np.linspace(0, 1, 24)
    knots = np.linspace(0, 1, len(places))
    degree = min(len(places) - 1, 2)
    fitted = [np.polyval(np.polyfit(knots, column, degree), share) for column in given.T]
    return np.stack(fitted, axis=1).astype(np.float32)


def _mirrored(curve: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return curve, curve * np.array([-1, 1], np.float32)


def _forehead_lines(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    brow = float(landmarks[17:27, 1].max())
    for height in np.arange(brow + 1.0, brow + 4.0, rng.uniform(0.65, 1.0)):
        bend, length = rng.uniform(-0.3, 0.4), rng.uniform(4, 6)
        curve = _curve(rng, (-length, height - bend), (0, height), (length, height - bend))
        line(image, curve, 0.1)
    return _folded(image, 0.12)


def _forehead(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    x, _ = coordinates()
    return _forehead_lines(rng, landmarks) * (1 - rise(np.abs(x), 1.8, 4.5))


def _temples(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    x, _ = coordinates()
    return _forehead_lines(rng, landmarks) * rise(np.abs(x), 1.2, 3.5)


def _furrow(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    inner = landmarks[22]
    top, bottom = inner[1] + rng.uniform(0.2, 0.9), inner[1] - 1.3
    spread = rng.uniform(0.35, 0.6)
    for curve in _mirrored(
        _curve(rng, (spread * 1.2, top), (spread, (top + bottom) / 2), (spread * 1.25, bottom))
    ):
        line(image, curve, 0.16)
    line(image, _curve(rng, (-0.8, bottom - 0.3), (0, bottom - 0.2), (0.8, bottom - 0.3)), 0.1, 0.6)
    return _folded(image, 0.13)


def _crows_feet(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    x, y = landmarks[45]
    for angle in (-35, -12, 10, 30):
        turn = np.radians(angle + rng.normal(0, 4))
        far = rng.uniform(1.2, 1.9)
        curve = _curve(
            rng,
            (x + 0.45, y + 0.45 * np.sin(turn)),
            (x + 0.45 + far * np.cos(turn), y + far * np.sin(turn) + 0.1),
        )
        for side in _mirrored(curve):
            line(image, side, 0.08, 0.8)
    inner, outer = landmarks[42], landmarks[45]
    for drop in (0.65, 1.05):
        curve = _curve(
            rng,
            (inner[0] + 0.2, inner[1] - drop),
            ((inner[0] + outer[0]) / 2, inner[1] - drop - 0.45),
            (outer[0] + 0.5, outer[1] - drop + 0.1),
        )
        for side in _mirrored(curve):
            line(image, side, 0.1)
    return _folded(image, 0.1)


def _nose(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    root, tip = landmarks[27], landmarks[30]
    for share in (0.05, 0.22):
        height = root[1] + (tip[1] - root[1]) * share
        line(image, _curve(rng, (-0.7, height - 0.1), (0, height + 0.12), (0.7, height - 0.1)), 0.1)
    for share in (0.2, 0.35, 0.5):
        height = root[1] + (tip[1] - root[1]) * share
        for side in _mirrored(_curve(rng, (0.5, height + 0.35), (1.3, height - 0.35))):
            line(image, side, 0.1)
    wing = landmarks[35]
    for side in _mirrored(
        _curve(
            rng,
            (wing[0] * 0.75, wing[1] + 1.5),
            (wing[0] + 0.45, wing[1] + 0.8),
            (wing[0] + 0.9, wing[1] - 0.4),
        )
    ):
        line(image, side, 0.14)
    return _folded(image, 0.12)


def _smile(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    wing, corner = landmarks[35], landmarks[54]
    curve = _curve(
        rng,
        (wing[0] + 0.25, wing[1] + 0.7),
        ((wing[0] + corner[0]) / 2 + 0.85, (wing[1] + corner[1]) / 2 + 0.3),
        (corner[0] + 0.95, corner[1] - 0.3),
    )
    for side in _mirrored(curve):
        line(image, side, 0.2)
    return _folded(image, 0.2)


def _chin(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    x, y = coordinates()
    lip, chin = landmarks[57], landmarks[8]
    height = lip[1] + 0.62 * (chin[1] - lip[1])
    boss = np.exp(-((x / 1.5) ** 2) - ((y - height) / 1.1) ** 2)
    pebbles = noise(rng, 0.4) * 0.6
    image = _empty()
    below = lip[1] - 0.45
    line(image, _curve(rng, (-1.3, below - 0.3), (0, below + 0.05), (1.3, below - 0.3)), 0.15)
    return np.asarray(boss * (pebbles + 0.8) + 0.8 * _folded(image, 0.15), np.float32)


def _stretch(rng: np.random.Generator, landmarks: NDArray[np.float32]) -> Image:
    image = _empty()
    corner = landmarks[54]
    for out in (0.55, 1.1):
        curve = _curve(
            rng,
            (corner[0] + out - 0.1, corner[1] + 0.7),
            (corner[0] + out, corner[1]),
            (corner[0] + out - 0.25, corner[1] - 1.0),
        )
        for side in _mirrored(curve):
            line(image, side, 0.12)
    return _folded(image, 0.13)
