"""What covers or surrounds a face: glasses, fingers and other things, long hair behind the head."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.geometry import Window, posed, projected
from server.pretraining.renderer.identity import Identity
from server.pretraining.renderer.mesh import FaceKit
from server.pretraining.renderer.scene import Scene

__all__ = ["draw_glasses", "draw_occluders", "hair_behind"]

_SUBPIXEL = 4

Image = NDArray[np.float32]


def hair_behind(
    image: Image,
    identity: Identity,
    landmarks: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Paint long hair into the background, in place; ``landmarks`` in pixels, shape (68, 2)."""
    if identity.long_hair <= 0:
        return
    ears = landmarks[[0, 16]]
    middle, chin = ears.mean(axis=0), landmarks[8]
    down = chin - middle
    wide = float(np.linalg.norm(ears[1] - ears[0])) * 0.6
    across = np.array([-down[1], down[0]]) / max(float(np.linalg.norm(down)), 1e-6) * wide
    length = 0.2 + 1.4 * identity.long_hair
    outline = []
    for angle in np.linspace(-1, 1, 25):
        turn = angle * np.pi * 0.5
        outline.append(middle - 1.1 * down * np.cos(turn) + across * 1.1 * np.sin(turn))
    outline += [middle + across * 1.25 + down * length, middle - across * 1.25 + down * length]
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [_fixed(np.array(outline, np.float32))], 1.0, cv2.LINE_8, _SUBPIXEL)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, wide * 0.05))
    columns = max(4, image.shape[1] // 3)
    grid = rng.standard_normal((4, columns)).astype(np.float32)
    strands = cv2.resize(grid, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    shade = np.clip(0.55 + 0.12 * strands, 0.1, 1)[:, :, None]
    colour = (identity.skin.hair_colour ** np.float32(1 / 2.2)) * shade
    image += mask[:, :, None] * (colour - image)


def draw_glasses(
    image: Image,
    identity: Identity,
    kit: FaceKit,
    camera: NDArray[np.float32],
    depth: Image,
    window: Window,
    scene: Scene,
) -> None:
    """Draw the person's glasses over an sRGB picture, in place."""
    glasses = identity.glasses
    if glasses is None:
        return
    height, width = image.shape[:2]
    resting = identity.base[kit.landmarks]
    nose = resting[27]
    # The frame sits on the resting face: it does not follow the brows.
    scale = height / (2 * window.half_height * scene.distance_cm)
    thick = max(1, round(glasses.thickness_cm * scale))
    angle = np.linspace(0, 2 * np.pi, 41)
    power = 2 / glasses.roundness
    rim_x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * glasses.width_cm / 2
    rim_y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * glasses.height_cm / 2
    colour = tuple(float(v) ** (1 / 2.2) for v in glasses.colour)

    def pixels(points: Any) -> NDArray[np.float32]:
        there = posed(np.asarray(points, np.float32), scene)
        return window.pixels(projected(there, scene.distance_cm), width, height)

    hinges = []
    for eye, out in ((resting[36:42], -1.0), (resting[42:48], 1.0)):
        centre = eye.mean(axis=0) + np.array([0.25 * out, -0.25, 0])
        curve = nose[2] + 0.9 - 0.035 * (centre[0] + rim_x) ** 2
        rim = np.stack([centre[0] + rim_x, centre[1] + rim_y, curve], axis=1)
        outline = pixels(rim)
        glass = np.zeros((height, width), np.float32)
        cv2.fillPoly(glass, [_fixed(outline)], 1.0, cv2.LINE_8, _SUBPIXEL)
        image *= 1 - np.float32(glasses.tint) * glass[:, :, None]
        if glasses.tint > 0.03:
            sheen = np.linspace(0.12, 0, height, dtype=np.float32)[:, None, None]
            image += sheen * glass[:, :, None] * (1 - image)
        cv2.polylines(image, [_fixed(outline)], True, colour, thick, cv2.LINE_AA, _SUBPIXEL)
        hinges.append((rim[0 if out > 0 else 20], rim[20 if out > 0 else 0]))
    bridge = np.array([hinges[0][1], nose + np.array([0, 0, 1.0]), hinges[1][1]])
    cv2.polylines(image, [_fixed(pixels(bridge))], False, colour, thick, cv2.LINE_AA, _SUBPIXEL)
    for (hinge, _), ear in zip(hinges, (resting[0], resting[16]), strict=True):
        back = np.array([ear[0] * 1.05, hinge[1], ear[2]])
        steps = np.linspace(0, 1, 12)[:, None]
        bow = (hinge * (1 - steps) + back * steps).astype(np.float32)
        spots = pixels(bow)
        far = np.float32(scene.distance_cm) - posed(bow, scene)[:, 2]
        inside = (spots > 0).all(axis=1) & (spots < (width - 1, height - 1)).all(axis=1)
        seen: NDArray[np.bool_] = np.array(inside, bool)
        column, row = spots[inside].round().astype(int).T
        seen[inside] = far[inside] < depth[row, column] + 0.2
        last = int(np.argmin(seen)) if not seen.all() else len(seen)
        if last >= 2:
            line = _fixed(spots[:last])
            cv2.polylines(image, [line], False, colour, thick, cv2.LINE_AA, _SUBPIXEL)


def draw_occluders(
    image: Image, scene: Scene, box: tuple[float, ...], tone: NDArray[np.float32]
) -> None:
    """Draw the scene's occluders over an sRGB picture, in place; ``box`` in its pixels."""
    x, y, width, height = box
    side = (width + height) / 2
    for item in scene.occluders:
        ends = np.array([item.start, item.end]) * (width, height) + (x, y)
        colour = np.asarray(tone if item.colour is None else item.colour, np.float32)
        colour = (colour * scene.brightness * 3.2).clip(0, 0.9) ** np.float32(1 / 2.2)
        mask: Any = np.zeros(image.shape[:2], np.float32)
        thick = max(1, round(item.width * side))
        start, end = _corner(ends)
        cv2.line(mask, start, end, 1.0, thick, cv2.LINE_AA, _SUBPIXEL)
        # Round in section: darker towards the edges.
        body = cv2.GaussianBlur(mask, (0, 0), max(0.5, thick * 0.22))
        mask = np.clip(mask, 0, 1)[:, :, None]
        image += mask * (colour * (0.45 + 0.6 * body[:, :, None]) - image)


def _corner(ends: NDArray[np.float64]) -> tuple[tuple[int, int], tuple[int, int]]:
    start, end = ((int(x), int(y)) for x, y in np.round(ends * 2**_SUBPIXEL))
    return start, end


def _fixed(points: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.asarray(np.round(np.clip(points, -4000, 4000) * 2**_SUBPIXEL), np.int32)
