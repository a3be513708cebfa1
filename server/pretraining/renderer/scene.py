"""Everything around a face in one picture: pose, camera, light, background, what covers it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Light", "Occluder", "Scene", "plain_scene", "random_scene"]

_YAW_SD: Final = 13.0
_PITCH_SD: Final = 8.0
_ROLL_SD: Final = 7.0
_YAW_LIMIT: Final = 30.0
_TILT_LIMIT: Final = 20.0
"""Degrees."""


@dataclass(frozen=True, eq=False)
class Light:
    """A distant lamp.

    Attributes
    ----------
    direction : ndarray, shape (3,), float32
        Unit vector towards the lamp; x to the picture's right, y up, z to the camera.
    colour : ndarray, shape (3,), float32
        Linear RGB strength.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]


@dataclass(frozen=True)
class Occluder:
    """Something in front of the face: a finger-like rounded bar, in units of the face box.

    Attributes
    ----------
    start, end : tuple of float
        x and y from the box's left and top; 0 to 1 lies inside.
    width : float
    colour : tuple of float or None
        Linear RGB; None is the person's own skin.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    width: float
    colour: tuple[float, float, float] | None


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture's circumstances, the photograph itself excepted.

    Attributes
    ----------
    yaw, pitch, roll : float
        Turn of the head, degrees: to the person's left, up, and clockwise in the picture.
    distance_cm : float
        From the camera to the middle of the head.
    crop_shift : tuple of float
        Error of the face box, in shares of its width and height.
    crop_scale : float
        Error of its size, as a factor.
    lights : tuple of Light
        The first one casts shadows.
    shadow : float
        Strength of these shadows, 0 to 1.
    sky, ground : ndarray, shape (3,), float32
        Linear RGB of the light from above and below.
    shine : float
        Strength of reflections on the skin, 0 to 1.
    brightness : float
        Mean of the lit skin in linear light, 0 to 1.
    background : int
        Seed of the background.
    occluders : tuple of Occluder
    """

    yaw: float
    pitch: float
    roll: float
    distance_cm: float
    crop_shift: tuple[float, float]
    crop_scale: float
    lights: tuple[Light, ...]
    shadow: float
    sky: NDArray[np.float32]
    ground: NDArray[np.float32]
    shine: float
    brightness: float
    background: int
    occluders: tuple[Occluder, ...]


def plain_scene(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Scene:
    """A face in even light before a plain wall, for comparing expressions."""
    key = Light(_unit(-0.45, 0.55, 0.75), np.full(3, 0.85, np.float32))
    fill = Light(_unit(0.8, 0.1, 0.6), np.full(3, 0.3, np.float32))
    return Scene(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        distance_cm=80.0,
        crop_shift=(0.0, 0.0),
        crop_scale=1.0,
        lights=(key, fill),
        shadow=0.5,
        sky=np.full(3, 0.5, np.float32),
        ground=np.full(3, 0.25, np.float32),
        shine=0.35,
        brightness=0.27,
        background=0,
        occluders=(),
    )


def random_scene(rng: np.random.Generator) -> Scene:
    """Draw the circumstances of one picture.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Scene
    """
    return Scene(
        yaw=float(np.clip(rng.normal(0, _YAW_SD), -_YAW_LIMIT, _YAW_LIMIT)),
        pitch=float(np.clip(rng.normal(0, _PITCH_SD), -_TILT_LIMIT, _TILT_LIMIT)),
        roll=float(np.clip(rng.normal(0, _ROLL_SD), -_TILT_LIMIT, _TILT_LIMIT)),
        distance_cm=float(np.exp(rng.uniform(np.log(40), np.log(250)))),
        crop_shift=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
        crop_scale=float(np.exp(rng.normal(0, 0.05))),
        lights=_random_lights(rng),
        shadow=float(rng.choice([0.0, rng.uniform(0.3, 1.0)])),
        sky=_tinted(rng, rng.uniform(0.3, 0.9)),
        ground=_tinted(rng, rng.uniform(0.1, 0.45)),
        shine=float(rng.beta(1.5, 3)),
        brightness=float(np.clip(np.exp(rng.normal(np.log(0.24), 0.4)), 0.1, 0.55)),
        background=int(rng.integers(2**31)),
        occluders=_random_occluders(rng),
    )


def _unit(x: float, y: float, z: float) -> NDArray[np.float32]:
    vector = np.array([x, y, z], np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _tinted(rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    warmth = rng.normal(0, 0.09)
    tint = np.array([1 + warmth, 1.0, 1 - warmth]) + rng.normal(0, 0.03, 3)
    return np.asarray(strength * np.clip(tint, 0.5, 1.5), np.float32)


def _random_lights(rng: np.random.Generator) -> tuple[Light, ...]:
    azimuth = np.radians(np.clip(rng.normal(0, 45), -100, 100))
    height = np.radians(np.clip(rng.normal(30, 20), -25, 75))
    key = _unit(
        float(np.sin(azimuth) * np.cos(height)),
        float(np.sin(height)),
        float(np.cos(azimuth) * np.cos(height)),
    )
    lights = [Light(key, _tinted(rng, rng.uniform(0.4, 1.3)))]
    for _ in range(int(rng.integers(0, 3))):
        direction = _unit(*(float(v) for v in rng.normal((0, 0.2, 0.5), (1, 0.5, 0.6))))
        lights.append(Light(direction, _tinted(rng, rng.uniform(0.1, 0.6))))
    return tuple(lights)


def _random_occluders(rng: np.random.Generator) -> tuple[Occluder, ...]:
    if rng.random() > 0.08:
        return ()
    if rng.random() < 0.5:
        # A hand from below or from the side: a few bars next to each other.
        x = float(rng.choice([rng.uniform(-0.1, 0.2), rng.uniform(0.8, 1.1)]))
        y, lean = float(rng.uniform(0.6, 1.0)), float(rng.uniform(-0.3, 0.3))
        width, colour = float(rng.uniform(0.08, 0.13)), None
        return tuple(
            Occluder(
                (x + 0.9 * i * width, y + 0.04 * (i % 2)),
                (x + i * width + lean, 1.7),
                width,
                colour,
            )
            for i in range(int(rng.integers(2, 5)))
        )
    red, green, blue = (float(v) for v in rng.uniform(0.02, 0.8, 3))
    end = (float(rng.uniform(-0.3, 1.3)), float(rng.choice([-0.3, 1.3])))
    start = (float(rng.uniform(-0.2, 1.2)), 0.5 + (end[1] - 0.5) * float(rng.uniform(0.55, 0.9)))
    return (Occluder(start, end, float(rng.uniform(0.08, 0.3)), (red, green, blue)),)
