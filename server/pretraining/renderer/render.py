"""One picture of one person: the layers of the rasteriser, lit and put before a background.

Light: lamps with soft edges (skin scatters, red farthest), a sky and a ground, shadows of the first
lamp, darkening of hollows from the depth of their surroundings, reflections (Blinn). Wrinkles tilt
the surface (bump mapping from heights, Blinn 1978).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.background import random_background
from server.pretraining.renderer.canvas import SIDE
from server.pretraining.renderer.covering import draw_glasses, draw_occluders, hair_behind
from server.pretraining.renderer.geometry import Framing, Window, posed, projected, window_of
from server.pretraining.renderer.identity import Identity
from server.pretraining.renderer.mesh import (
    EYE_LEFT,
    EYE_RIGHT,
    MOUTH,
    SKIN,
    SOCKET,
    TEETH,
    FaceKit,
)
from server.pretraining.renderer.rasteriser import BACKGROUND, Layers, Rasteriser
from server.pretraining.renderer.scene import Scene
from server.pretraining.renderer.wrinkles import relief_at

__all__ = ["Renderer", "Rendering"]

_WRAP: Final = np.array([0.42, 0.26, 0.2], np.float32)
"""How far light reaches around an edge in skin, by colour."""
_GROOVE_DARKENING: Final = 4.0
_SKIN_GLINT, _SKIN_DOUBLINGS = 0.35, 4
_EYE_GLINT, _EYE_DOUBLINGS = 1.5, 8
"""Strength of reflections; exponent of Blinn's model, as a power of two."""
_KNEE: Final = np.float32(0.6)
"""Linear light from which on a camera compresses."""
_IRIS: Final = 0.47
_WHITE: Final = 0.55
_FLESH: Final = np.array([0.2, 0.045, 0.04], np.float32)
_SOCKET_FLESH: Final = np.array([0.35, 0.13, 0.11], np.float32)
_REFERENCE_TONE, _TONE_EXPONENT = 0.3, 0.45

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture and what is known of it.

    Attributes
    ----------
    picture : ndarray, shape (h, w, 3), float32
        sRGB, 0 to 1, before the photograph's own faults.
    landmarks : ndarray, shape (68, 2), float32
        Pixel positions, centre of the first pixel at 0.
    box : tuple of float
        Face box: x, y, width, height in pixels.
    """

    picture: Image
    landmarks: NDArray[np.float32]
    box: tuple[float, float, float, float]


class Renderer:
    """Draws faces of one head model.

    Parameters
    ----------
    kit : FaceKit
    oversampling : float
        Pixels drawn per pixel of the result and axis, against jagged edges.
    """

    def __init__(self, kit: FaceKit, *, oversampling: float = 4 / 3) -> None:
        self._kit = kit
        self._oversampling = oversampling
        self._last_background: tuple[tuple[int, int, int], Image] | None = None
        self._rasteriser = Rasteriser(kit)

    def render(
        self,
        identity: Identity,
        vertices: NDArray[np.float32],
        intensity: NDArray[np.float32],
        scene: Scene,
        framing: Framing,
        *,
        background: NDArray[np.uint8] | None = None,
        window: Window | None = None,
    ) -> Rendering:
        """Draw one picture.

        Parameters
        ----------
        identity : Identity
        vertices : ndarray, shape (n, 3)
            The person's face with its expression, see ``FaceKit.deformed``.
        intensity : ndarray, shape (12, 2)
            Action units on the left and right, for the wrinkles.
        scene : Scene
        framing : Framing
        background : ndarray, shape (h, w, 3), uint8, optional
            Picture of which a part is shown behind the head.
        window : Window, optional
            Part of the picture plane to show instead of what ``framing`` asks for; a camera that
            stands still.

        Returns
        -------
        Rendering
        """
        camera = posed(vertices, scene)
        marks = projected(camera[self._kit.landmarks], scene.distance_cm)
        window, box = window_of(marks, scene, framing, window)
        width, height = (round(s * self._oversampling) for s in (framing.width, framing.height))
        layers = self._rasteriser.layers(camera, scene.distance_cm, window, width, height)
        # Picture height in cm at the distance of the head.
        cm_per_pixel = 2 * window.half_height * scene.distance_cm / height
        paint = _Paint(self._kit, identity, layers, cm_per_pixel)
        paint.wrinkle(relief_at(identity.wrinkles, intensity))
        paint.hollow(float(scene.distance_cm - camera[self._kit.landmarks[60:], 2].mean()))
        shadow = None
        if scene.shadow > 0:
            points = _camera_points(layers.depth, window, scene.distance_cm)
            shadow = self._rasteriser.lit(camera, scene.lights[0].direction, points)
            soft = cv2.GaussianBlur(shadow, (0, 0), max(0.3, 0.2 / cm_per_pixel))
            shadow = 1 - np.float32(scene.shadow) * (1 - soft)
        lit = paint.lit(scene, shadow)
        behind = self.background(scene, width, height, background)
        strands = np.random.default_rng([scene.background, 1])
        hair_behind(behind, identity, window.pixels(marks, width, height), strands)
        picture = np.where((layers.part == BACKGROUND)[:, :, None], behind, lit)
        if identity.glasses is not None:
            draw_glasses(picture, identity, self._kit, camera, layers.depth, window, scene)
        scaled = tuple(side * self._oversampling for side in box)
        draw_occluders(picture, scene, scaled, identity.skin.tone)
        if (width, height) != (framing.width, framing.height):
            size = (framing.width, framing.height)
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        landmarks = window.pixels(marks, framing.width, framing.height)
        return Rendering(np.clip(picture, 0, 1), landmarks.astype(np.float32), box)

    def background(
        self, scene: Scene, width: int, height: int, picture: NDArray[np.uint8] | None = None
    ) -> Image:
        """What the scene shows where no head is, shape (height, width, 3), sRGB 0 to 1."""
        key = (scene.background, width, height)
        if picture is None and self._last_background and self._last_background[0] == key:
            # The frames of a video share theirs.
            return self._last_background[1].copy()
        drawn = random_background(np.random.default_rng(scene.background), width, height, picture)
        if picture is None:
            self._last_background = (key, drawn.copy())
        return drawn


class _Paint:
    """Surface of every pixel: colour, direction, gloss and how open it lies to the light."""

    def __init__(
        self, kit: FaceKit, identity: Identity, layers: Layers, cm_per_pixel: float
    ) -> None:
        self._identity = identity
        self._layers = layers
        self._cm_per_pixel = cm_per_pixel
        self._skin = layers.part == SKIN
        self._column = np.ascontiguousarray(layers.place[:, :, 0]) * SIDE - np.float32(0.5)
        self._row = np.ascontiguousarray(layers.place[:, :, 1]) * SIDE - np.float32(0.5)
        self.normal = layers.normal
        self.colour = self._from_canvas(identity.skin.albedo)
        self.gloss = self._from_canvas(identity.skin.gloss)
        self.open = np.ones(layers.depth.shape, np.float32)
        self._colour_eyes()
        for code, colour in ((MOUTH, _FLESH), (TEETH, identity.teeth), (SOCKET, _SOCKET_FLESH)):
            here = layers.part == code
            self.colour[here] = colour
            self.gloss[here] = 0.6

    def _from_canvas(self, image: Image) -> Image:
        return np.asarray(
            cv2.remap(
                image, self._column, self._row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ),
            np.float32,
        )

    def _colour_eyes(self) -> None:
        rows, columns = np.nonzero(
            (self._layers.part == EYE_LEFT) | (self._layers.part == EYE_RIGHT)
        )
        out = self._layers.place[rows, columns] * 2 - 1
        radius = np.sqrt((out * out).sum(axis=1))
        angle = np.arctan2(out[:, 1], out[:, 0])
        eye = self._identity
        fibres = 1 + 0.25 * np.sin(angle * 17) * np.sin(angle * 7 + 1) + 0.3 * (radius / _IRIS)
        iris = eye.iris * fibres[:, None]
        edge = np.clip((radius - _IRIS) / 0.06, 0, 1)[:, None]
        ring = np.clip((_IRIS - radius) / 0.1, 0.25, 1)[:, None]
        white = _WHITE * eye.sclera * (1 - 0.35 * np.clip(radius[:, None] - 0.6, 0, 1) ** 2)
        # The lid throws its shadow on the upper part.
        shade = 1 - 0.45 * np.clip(out[:, 1:] * 2, 0, 1)
        colour = (iris * ring * (1 - edge) + white * edge) * shade
        colour[radius < 0.19] = 0.006
        self.colour[rows, columns] = colour
        self.gloss[rows, columns] = 1.0

    def wrinkle(self, folds: Image) -> None:
        """Tilt the surface by the resting skin's relief and the folds of the moment."""
        heights = np.where(self._skin, self._from_canvas(self._identity.skin.relief + folds), 0)
        across = cv2.Sobel(heights, cv2.CV_32F, 1, 0, scale=0.125 / self._cm_per_pixel)
        down = cv2.Sobel(heights, cv2.CV_32F, 0, 1, scale=0.125 / self._cm_per_pixel)
        tilted = self.normal.copy()
        tilted[:, :, 0] -= np.clip(across, -1.2, 1.2)
        tilted[:, :, 1] += np.clip(down, -1.2, 1.2)
        length = np.sqrt(np.einsum("ijk,ijk->ij", tilted, tilted))
        tilted /= np.maximum(length, 1e-6)[:, :, None]
        self.normal = tilted
        self.open *= np.exp(np.float32(_GROOVE_DARKENING) * np.minimum(heights, 0))

    def hollow(self, lip_depth: float) -> None:
        """Darken what lies deeper than its surroundings, and the mouth towards the throat."""
        here = (self._layers.part != BACKGROUND).astype(np.float32)
        depth = self._layers.depth * here
        for reach_cm, strength in ((0.35, 2.2), (1.3, 0.55)):
            sigma = max(0.5, reach_cm / self._cm_per_pixel)
            around = _wide_blur(depth, sigma) / np.maximum(_wide_blur(here, sigma), 1e-3)
            deeper = self._layers.depth - around
            # A surface that turns away at its own outline is no hollow.
            deeper = np.clip(deeper, 0, 1.2) * np.clip(self.normal[:, :, 2], 0, 1)
            self.open *= np.exp(-np.float32(strength) * deeper)
        inside = (self._layers.part == MOUTH) | (self._layers.part == TEETH)
        behind = np.clip(self._layers.depth[inside] - lip_depth, 0, 6)
        self.open[inside] *= np.exp(-0.45 * behind)

    def lit(self, scene: Scene, shadow: Image | None) -> Image:
        """Colour of every pixel as sRGB, 0 to 1; black where there is no face."""
        here = np.flatnonzero(self._layers.part != BACKGROUND)
        part, gloss, openness = (
            image.ravel()[here] for image in (self._layers.part, self.gloss, self.open)
        )
        normal, colour = (image.reshape(-1, 3)[here] for image in (self.normal, self.colour))
        eye = (part == EYE_LEFT) | (part == EYE_RIGHT)
        up = (normal[:, 1:2] + 1) / 2
        light = (scene.ground + (scene.sky - scene.ground) * up) * openness[:, None]
        mirrored = np.zeros(len(normal), np.float32)
        reached = np.sqrt(openness)
        # Exposing for dark skin would make its reflections those of metal.
        tone = float(self._identity.skin.tone.mean()) / _REFERENCE_TONE
        shine = np.float32(_SKIN_GLINT * scene.shine * min(1.0, tone**0.6))
        for number, lamp in enumerate(scene.lights):
            facing = normal @ lamp.direction
            seen = reached if number or shadow is None else reached * shadow.ravel()[here]
            light += np.maximum((facing[:, None] + _WRAP) / (1 + _WRAP), 0) * (
                seen[:, None] * lamp.colour
            )
            middle = lamp.direction + np.array([0, 0, 1], np.float32)
            middle /= max(float(np.linalg.norm(middle)), 1e-6)
            towards = np.maximum(normal @ middle, 0)
            glint = shine * _power(towards, _SKIN_DOUBLINGS)
            glint[eye] = _EYE_GLINT * _power(towards[eye], _EYE_DOUBLINGS)
            mirrored += glint * seen * np.float32(lamp.colour.mean())
        result = colour * light + (mirrored * gloss)[:, None]
        skin = part == SKIN
        mean = float(result[skin].mean()) if skin.any() else 1.0
        # Darker skin is exposed darker, but less so than it is: cameras expose for the face.
        result *= np.float32(scene.brightness * tone**_TONE_EXPONENT / max(mean, 1e-4))
        # A camera rolls off what is too bright.
        excess = np.maximum(result - _KNEE, 0) / (1 - _KNEE)
        result = np.minimum(result, _KNEE) + (1 - _KNEE) * excess / (1 + excess)
        picture = np.zeros((self.open.size, 3), np.float32)
        picture[here] = cv2.pow(result, 1 / 2.2)
        return picture.reshape(*self.open.shape, 3)


def _wide_blur(image: Image, sigma: float) -> Image:
    """Gaussian blur; a wide one is done on a smaller picture, where it costs little."""
    height, width = image.shape
    shrink = int(min(max(sigma / 2, 1), 8, height, width))
    small = cv2.resize(image, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _power(base: NDArray[np.float32], doublings: int) -> NDArray[np.float32]:
    """``base`` to the power of 2 to the ``doublings``."""
    result = base
    for _ in range(doublings):
        result = result * result
    return result


def _camera_points(depth: Image, window: Window, distance_cm: float) -> Image:
    """Points in camera space, shape (h, w, 3), that the pixels show."""
    height, width = depth.shape
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    y = 1 - (np.arange(height, dtype=np.float32) + 0.5) / height * 2
    points = np.empty((height, width, 3), np.float32)
    points[:, :, 0] = (window.x + x[None] * window.half_width) * depth
    points[:, :, 1] = (window.y + y[:, None] * window.half_height) * depth
    points[:, :, 2] = np.float32(distance_cm) - depth
    return points
