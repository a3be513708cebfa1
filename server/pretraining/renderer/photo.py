"""From light to file: what a camera, a codec and small pixels do to a picture."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Photo", "photographed", "random_photo"]

_LEAST_DETAIL: Final = 46
"""Pixels across a face: slightly less than in FER2013, whose faces have 48."""


@dataclass(frozen=True)
class Photo:
    """Faults of one photograph.

    Attributes
    ----------
    detail : int or None
        Longer side, pixels, to which the picture is reduced before the other faults; it is
        enlarged again at the end. None keeps all detail.
    blur : float
        Standard deviation of the blur in pixels of the reduced picture.
    motion : float
        Length of a motion blur in these pixels.
    motion_angle : float
        Its direction, degrees.
    noise : float
        Standard deviation of the noise, 0 to 1 of full scale.
    contrast, gamma : float
        Factor around the middle, and exponent.
    balance : tuple of float
        Factors of red, green and blue.
    grey : bool
        Luminance only.
    quality : int or None
        JPEG quality 1 to 100, None without compression.
    seed : int
        Of the noise.
    """

    detail: int | None = None
    blur: float = 0.0
    motion: float = 0.0
    motion_angle: float = 0.0
    noise: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    grey: bool = False
    quality: int | None = None
    seed: int = 0


def random_photo(rng: np.random.Generator, size: int, *, grey_share: float = 0.3) -> Photo:
    """Draw the faults of a photograph of ``size`` pixels.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    size : int
        Longer side of the picture.
    grey_share : float
        Share of grey pictures.

    Returns
    -------
    Photo
    """
    detail = None
    if rng.random() < 0.6 and size > _LEAST_DETAIL:
        detail = int(np.exp(rng.uniform(np.log(_LEAST_DETAIL), np.log(size))))
    red, blue = np.exp(rng.normal(0, 0.05, 2))
    return Photo(
        detail=detail,
        blur=float(rng.choice([0.0, rng.uniform(0.3, 0.9)], p=[0.55, 0.45])),
        motion=float(rng.choice([0.0, rng.uniform(1, 4)], p=[0.88, 0.12])),
        motion_angle=float(rng.uniform(0, 180)),
        noise=float(rng.choice([0.0, rng.uniform(0.003, 0.05)], p=[0.4, 0.6])),
        contrast=float(np.clip(rng.normal(1, 0.13), 0.6, 1.4)),
        gamma=float(np.exp(rng.normal(0, 0.12))),
        balance=(float(red), 1.0, float(blue)),
        grey=bool(rng.random() < grey_share),
        quality=int(rng.integers(25, 96)) if rng.random() < 0.7 else None,
        seed=int(rng.integers(2**31)),
    )


def photographed(picture: NDArray[np.float32], photo: Photo) -> NDArray[np.uint8]:
    """Photograph of a rendered picture.

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), float32
        sRGB, 0 to 1.
    photo : Photo

    Returns
    -------
    ndarray, shape (h, w, 3), uint8, RGB
    """
    height, width = picture.shape[:2]
    image: Any = picture
    if photo.detail is not None and photo.detail < max(height, width):
        share = photo.detail / max(height, width)
        small = (max(1, round(width * share)), max(1, round(height * share)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    if photo.gamma != 1:
        image = cv2.pow(np.maximum(image, 0), photo.gamma)
    image = (image - np.float32(0.5)) * np.float32(photo.contrast) + np.float32(0.5)
    image = image * np.array(photo.balance, np.float32)
    if photo.blur > 0:
        image = cv2.GaussianBlur(image, (0, 0), photo.blur)
    if photo.motion > 1:
        image = cv2.filter2D(image, -1, _streak(photo.motion, photo.motion_angle))
    if photo.noise > 0:
        rng = np.random.default_rng(photo.seed)
        # Coarser noise too: cameras smooth theirs.
        grains = rng.standard_normal(image.shape, np.float32)
        image = image + np.float32(photo.noise) * cv2.GaussianBlur(grains, (0, 0), 0.45)
    if photo.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    result: NDArray[np.uint8] = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if photo.quality is not None:
        # Red and blue change places on the way in and back.
        settings = [cv2.IMWRITE_JPEG_QUALITY, photo.quality]
        _, coded = cv2.imencode(".jpg", np.ascontiguousarray(result[:, :, ::-1]), settings)
        result = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]
    if result.shape[:2] != (height, width):
        result = np.asarray(
            cv2.resize(
                np.ascontiguousarray(result), (width, height), interpolation=cv2.INTER_LINEAR
            ),
            np.uint8,
        )
    return np.ascontiguousarray(result)


def _streak(length: float, angle: float) -> NDArray[np.float32]:
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    half = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * (length - 1) / 2
    start, end = (np.round((middle + sign * half) * 16).astype(int) for sign in (-1, 1))
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1, cv2.LINE_AA, 4)
    return kernel / max(float(kernel.sum()), 1e-6)
