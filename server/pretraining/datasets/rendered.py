"""Rendered faces of ICT-FaceKit: action units known exactly, no expression, valence or arousal."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from server.pretraining.datasets.stored_faces import Chunk, made_once
from server.pretraining.labelled_faces import LabelledFaces, unlabelled
from shared.files import sha256_of

if TYPE_CHECKING:
    from server.pretraining.renderer.dataset import RenderingSettings

__all__ = ["activity", "rendered_faces"]

_RENDERER_VERSION: Final = 1
"""Raise it when the same settings give other pictures, so that stored ones are made again."""


def rendered_faces(
    settings: "RenderingSettings",
    cache: Path,
    workers: int,
    *,
    softness: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledFaces:
    """Faces of ``settings``, rendered once and then read from ``cache``.

    Parameters
    ----------
    settings : RenderingSettings
    cache : Path
    workers : int
        Processes that render.
    softness : float
        See ``activity``.
    progress : callable, optional
        Called with the faces done and the faces in all.
    """
    from server.pretraining.renderer.dataset import render_in_processes

    made_from: dict[str, Any] = {
        **asdict(settings),
        "renderer": _RENDERER_VERSION,
        "facekit": _content(settings.facekit),
        "backgrounds": str(settings.backgrounds) if settings.backgrounds else None,
    }

    def make() -> Iterator[Chunk]:
        done = 0
        for faces in render_in_processes(settings, workers):
            # Intensities are stored, so that other targets need no other pictures.
            targets = unlabelled(len(faces)) | {"action_units": faces.intensity}
            yield faces.pictures, targets, []
            done += len(faces)
            if progress is not None:
                progress(done, settings.n)

    stored = made_once(cache, "rendered", made_from, settings.size, make)
    return replace(stored, action_units=activity(stored.action_units, softness))


def activity(intensity: NDArray[np.float32], softness: float = 0.0) -> NDArray[np.float32]:
    """Targets of the action units, shape (n, 12), from their intensities, shape (n, 12).

    With ``softness`` 0 they are 1 from each unit's threshold on, else 0. Above 0 they are
    ``sigmoid((intensity - threshold) / softness)``: near the threshold coders disagree as well, and
    an output that grows with the intensity follows a face better than one that jumps.
    """
    from server.pretraining.renderer.action_units import UNITS, active_units

    if softness == 0:
        return active_units(intensity).astype(np.float32)
    thresholds = np.array([unit.threshold for unit in UNITS])
    chance = 1 / (1 + np.exp(-(intensity - thresholds) / softness))
    return np.asarray(chance, np.float32)


def _content(facekit: Path) -> str:
    """SHA-256 of the head model's file, or its path when it is a folder of many."""
    return sha256_of(facekit) if facekit.is_file() else str(facekit.resolve())
