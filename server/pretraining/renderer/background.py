"""What is behind a face: colour gradients, noise, shapes, or pictures that the user supplies."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["random_background"]

Image = NDArray[np.float32]


def random_background(
    rng: np.random.Generator, width: int, height: int, picture: NDArray[np.uint8] | None = None
) -> Image:
    """Draw a background.

    Parameters
    ----------
    rng : numpy.random.Generator
    width, height : int
        Pixels.
    picture : ndarray, shape (h, w, 3), uint8, optional
        RGB picture of which a random part is taken.

    Returns
    -------
    ndarray, shape (height, width, 3), float32
        sRGB, 0 to 1.
    """
    if picture is not None:
        return _part_of(picture, rng, width, height)
    image = _gradient(rng, width, height)
    kind = rng.random()
    if kind < 0.35:
        cells = 2 ** rng.integers(1, 7)
        grid = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        if rng.random() < 0.6:
            grid[:] = grid[:, :, :1]
        spots = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        image += spots * np.float32(rng.uniform(0.02, 0.2))
    elif kind < 0.75:
        _shapes(image, rng)
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.005, 0.05)) * height)
    return np.clip(image, 0, 1).astype(np.float32)


def _gradient(rng: np.random.Generator, width: int, height: int) -> Image:
    saturation = rng.beta(1, 2)
    grey = rng.uniform(0.03, 0.97, (2, 2, 1))
    colours = np.clip(grey + saturation * rng.uniform(-0.5, 0.5, (1, 1, 3)), 0, 1)
    corners = (colours * rng.uniform(0.7, 1.3, (2, 2, 1))).astype(np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR))


def _shapes(image: Image, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(2, 12))):
        colour = tuple(float(v) for v in rng.uniform(0, 1, 3))
        x, y = (int(v) for v in rng.uniform((0, 0), (width, height)))
        a, b = (int(v) for v in rng.uniform(0.05, 0.5, 2) * height)
        if rng.random() < 0.5:
            cv2.rectangle(image, (x - a, y - b), (x + a, y + b), colour, -1)
        else:
            cv2.ellipse(image, (x, y), (a, b), float(rng.uniform(0, 180)), 0, 360, colour, -1)


def _part_of(
    picture: NDArray[np.uint8], rng: np.random.Generator, width: int, height: int
) -> Image:
    rows, columns = picture.shape[:2]
    share = float(rng.uniform(0.4, 1))
    scale = share * min(rows / height, columns / width)
    tall, wide = max(1, int(height * scale)), max(1, int(width * scale))
    top, left = (int(rng.integers(0, room + 1)) for room in (rows - tall, columns - wide))
    part = picture[top : top + tall, left : left + wide]
    resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.float32) / np.float32(255)
