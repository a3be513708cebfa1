"""Rendered faces as one archive or as a folder of pictures with a table."""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.dataset import Faces
from shared.channels import ACTION_UNITS
from shared.errors import InputError
from shared.files import atomic_path, write_atomic

__all__ = ["read_faces", "write_archive", "write_folder"]

_LARGEST_ARCHIVE: Final = 6 * 2**30


def write_archive(path: Path, faces: Iterable[Faces], n: int, size: int) -> None:
    """Write an ``.npz`` with the arrays of ``Faces``.

    Parameters
    ----------
    path : Path
    faces : iterable of Faces
        ``n`` faces of ``size`` pixels altogether.
    n, size : int

    Raises
    ------
    InputError
        When the pictures would take more than 6 GiB of memory.
    """
    if n * size * size * 3 > _LARGEST_ARCHIVE:
        raise InputError(
            f"{n} pictures of {size} pixels take {n * size * size * 3 / 2**30:.1f} GiB; an archive "
            "holds at most 6. Name a folder as --out, or ask for fewer or smaller pictures"
        )
    parts: dict[str, list[NDArray[Any]]] = {field.name: [] for field in fields(Faces)}
    pictures = np.empty((n, size, size, 3), np.uint8)
    done = 0
    for chunk in faces:
        pictures[done : done + len(chunk)] = chunk.pictures
        done += len(chunk)
        for name in parts.keys() - {"pictures"}:
            parts[name].append(getattr(chunk, name))
    arrays = {name: np.concatenate(part) for name, part in parts.items() if part}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, pictures=pictures, **arrays)


def read_faces(path: Path) -> Faces:
    """Read an archive written by ``write_archive``.

    Raises
    ------
    InputError
        When the file is missing, is no such archive, or its arrays do not fit.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {field.name: archive[field.name] for field in fields(Faces)}
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; `fedaffect-server cnn render` writes rendered faces"
        ) from None
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; not an archive of rendered faces") from None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: not a readable .npz archive") from None
    n = len(arrays["person"]) if arrays["person"].ndim else 0
    side = arrays["pictures"].shape[1] if arrays["pictures"].ndim == 4 else 0
    units = len(ACTION_UNITS)
    wanted = {
        "pictures": ((n, side, side, 3), np.uint8),
        "active": ((n, units), np.uint8),
        "intensity": ((n, units), np.float32),
        "person": ((n,), np.int64),
        "landmarks": ((n, 68, 2), np.float32),
    }
    for name, (shape, dtype) in wanted.items():
        found = arrays[name]
        if found.shape != shape or found.dtype != dtype:
            raise InputError(
                f"{path}: {name} is {found.shape} {found.dtype}; {shape} {np.dtype(dtype)} "
                "is needed. Render the faces again"
            )
    return Faces(**arrays)


def write_folder(folder: Path, faces: Iterable[Faces]) -> None:
    """Write pictures as PNG and ``faces.csv``: file, person, then activity and intensity by unit.

    The table comes last, so a folder with a table is complete.
    """
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(
        ["file", "person"]
        + [f"au{unit}" for unit in ACTION_UNITS]
        + [f"au{unit}_intensity" for unit in ACTION_UNITS]
    )
    number = 0
    for chunk in faces:
        for row in range(len(chunk)):
            name = f"{number:07d}.png"
            _, coded = cv2.imencode(".png", np.ascontiguousarray(chunk.pictures[row, :, :, ::-1]))
            write_atomic(folder / name, coded.tobytes())
            rows.writerow(
                [name, int(chunk.person[row]), *chunk.active[row].tolist()]
                + [f"{value:.3f}" for value in chunk.intensity[row]]
            )
            number += 1
    write_atomic(folder / "faces.csv", table.getvalue())
