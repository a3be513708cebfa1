"""Compare a published checkpoint with what its authors say it reads from two of their pictures.

The pictures are read whole, without a face detector, so nothing but the network and its input
decides the numbers. Source: example notebook of github.com/BeibinLi/affspec, run with
``model_esp.pth``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from shared.affect.backends import torch_backend
from shared.affect.reader import AffectReader
from shared.affect.weights import StoredNetwork
from shared.channels import ACTION_UNITS, EXPRESSIONS
from shared.errors import InputError

__all__ = ["PictureReading", "differences", "read_whole_picture"]

_TOLERANCE: Final = 0.01


@dataclass(frozen=True)
class PictureReading:
    """What a network says of one picture.

    Attributes
    ----------
    expression : str
        The most probable one.
    probability, valence, arousal : float
    action_units : dict of int to float
        Probability of each.
    """

    expression: str
    probability: float
    valence: float
    arousal: float
    action_units: dict[int, float]

    @property
    def active(self) -> tuple[int, ...]:
        """Action units with a probability above one half."""
        return tuple(unit for unit, value in self.action_units.items() if value > 0.5)


_PUBLISHED: Final[dict[str, tuple[str, float, float, float, tuple[int, ...]]]] = {
    "beibin.jpg": ("joy", 0.932, 0.477, 0.072, (2, 6, 9, 12, 17, 43)),
    "no_face.jpg": ("surprise", 0.628, -0.055, 0.560, (1, 2, 5, 6, 9, 12, 17, 25, 26, 43)),
}
"""Expression, its probability, valence, arousal and active units, by the picture's file name."""


def read_whole_picture(stored: StoredNetwork, path: Path) -> PictureReading:
    """Read a picture without looking for a face, resized as the authors did.

    Raises
    ------
    InputError
        When the file is missing or no picture.
    """
    import cv2

    if not path.is_file():
        raise InputError(f"{path}: no such picture")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{path}: not a picture that OpenCV reads")
    rgb = np.ascontiguousarray(picture[:, :, ::-1], np.uint8)
    resized = _bilinear(rgb, stored.preprocessing.size)
    readings = AffectReader(stored, torch_backend(stored)).read(resized[None])
    best = int(readings.expression[0].argmax())
    return PictureReading(
        expression=EXPRESSIONS[best],
        probability=float(readings.expression[0, best]),
        valence=float(readings.valence[0]),
        arousal=float(readings.arousal[0]),
        action_units={
            unit: float(value)
            for unit, value in zip(ACTION_UNITS, readings.action_units[0], strict=True)
        },
    )


def differences(stored: StoredNetwork, path: Path, reading: PictureReading) -> list[str] | None:
    """Where a reading differs from the published one by more than .01.

    Parameters
    ----------
    stored : StoredNetwork
    path : Path
        The picture; its file name finds the published reading.
    reading : PictureReading

    Returns
    -------
    list of str, or None
        One sentence a difference; None where nothing is published for this unit and file name.
    """
    if stored.network.unit != "eesp" or path.name not in _PUBLISHED:
        return None
    expression, probability, valence, arousal, active = _PUBLISHED[path.name]
    found = []
    if reading.expression != expression:
        found.append(f"expression {reading.expression}, published {expression}")
    for name, value, published in (
        ("probability", reading.probability, probability),
        ("valence", reading.valence, valence),
        ("arousal", reading.arousal, arousal),
    ):
        # Published with three decimals, so half a unit of the last one is theirs.
        if abs(value - published) > _TOLERANCE + 0.0005:
            found.append(f"{name} {value:.3f}, published {published:.3f}")
    for unit, value in reading.action_units.items():
        margin = value - 0.5 if unit in active else 0.5 - value
        if margin < -_TOLERANCE:
            state = "active" if unit in active else "not active"
            found.append(f"action unit {unit} {value:.3f}, published as {state}")
    return found


def _bilinear(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bilinear with antialiasing, as Pillow does it; proportions are not kept."""
    channels_first = torch.from_numpy(picture).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(
        channels_first, (size, size), mode="bilinear", antialias=True
    )
    return resized[0].permute(1, 2, 0).contiguous().numpy()
