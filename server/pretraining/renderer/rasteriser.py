"""Triangles to pixels: what part, place and surface direction every pixel of a picture shows.

The rasteriser is OpenCV's (``cv2.triangleRasterize``, OpenCV 5): no graphics card, driver or window
system, and the same picture everywhere. Its three colour channels carry whatever is interpolated,
so two passes give five quantities and the depth.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from server.pretraining.renderer.geometry import Window
from server.pretraining.renderer.mesh import FaceKit
from shared.errors import InputError

__all__ = ["BACKGROUND", "Layers", "Rasteriser"]

BACKGROUND: Final = -1
_PARTS: Final = 8
_NEAR: Final = 1.0
_FAR: Final = 2000.0
_QUARTER_TURN: Final = float(np.pi / 2)
_SHADOW_SIDE: Final = 144
_SHADOW_REACH: Final = 14.0
_LAMP_CM: Final = 800.0
_BIAS_CM: Final = 0.45

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layers:
    """What each pixel shows.

    Attributes
    ----------
    part : ndarray, shape (h, w), int8
        Code of ``FaceKit.part``, or ``BACKGROUND``.
    place : ndarray, shape (h, w, 2), float32
        ``FaceKit.place``.
    normal : ndarray, shape (h, w, 3), float32
        Directions in camera space, interpolated, so slightly shorter than 1.
    depth : ndarray, shape (h, w), float32
        Centimetres from the camera.
    """

    part: NDArray[np.int8]
    place: NDArray[np.float32]
    normal: NDArray[np.float32]
    depth: Image


class Rasteriser:
    """Draws one head model; what depends on its triangles alone is kept."""

    def __init__(self, kit: FaceKit) -> None:
        if not hasattr(cv2, "triangleRasterize"):
            raise InputError(
                f"rendering needs OpenCV 5, OpenCV {cv2.__version__} is installed; install "
                "fedaffect[train]"
            )
        self._triangles = kit.triangles
        corners = kit.triangles.ravel()
        owner = np.repeat(np.arange(len(kit.triangles)), 3)
        ones = np.ones(len(corners), np.float32)
        self._corners = csr_array((ones, (corners, owner)), shape=(len(kit.neutral), owner[-1] + 1))
        part = (kit.part[:, None] + 1) / np.float32(_PARTS)
        self._paint = np.ascontiguousarray(np.hstack([kit.place, part]), np.float32)
        self._settings = cv2.TriangleRasterizeSettings()
        self._settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
        self._settings.setCullingMode(cv2.RASTERIZE_CULLING_CW)

    def _surface(
        self, vertices: NDArray[np.float32], distance_cm: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Unit normals, shape (n, 3), and the triangles that face the camera."""
        a, b, c = (vertices[self._triangles[:, corner]] for corner in range(3))
        p, q = b - a, c - a
        flat = np.empty_like(p)
        for axis in range(3):
            i, j = (axis + 1) % 3, (axis + 2) % 3
            flat[:, axis] = p[:, i] * q[:, j] - p[:, j] * q[:, i]
        summed = self._corners @ flat
        length = np.sqrt(np.einsum("ij,ij->i", summed, summed))[:, None]
        normals = np.asarray(summed / np.maximum(length, 1e-12), np.float32)
        a[:, 2] -= np.float32(distance_cm)
        # Half the work of both passes is saved by not handing over what is turned away.
        facing = np.einsum("ij,ij->i", flat, a) < 0
        return normals, self._triangles[facing]

    def layers(
        self,
        camera: NDArray[np.float32],
        distance_cm: float,
        window: Window,
        width: int,
        height: int,
    ) -> Layers:
        """Draw vertices given in camera space, shape (n, 3)."""
        depth_of = np.float32(distance_cm) - camera[:, 2]
        seen = np.empty_like(camera)
        # One unit of the rasteriser is half the picture's height at depth 1.
        aspect = width / height
        seen[:, 0] = (camera[:, 0] - window.x * depth_of) * np.float32(aspect / window.half_width)
        seen[:, 1] = (camera[:, 1] - window.y * depth_of) * np.float32(1 / window.half_height)
        seen[:, 2] = -depth_of
        normals, triangles = self._surface(camera, distance_cm)
        first, depth = self._pass(seen, triangles, self._paint, width, height)
        tint = normals * np.float32(0.5) + np.float32(0.5)
        second, _ = self._pass(seen, triangles, tint, width, height)
        part = np.rint(first[:, :, 2] * _PARTS).astype(np.int8) - np.int8(1)
        second *= 2
        second -= 1
        return Layers(part, first[:, :, :2], second, depth)

    def lit(
        self, camera: NDArray[np.float32], direction: NDArray[np.float32], points: Image
    ) -> Image:
        """Share of a lamp's light, shape (h, w), that reaches points in camera space, (h, w, 3)."""
        side = np.cross([0, 1, 0], direction)
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), direction]).astype(np.float32)
        seen = camera @ axes.T
        seen[:, 2] -= _LAMP_CM
        seen[:, :2] *= np.float32(_LAMP_CM / _SHADOW_REACH)
        _, depth = self._pass(seen, self._triangles, None, _SHADOW_SIDE, _SHADOW_SIDE)
        there = cv2.transform(points, axes)
        scale = np.float32(_SHADOW_SIDE / 2 / _SHADOW_REACH) * (
            _LAMP_CM / (_LAMP_CM - there[:, :, 2])
        )
        middle = np.float32((_SHADOW_SIDE - 1) / 2)
        column = np.asarray(middle + there[:, :, 0] * scale, np.float32)
        row = np.asarray(middle - there[:, :, 1] * scale, np.float32)
        nearest = cv2.remap(
            depth, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_FAR
        )
        behind = (_LAMP_CM - there[:, :, 2]) - nearest
        return np.asarray(np.clip(1.5 - behind / _BIAS_CM, 0, 1), np.float32)

    def _pass(
        self,
        seen: NDArray[np.float32],
        triangles: NDArray[np.int32],
        paint: NDArray[np.float32] | None,
        width: int,
        height: int,
    ) -> tuple[Image, Image]:
        depth: Any = np.full((height, width), _FAR, np.float32)
        still = np.eye(4, dtype=np.float32)
        place = (still, _QUARTER_TURN, _NEAR, _FAR, self._settings)
        if paint is None:
            cv2.triangleRasterizeDepth(seen, triangles, depth, *place)
            return depth, depth
        colour: Any = np.zeros((height, width, 3), np.float32)
        cv2.triangleRasterize(seen, triangles, paint, colour, depth, *place)
        return colour, depth
