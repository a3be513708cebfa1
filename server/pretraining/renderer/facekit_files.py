"""ICT-FaceKit's files: the folder as published, or the same arrays in one archive.

Published: https://github.com/ICT-VGL/ICT-FaceKit, folder ``FaceXModel``, one Wavefront mesh a
shape, all with the same vertices in the same order. The archive loads in half a second, the folder
in some.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

__all__ = ["EXPRESSION_SHAPES", "VERTICES", "FaceKitFiles", "read_facekit"]

_SIDED: Final = (
    *("PupilDilate", "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekRaiser"),
    *("cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp"),
    *("eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress"),
    *("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
_CENTRAL: Final = (
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft"),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper"),
)
EXPRESSION_SHAPES: Final[tuple[str, ...]] = tuple(
    sorted([f"{name}_{side}" for name in _SIDED for side in "LR"] + list(_CENTRAL))
)
"""Expression shapes that the renderer drives, in the order of ``FaceKit.expression``."""

VERTICES: Final = 26_719
_IDENTITIES: Final = 100
_LANDMARKS: Final = 68
_NEUTRAL: Final = "generic_neutral_mesh"
_INDICES: Final = "vertex_indices.json"


@dataclass(frozen=True, eq=False)
class FaceKitFiles:
    """The model as its files hold it.

    Attributes
    ----------
    neutral : ndarray, shape (26719, 3), float32
    triangles : ndarray, shape (m, 3), int64
    expression : ndarray, shape (57, 26719, 3), float16 or float32
        Displacements in the order of ``EXPRESSION_SHAPES``.
    identity : ndarray, shape (100, 26719, 3), float16 or float32
    landmarks : ndarray, shape (68,), int64
    """

    neutral: NDArray[np.float32]
    triangles: NDArray[np.int64]
    expression: NDArray[Any]
    identity: NDArray[Any]
    landmarks: NDArray[np.int64]


def read_facekit(path: Path) -> FaceKitFiles:
    """Read and check the model.

    Parameters
    ----------
    path : Path
        Folder with ``generic_neutral_mesh.obj``, a mesh for each of ``EXPRESSION_SHAPES``,
        ``identity000.obj`` to ``identity099.obj`` and ``vertex_indices.json``; or an ``.npz`` with
        ``neutral`` (26719, 3), ``triangles`` (m, 3), ``expr_delta`` (57, 26719, 3),
        ``expr_names`` and ``id_delta`` (100, 26719, 3), with ``vertex_indices.json`` beside it.

    Returns
    -------
    FaceKitFiles

    Raises
    ------
    InputError
        When a file is missing or unreadable, or holds something else than the model.
    """
    if path.is_dir():
        landmarks = _read_landmarks(path / _INDICES)
        return _checked(path, _folder_arrays(path), landmarks)
    arrays = _archive_arrays(path)
    return _checked(path, arrays, _read_landmarks(path.with_name(_INDICES)))


def _archive_arrays(path: Path) -> dict[str, NDArray[Any]]:
    wanted = ("neutral", "triangles", "expr_delta", "expr_names", "id_delta")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in wanted}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give ICT-FaceKit with --facekit FILE") from None
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; ICT-FaceKit's arrays are needed") from None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: not a readable .npz archive") from None


def _folder_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    neutral, triangles = _read_mesh(folder / f"{_NEUTRAL}.obj")

    def shapes(names: list[str]) -> NDArray[np.float32]:
        moved = np.empty((len(names), *neutral.shape), np.float32)
        for row, name in enumerate(names):
            path = folder / f"{name}.obj"
            vertices, _ = _read_mesh(path)
            if vertices.shape != neutral.shape:
                raise InputError(
                    f"{path}: {len(vertices)} vertices, the neutral mesh has {len(neutral)}; "
                    "take all files from one release of ICT-FaceKit"
                )
            moved[row] = vertices - neutral
        return moved

    return {
        "neutral": neutral,
        "triangles": triangles,
        "expr_delta": shapes(list(EXPRESSION_SHAPES)),
        "expr_names": np.array(EXPRESSION_SHAPES),
        "id_delta": shapes([f"identity{number:03d}" for number in range(_IDENTITIES)]),
    }


def _read_mesh(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vertices, shape (n, 3), and triangles, shape (m, 3), of a Wavefront mesh."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        given = [line.split()[1:4] for line in lines if line.startswith("v ")]
        vertices = np.array(given, np.float32).reshape(-1, 3)
        triangles = []
        for line in lines:
            if line.startswith("f "):
                corners = [int(corner.partition("/")[0]) - 1 for corner in line.split()[1:]]
                # A face of more than three corners as a fan.
                triangles += [(corners[0], *corners[i : i + 2]) for i in range(1, len(corners) - 1)]
        return vertices, np.array(triangles, np.int64).reshape(-1, 3)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; --facekit takes the folder FaceXModel of ICT-FaceKit, or an "
            "archive"
        ) from None
    except (OSError, ValueError):
        raise InputError(f"{path}: not a readable Wavefront mesh") from None


def _checked(
    path: Path, arrays: dict[str, NDArray[Any]], landmarks: NDArray[np.int64]
) -> FaceKitFiles:
    shapes: dict[str, tuple[int | None, ...]] = {
        "neutral": (VERTICES, 3),
        "triangles": (None, 3),
        "expr_delta": (len(EXPRESSION_SHAPES), VERTICES, 3),
        "expr_names": (len(EXPRESSION_SHAPES),),
        "id_delta": (_IDENTITIES, VERTICES, 3),
    }
    for name, shape in shapes.items():
        found = arrays[name].shape
        fits = len(found) == len(shape) and all(
            side is None or side == here for side, here in zip(shape, found, strict=True)
        )
        kind = {"triangles": "iu", "expr_names": "U"}.get(name, "f")
        if not fits or arrays[name].dtype.kind not in kind:
            wanted = " x ".join("any" if side is None else str(side) for side in shape)
            raise InputError(
                f"{path}: {name} is {found} {arrays[name].dtype}; {wanted} is needed. "
                "Give ICT-FaceKit's light model"
            )
        if kind == "f" and not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds values that are not finite")
    corners = arrays["triangles"]
    if corners.size == 0 or corners.min() < 0 or corners.max() >= VERTICES:
        raise InputError(f"{path}: triangles name vertices outside 0 to {VERTICES - 1}")
    names = [str(name) for name in arrays["expr_names"]]
    missing = [name for name in EXPRESSION_SHAPES if name not in names]
    if missing:
        raise InputError(
            f"{path}: expression shapes {', '.join(missing[:5])} are missing "
            f"({len(missing)} in all); give ICT-FaceKit's light model"
        )
    order = [names.index(name) for name in EXPRESSION_SHAPES]
    return FaceKitFiles(
        neutral=arrays["neutral"].astype(np.float32),
        triangles=corners.astype(np.int64),
        expression=arrays["expr_delta"][order],
        identity=arrays["id_delta"],
        landmarks=landmarks,
    )


def _read_landmarks(path: Path) -> NDArray[np.int64]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        landmarks = np.asarray(content["idx_to_landmark_verts"], np.int64)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; ICT-FaceKit's {_INDICES} belongs to the model"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise InputError(f"{path}: idx_to_landmark_verts cannot be read") from None
    if landmarks.shape != (_LANDMARKS,) or landmarks.min() < 0 or landmarks.max() >= VERTICES:
        raise InputError(f"{path}: idx_to_landmark_verts must name {_LANDMARKS} vertices")
    return landmarks
