"""The ICT-FaceKit head: read from the user's file, checked, and cut to what a camera can see.

The model (Li et al., CVPR 2020; MIT licence of the USC Institute for Creative Technologies) is not
part of this program. A face is ``neutral + sum(w * expression) + sum(v * identity)`` with ``w`` in
0 to 1 and ``v`` standard normal. Vertex numbers by part are those of the model's documentation.

Not in the model, but needed to dress it: a place on a flat canvas for every skin vertex (cylinder
around the vertical axis through the head), and the centre of each eyeball.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.facekit_files import (
    EXPRESSION_SHAPES,
    VERTICES,
    read_facekit,
)
from shared.errors import InputError

__all__ = [
    "EXPRESSION_SHAPES",
    "EYE_LEFT",
    "EYE_RIGHT",
    "MOUTH",
    "SKIN",
    "SOCKET",
    "TEETH",
    "FaceKit",
    "canvas_place",
    "canvas_share",
    "load_facekit",
]

SKIN, SOCKET, MOUTH, TEETH, EYE_LEFT, EYE_RIGHT = range(6)
"""Codes of ``FaceKit.part``: skin, eye socket, inside of the mouth, teeth, the person's left eye,
right eye."""

_PARTS: Final = (
    (0, 11_248, SKIN),
    (11_248, 13_294, MOUTH),
    (13_294, 14_062, SOCKET),
    (14_062, 17_039, MOUTH),
    (17_039, 21_451, TEETH),
    (21_451, 22_221, EYE_LEFT),
    (23_021, 23_791, EYE_RIGHT),
)
"""First and last (exclusive) vertex. Left out: the iris meshes, because irises are painted here,
and tear film, occlusion and lash cards, which are transparent in the model."""

_BACK_Z: Final = {SKIN: -3.0, TEETH: 8.3, EYE_LEFT: 7.8, EYE_RIGHT: 7.8}
"""What lies behind this is not seen at any pose drawn here, model units (about centimetres)."""
_TONGUE: Final = (14_062, 17_039)
_TONGUE_BACK_Z: Final = 7.5

_INNER_LIPS: Final = [61, 62, 63, 65, 66, 67]
"""Landmarks of the closed mouth's line, three above and three below it."""
_LIP_DEPTH: Final = 0.6
_LIP_HEIGHT: Final = 1.2
_LIP_COLUMNS: Final = ((-1.0, -0.4), (-0.4, 0.4), (0.4, 1.0))
"""Extent of the lips around that line, model units."""

_SNEER_TAPER: Final = (-1.0, -2.4)
_SNEER_LEFT: Final = 0.2
"""Heights between which the sneer fades, and what is left of it below."""

_AXIS_Z: Final = 1.0
_CANVAS_RADIUS: Final = 9.0
_CANVAS_HALF: Final = 13.0
_CANVAS_TOP: Final = 14.5
"""Cylinder of the canvas and its extent, model units."""


