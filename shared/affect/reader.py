"""Read affect from face crops: pictures in, expressions, valence, arousal and action units out.

The reader owns what lies between a crop and a number: the preprocessing stored with the weights,
the network behind a small back-end interface, and the step from logits to probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.affect.backends import Backend, choose_backend
from shared.affect.resampling import reduced
from shared.affect.weights import DEFAULT_WEIGHTS, Preprocessing, StoredNetwork, load_weights
from shared.channels import ACTION_UNITS, CHANNELS, EXPRESSIONS
from shared.errors import InputError

__all__ = ["AffectReader", "AffectReadings", "Backend", "prepare_crop"]

_BATCH: Final = 16


@dataclass(frozen=True, eq=False)
class AffectReadings:
    """What was read from n faces.

    Attributes
    ----------
    expression : ndarray, shape (n, 8), float32
        Probabilities in the order of ``EXPRESSIONS``, rows sum to 1.
    valence, arousal : ndarray, shape (n,), float32
        In [-1, 1].
    action_units : ndarray, shape (n, 12), float32
        Probability that each of ``ACTION_UNITS`` is active.
    """

    expression: NDArray[np.float32]
    valence: NDArray[np.float32]
    arousal: NDArray[np.float32]
    action_units: NDArray[np.float32]

    def values(self) -> NDArray[np.float32]:
        """All channels in the order of ``CHANNELS``, shape (n, 22)."""
        parts = [self.expression, self.valence[:, None], self.arousal[:, None], self.action_units]
        return np.concatenate(parts, axis=1)


class AffectReader:
    """Reads affect with stored weights.

    Parameters
    ----------
    stored : StoredNetwork
    backend : Backend, optional
        How the network is run; if not given, OpenVINO with one thread, or PyTorch where OpenVINO
        is not installed.

    Examples
    --------
    >>> reader = AffectReader.from_file()                      # doctest: +SKIP
    >>> reader.read(crops).expression                          # doctest: +SKIP
    """

    def __init__(
        self, stored: StoredNetwork, backend: Backend | None = None, precision: str = "f32"
    ) -> None:
        self.preprocessing: Preprocessing = stored.preprocessing
        self.sha256 = stored.sha256
        self.precision = precision
        self._temperature = stored.temperature
        self._run = backend or choose_backend(stored, precision=precision)
        self.backend = getattr(self._run, "__module__", type(self._run).__module__)

    @classmethod
    def from_file(
        cls,
        path: Path = DEFAULT_WEIGHTS,
        *,
        backend: str = "auto",
        threads: int = 1,
        precision: str = "f32",
    ) -> "AffectReader":
        """Reader for a weights file, by default the one that ships with the package.

        Parameters
        ----------
        path : Path
        backend, threads, precision
            As in ``choose_backend``.

        Raises
        ------
        InputError
            When the file is missing, damaged, or not what its note records, or the back end is not
            there.
        """
        stored = load_weights(path)
        return cls(stored, choose_backend(stored, backend, threads, precision), precision)

    def read(self, crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> AffectReadings:
        """Read affect from face crops.

        Parameters
        ----------
        crops : ndarray, shape (n, height, width, 3), uint8, RGB
            Or a sequence of n crops of different sizes. Cut as ``preprocessing.crop_margin`` says.

        Returns
        -------
        AffectReadings

        Raises
        ------
        InputError
            When a crop is not RGB uint8 or has no pixels.
        """
        outputs = [np.zeros((0, len(CHANNELS)), np.float32)]
        for first in range(0, len(crops), _BATCH):
            batch = crops[first : first + _BATCH]
            pictures = np.stack([prepare_crop(crop, self.preprocessing) for crop in batch])
            outputs.append(self._run(pictures))
        raw = np.concatenate(outputs)
        n = len(EXPRESSIONS)
        return AffectReadings(
            expression=_softmax(raw[:, :n] / self._temperature),
            valence=np.clip(raw[:, n], -1, 1),
            arousal=np.clip(raw[:, n + 1], -1, 1),
            action_units=_sigmoid(raw[:, n + 2 : n + 2 + len(ACTION_UNITS)]),
        )


def prepare_crop(crop: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """One RGB crop of any size as the network's picture, shape (size, size, 3), uint8.

    Raises
    ------
    InputError
        When the crop is not RGB uint8 or has no pixels.
    """
    import cv2

    if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or 0 in crop.shape:
        raise InputError(
            f"a face crop of shape {crop.shape} and type {crop.dtype}; "
            "(height, width, 3) of uint8 in RGB order is needed"
        )
    picture: Any = crop
    if preprocessing.colour == "grey":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    height, width = picture.shape[:2]
    size, most = preprocessing.size, preprocessing.largest_crop
    picture = reduced(picture, min(width, most), min(height, most))
    if picture.shape[:2] != (size, size):
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    elif preprocessing.channel_order == "BGR":
        picture = picture[:, :, ::-1]
    return np.ascontiguousarray(picture, np.uint8)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # Beyond 60 the result is 0 or 1 in float32 anyway; the bound keeps exp from overflowing.
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)
