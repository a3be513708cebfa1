"""Many rendered faces on one picture, for a person to judge them."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pretraining.renderer.action_units import UNITS, shape_weights
from server.pretraining.renderer.dataset import RenderedFaces
from server.pretraining.renderer.geometry import Framing
from server.pretraining.renderer.identity import make_identity
from server.pretraining.renderer.mesh import FaceKit
from server.pretraining.renderer.render import Renderer
from server.pretraining.renderer.scene import plain_scene
from shared.channels import ACTION_UNITS
from shared.files import write_atomic

__all__ = ["face_sheet", "unit_sheet", "write_picture"]

_LEVELS: Final = (0.0, 0.5, 1.0)
_PERSON: Final = 1


def face_sheet(faces: RenderedFaces, *, columns: int = 9, rows: int = 4) -> NDArray[np.uint8]:
    """First pictures of ``columns * rows`` people, or of all there are; RGB."""
    step = faces.settings.pictures_per_person
    pictures = faces[list(range(0, len(faces), step))[: columns * rows]].pictures
    empty = -len(pictures) % columns
    pictures = np.concatenate([pictures, np.zeros((empty, *pictures.shape[1:]), np.uint8)])
    return _sheet(pictures, columns)


def unit_sheet(
    kit: FaceKit, *, seed: int = 0, people: int = 3, size: int = 200
) -> NDArray[np.uint8]:
    """Each action unit alone at intensity 0, .5 and 1, for some people in even light; RGB.

    Jaw drop is shown with parted lips, as it mostly comes.
    """
    renderer, pictures = Renderer(kit), []
    persons = [make_identity(kit, np.random.default_rng([seed, _PERSON, i])) for i in range(people)]
    for row, unit in enumerate(UNITS):
        for person in persons:
            for level in _LEVELS:
                intensity = np.zeros((len(UNITS), 2), np.float32)
                intensity[row] = level
                if unit.number == 26:
                    intensity[ACTION_UNITS.index(25)] = level
                vertices = kit.deformed(person.base, shape_weights(intensity))
                framing = Framing(size, size)
                result = renderer.render(person, vertices, intensity, plain_scene(), framing)
                picture = np.rint(result.picture * 255).astype(np.uint8)
                text = f"AU{unit.number} {level:g}"
                cv2.putText(picture, text, (4, 16), 0, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
                cv2.putText(picture, text, (4, 16), 0, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
                pictures.append(picture)
    return _sheet(np.stack(pictures), people * len(_LEVELS))


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture as PNG."""
    _, coded = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
    write_atomic(path, coded.tobytes())


def _sheet(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    rows = [np.hstack(list(pictures[i : i + columns])) for i in range(0, len(pictures), columns)]
    return np.vstack(rows)
