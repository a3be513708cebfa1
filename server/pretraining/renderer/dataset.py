"""Labelled faces on demand, each determined by its number alone.

Picture ``i`` of a seed is the same in every process, batch and order. People are numbered through:
the training part has the even numbers, the held-out part the odd ones, so no face of one part can
be in the other, whatever the sizes.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.action_units import active_units, lips_part
from server.pretraining.renderer.expression import random_expression
from server.pretraining.renderer.geometry import Framing
from server.pretraining.renderer.identity import Identity, make_identity
from server.pretraining.renderer.mesh import FaceKit, load_facekit
from server.pretraining.renderer.photo import photographed, random_photo
from server.pretraining.renderer.render import Renderer
from server.pretraining.renderer.scene import random_scene
from server.pretraining.renderer.user_pictures import read_pictures
from shared.channels import ACTION_UNITS
from shared.errors import InputError

__all__ = ["Faces", "Part", "RenderedFaces", "RenderingSettings", "render_in_processes"]

Part = Literal["train", "held_out"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_PERSON, _PICTURE = 1, 2
"""Streams of random numbers: one a person, one a picture."""
_OWN_BACKGROUND_SHARE: Final = 0.5
_PEOPLE_KEPT: Final = 4


@dataclass(frozen=True)
class RenderingSettings:
    """What is rendered.

    Attributes
    ----------
    facekit : Path
        ICT-FaceKit, see ``load_facekit``.
    seed : int
        Other seeds give other people and pictures.
    n : int
        Number of pictures.
    size : int
        Side of the square pictures, pixels.
    part : {"train", "held_out"}
        Which people.
    pictures_per_person : int
        Consecutive pictures show one person.
    crop_margin : float
        Share of the face box added on each side, as in the network's preprocessing.
    grey_share : float
        Share of grey pictures.
    backgrounds : Path or None
        Folder of pictures; half of the faces then stand before one of them.
    """

    facekit: Path
    seed: int
    n: int
    size: int = 160
    part: Part = "train"
    pictures_per_person: int = 8
    crop_margin: float = 0.08
    grey_share: float = 0.3
    backgrounds: Path | None = None

    def __post_init__(self) -> None:
        limits = {
            "seed": (0, 2**31 - 1),
            "n": (1, 10_000_000),
            "size": (32, 1024),
            "pictures_per_person": (1, 10_000),
            "crop_margin": (0.0, 1.0),
            "grey_share": (0.0, 1.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} {value} asked; {low:g} to {high:g} are possible")
        if self.part not in PARTS:
            raise InputError(f"--part {self.part} asked; {' or '.join(PARTS)} is possible")


@dataclass(frozen=True, eq=False)
class Faces:
    """Rendered faces and what they show.

    Attributes
    ----------
    pictures : ndarray, shape (n, size, size, 3), uint8
        RGB.
    active : ndarray, shape (n, 12), uint8
        1 where the action unit is active, in the order of ``ACTION_UNITS``; thresholds in
        ``server.pretraining.renderer.action_units.UNITS``.
    intensity : ndarray, shape (n, 12), float32
        0 to 1, of the stronger side.
    person : ndarray, shape (n,), int64
        Number of the person: even in the training part, odd in the held-out part.
    landmarks : ndarray, shape (n, 68, 2), float32
        x and y in pixels, Multi-PIE order; they may lie outside the picture.
    """

    pictures: NDArray[np.uint8]
    active: NDArray[np.uint8]
    intensity: NDArray[np.float32]
    person: NDArray[np.int64]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pictures)


class RenderedFaces:
    """Faces of one setting, rendered when asked for.

    Parameters
    ----------
    settings : RenderingSettings
    kit : FaceKit, optional
        The head model, if it was read before.

    Raises
    ------
    InputError
        When the head model or the folder of backgrounds cannot be read.
    """

    def __init__(self, settings: RenderingSettings, kit: FaceKit | None = None) -> None:
        self.settings = settings
        self._kit = load_facekit(settings.facekit) if kit is None else kit
        self._renderer = Renderer(self._kit)
        self._backgrounds = read_pictures(settings.backgrounds) if settings.backgrounds else []
        self._identity = lru_cache(maxsize=_PEOPLE_KEPT)(self._make_identity)

    def __len__(self) -> int:
        return self.settings.n

    def person(self, index: int) -> int:
        """Number of the person on picture ``index``."""
        return 2 * (index // self.settings.pictures_per_person) + PARTS.index(self.settings.part)

    def __getitem__(self, indices: int | Sequence[int] | NDArray[np.int64]) -> Faces:
        """Render pictures by their numbers, in the order given.

        Raises
        ------
        IndexError
            When a number is not from 0 to ``len(self) - 1``.
        """
        wanted = [int(index) for index in np.atleast_1d(np.asarray(indices, np.int64))]
        side = self.settings.size
        faces = Faces(
            pictures=np.empty((len(wanted), side, side, 3), np.uint8),
            active=np.empty((len(wanted), len(ACTION_UNITS)), np.uint8),
            intensity=np.empty((len(wanted), len(ACTION_UNITS)), np.float32),
            person=np.array([self.person(index) for index in wanted], np.int64),
            landmarks=np.empty((len(wanted), 68, 2), np.float32),
        )
        for row, index in enumerate(wanted):
            if not 0 <= index < len(self):
                raise IndexError(f"picture {index} of {len(self)}")
            self._render(index, faces, row)
        faces.active[:] = active_units(faces.intensity)
        return faces

    def _render(self, index: int, faces: Faces, row: int) -> None:
        settings = self.settings
        person = self.person(index)
        which = index % settings.pictures_per_person
        rng = np.random.default_rng([settings.seed, _PICTURE, person, which])
        identity = self._identity(person)
        shown, scene = random_expression(rng), random_scene(rng)
        photo = random_photo(rng, settings.size, grey_share=settings.grey_share)
        background = None
        if self._backgrounds and rng.random() < _OWN_BACKGROUND_SHARE:
            background = self._backgrounds[rng.integers(len(self._backgrounds))]
        vertices = self._kit.deformed(identity.base, shown.weights)
        result = self._renderer.render(
            identity,
            vertices,
            shown.intensity,
            scene,
            Framing(settings.size, settings.size, settings.crop_margin),
            background=background,
        )
        faces.pictures[row] = photographed(result.picture, photo)
        faces.landmarks[row] = result.landmarks
        faces.intensity[row] = shown.intensity.max(axis=1)
        faces.intensity[row, ACTION_UNITS.index(25)] = lips_part(self._kit, vertices)

    def _make_identity(self, person: int) -> Identity:
        rng = np.random.default_rng([self.settings.seed, _PERSON, person])
        return make_identity(self._kit, rng)


def render_in_processes(settings: RenderingSettings, workers: int) -> Iterator[Faces]:
    """Render all pictures in order, one person at a time, in several processes.

    Parameters
    ----------
    settings : RenderingSettings
    workers : int
        Processes; with 1 everything is done in this one.

    Yields
    ------
    Faces
        Consecutive pictures.
    """
    step = settings.pictures_per_person
    chunks = [range(i, min(i + step, settings.n)) for i in range(0, settings.n, step)]
    if workers <= 1:
        faces = RenderedFaces(settings)
        yield from (faces[chunk] for chunk in chunks)
        return
    # A fresh interpreter: a forked copy of OpenCV's threads can hang.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (settings,)) as pool:
        yield from pool.map(_render_chunk, chunks)


_worker: list[RenderedFaces] = []
"""The faces of a worker process, made once; empty everywhere else."""


def _start_worker(settings: RenderingSettings) -> None:
    import cv2

    cv2.setNumThreads(1)
    _worker[:] = [RenderedFaces(settings)]


def _render_chunk(indices: Iterable[int]) -> Faces:
    return _worker[0][list(indices)]
