"""Faces that cost much to make (rendered, or decoded from half a million files), kept in a folder.

``pictures.u8`` holds the raw values and is mapped, not read; ``labels.npz`` the targets;
``note.json`` says what the folder was made from and is written last, so a folder with a note is
complete. One folder a set of settings: other settings never meet stale pictures.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.labelled_faces import LabelledFaces, Skipped
from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["Chunk", "made_once", "open_stored_faces"]

Chunk = tuple[NDArray[np.uint8], Mapping[str, NDArray[np.float32]], list[Skipped]]
"""Pictures, targets by the names of ``LabelledFaces``, and what was left out."""

_FORMAT: Final = 1
_TARGETS: Final = ("expression", "valence_arousal", "action_units")


def made_once(
    cache: Path,
    name: str,
    made_from: Mapping[str, Any],
    side: int,
    make: Callable[[], Iterable[Chunk]],
) -> LabelledFaces:
    """Faces from the cache, made now if they are not there.

    Several processes may ask at once: one makes them, the others wait for it.

    Parameters
    ----------
    cache : Path
        Folder of all stored faces.
    name : str
        The data set's name.
    made_from : mapping
        JSON values that decide what the faces are.
    side : int
        Of the pictures (RGB), pixels.
    make : callable
        Yields the faces in order.
    """
    from filelock import FileLock

    settings = json.dumps({"format": _FORMAT, "name": name, **made_from}, sort_keys=True)
    folder = cache / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "note.json").is_file():
            _write(folder, name, json.loads(settings), side, make())
    return open_stored_faces(folder)


def _write(
    folder: Path, name: str, made_from: dict[str, Any], side: int, chunks: Iterable[Chunk]
) -> None:
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    targets: dict[str, list[NDArray[np.float32]]] = {key: [] for key in _TARGETS}
    skipped: list[Skipped] = []
    n = 0
    with (partial / "pictures.u8").open("wb") as stream:
        for pictures, given, left_out in chunks:
            stream.write(np.ascontiguousarray(pictures).tobytes())
            n += len(pictures)
            skipped += left_out
            for key in _TARGETS:
                targets[key].append(given[key])
    if n == 0:
        shutil.rmtree(partial)
        why = "" if not skipped else f"; {len(skipped)} are {skipped[0].reason} or the like"
        raise InputError(f"data set {name}: no usable picture{why}; check its path")
    arrays: dict[str, Any] = {key: np.concatenate(parts) for key, parts in targets.items()}
    with (partial / "labels.npz").open("wb") as labels:
        np.savez(labels, allow_pickle=False, **arrays)
    note = {
        "name": name,
        "shape": [n, side, side, 3],
        "made_from": made_from,
        "skipped": [[item.place, item.reason] for item in skipped],
    }
    write_atomic(partial / "note.json", json.dumps(note, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def open_stored_faces(folder: Path) -> LabelledFaces:
    """Open a folder of stored faces; its pictures are mapped from the file.

    Parameters
    ----------
    folder : Path
        With ``pictures.u8`` (uint8 values of all pictures, row by row, RGB or grey), ``labels.npz``
        (arrays ``expression``, ``valence_arousal``, ``action_units``, float32) and ``note.json``
        (``name``, and ``shape`` of the pictures).

    Raises
    ------
    InputError
        When the folder is incomplete or its files do not fit each other.
    """
    note_path = folder / "note.json"
    try:
        note = json.loads(note_path.read_text(encoding="utf-8"))
        name, shape = str(note["name"]), tuple(int(length) for length in note["shape"])
        skipped = tuple(Skipped(str(a), str(b)) for a, b in note.get("skipped", ()))
    except FileNotFoundError:
        raise InputError(f"{folder}: no folder of stored faces; note.json is missing") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{note_path}: not a note with `name` and `shape`") from None
    try:
        with np.load(folder / "labels.npz", allow_pickle=False) as archive:
            targets = {key: archive[key] for key in _TARGETS}
        pictures = np.memmap(folder / "pictures.u8", np.uint8, "r", shape=shape)
        if (folder / "pictures.u8").stat().st_size != pictures.size:
            raise ValueError("more pictures than the note says")
        return LabelledFaces(name, pictures, **targets, skipped=skipped)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder}: files do not fit each other ({error}); remove the folder, and it is made "
            "again"
        ) from None