@dataclass(frozen=True, eq=False)
class FaceKit:
    """The head model, cut to the visible parts.

    Attributes
    ----------
    neutral : ndarray, shape (n, 3), float32
        x to the person's left, y up, z to the front, about centimetres.
    triangles : ndarray, shape (m, 3), int32
    expression : ndarray, shape (57, n * 3), float32
        Displacement at weight 1, in the order of ``EXPRESSION_SHAPES``.
    identity : ndarray, shape (100, n * 3), float32
        Displacement of one standard deviation.
    part : ndarray, shape (n,), int64
        ``SKIN``, ``SOCKET``, ``MOUTH``, ``TEETH``, ``EYE_LEFT`` or ``EYE_RIGHT``.
    place : ndarray, shape (n, 2), float32
        Skin: place on the canvas, 0 to 1 from its left and top. Eyes: direction from the centre of
        the eyeball at rest, x and y, mapped from -1..1 to 0..1. Elsewhere .5.
    landmarks : ndarray, shape (68,), int64
        Vertices of the 68 points in Multi-PIE order.
    lips : tuple of pairs of ndarray of int64
        Vertices of the upper and of the lower lip in columns beside each other.
    """

    neutral: NDArray[np.float32]
    triangles: NDArray[np.int32]
    expression: NDArray[np.float32]
    identity: NDArray[np.float32]
    part: NDArray[np.int64]
    place: NDArray[np.float32]
    landmarks: NDArray[np.int64]
    lips: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]

    def deformed(
        self, base: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Vertices, shape (n, 3), of the face ``base`` with expression weights, shape (57,)."""
        used = np.flatnonzero(weights)
        moved = weights[used] @ self.expression[used]
        return np.asarray(base + moved.reshape(-1, 3), np.float32)


def canvas_place(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place on the canvas, shape (n, 2), of points of the neutral face, shape (n, 3).

    Unlike ``FaceKit.place`` in centimetres: arc to the person's left of the middle, and height.
    """
    arc = _CANVAS_RADIUS * np.arctan2(points[:, 0], points[:, 2] - _AXIS_Z)
    return np.asarray(np.stack([arc, points[:, 1]], axis=1), np.float32)


def canvas_share(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Canvas centimetres, shape (n, 2), as shares 0 to 1 of the canvas from its left and top."""
    across = (places[:, 0] + _CANVAS_HALF) / (2 * _CANVAS_HALF)
    down = (_CANVAS_TOP - places[:, 1]) / (2 * _CANVAS_HALF)
    return np.clip(np.stack([across, down], axis=1), 0, 1).astype(np.float32)


def load_facekit(path: Path) -> FaceKit:
    """Read ICT-FaceKit's light model.

    Parameters
    ----------
    path : Path
        Its folder ``FaceXModel`` as published, or one archive; see ``read_facekit``.

    Returns
    -------
    FaceKit

    Raises
    ------
    InputError
        When a file is missing or unreadable, or holds something else than the model.
    """
    files = read_facekit(path)
    landmarks = files.landmarks
    neutral = files.neutral
    part = np.full(VERTICES, -1)
    for first, last, code in _PARTS:
        part[first:last] = code
    kept = (part >= 0) & (neutral[:, 2] > _back_of(part))
    triangles = files.triangles
    triangles = triangles[kept[triangles].all(axis=1)]
    used = np.unique(triangles)
    number = np.full(VERTICES, -1)
    number[used] = np.arange(len(used))
    if (number[landmarks] < 0).any():
        raise InputError(f"{path}: landmarks of vertex_indices.json lie on no visible triangle")
    expression = files.expression[:, used].astype(np.float32)
    _tame_sneer(expression, neutral[used])
    return FaceKit(
        neutral=neutral[used],
        triangles=np.ascontiguousarray(number[triangles], np.int32),
        expression=_flat(expression),
        identity=_flat(files.identity[:, used].astype(np.float32)),
        part=part[used],
        place=_places(neutral[used], part[used]),
        landmarks=number[landmarks],
        lips=_lips(neutral[used], part[used], number[landmarks]),
    )


def _back_of(part: NDArray[np.int64]) -> NDArray[np.float64]:
    back = np.full(len(part), -np.inf)
    for code, z in _BACK_Z.items():
        back[part == code] = z
    back[_TONGUE[0] : _TONGUE[1]] = _TONGUE_BACK_Z
    return back


def _tame_sneer(expression: NDArray[np.float32], neutral: NDArray[np.float32]) -> None:
    """Take most of the upper lip's rise out of the nose wrinkler, in place.

    As modelled, a full sneer parts the lips like AU 10 and 25, which would tie those labels to 9.
    """
    top, bottom = _SNEER_TAPER
    share = np.clip((neutral[:, 1] - bottom) / (top - bottom), 0, 1)
    for side in "LR":
        shape = expression[EXPRESSION_SHAPES.index(f"noseSneer_{side}")]
        shape *= (_SNEER_LEFT + (1 - _SNEER_LEFT) * share)[:, None]


def _flat(shapes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(shapes.reshape(len(shapes), -1), np.float32)


def _places(neutral: NDArray[np.float32], part: NDArray[np.int64]) -> NDArray[np.float32]:
    place = canvas_share(canvas_place(neutral))
    place[(part == MOUTH) | (part == TEETH) | (part == SOCKET)] = 0.5
    for eye in (EYE_LEFT, EYE_RIGHT):
        ball = part == eye
        low, high = neutral[ball].min(axis=0), neutral[ball].max(axis=0)
        # Only the front of the ball was kept.
        radius = (high[0] - low[0]) / 2
        centre = np.array([(high[0] + low[0]) / 2, (high[1] + low[1]) / 2, high[2] - radius])
        out = neutral[ball] - centre
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        # The hidden half would fold over the iris.
        out[out[:, 2] < 0, :2] = 1
        place[ball] = (out[:, :2] + 1) / 2
    return place


def _lips(
    neutral: NDArray[np.float32], part: NDArray[np.int64], landmarks: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    seam = float(neutral[landmarks[_INNER_LIPS]][:, 1].mean())
    front = float(neutral[landmarks[_INNER_LIPS]][:, 2].min()) - _LIP_DEPTH
    near = (part == SKIN) & (neutral[:, 2] > front) & (np.abs(neutral[:, 1] - seam) < _LIP_HEIGHT)
    upper = neutral[:, 1] > seam
    columns = []
    for left, right in _LIP_COLUMNS:
        here = near & (neutral[:, 0] >= left) & (neutral[:, 0] < right)
        columns.append((np.flatnonzero(here & upper), np.flatnonzero(here & ~upper)))
    return tuple(columns)
