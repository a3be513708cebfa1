"""Random views of grey faces, a whole batch at once, from an explicit random generator."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["augmented", "resized"]

_ROTATION = math.radians(12)
_SCALE = 0.18
_SHIFT = 0.12
_ERASED_SHARE = 0.3


def resized(faces: Tensor, size: int) -> Tensor:
    """Grey uint8 faces, shape (n, h, w), as network input, shape (n, 3, size, size), 0 to 1."""
    pictures = faces[:, None].float() / 255
    pictures = F.interpolate(pictures, (size, size), mode="bilinear", align_corners=False)
    return pictures.expand(-1, 3, -1, -1)


def augmented(faces: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Randomly turned, scaled, shifted, mirrored, relit and partly covered faces.

    Parameters
    ----------
    faces : Tensor, shape (n, h, w), uint8
    size : int
        Side of the result, pixels.
    generator : torch.Generator
        The only source of randomness.

    Returns
    -------
    Tensor, shape (n, 3, size, size), float, 0 to 1
    """
    n = len(faces)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle, scale = uniform(-_ROTATION, _ROTATION), 1 + uniform(-_SCALE, _SCALE)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [cos * mirror, -sin, uniform(-_SHIFT, _SHIFT), sin * mirror, cos]
    transform = torch.stack([*rows, uniform(-_SHIFT, _SHIFT)], 1).reshape(n, 2, 3)
    grid = F.affine_grid(transform, [n, 1, size, size], align_corners=False)
    pictures = faces[:, None].float() / 255
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)

    def per_face(values: Tensor) -> Tensor:
        return values[:, None, None, None]

    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = (pictures - mean) * per_face(uniform(0.6, 1.4)) + mean
    pictures = (pictures + per_face(uniform(-0.2, 0.2))).clamp(0, 1)
    pictures = pictures ** per_face(torch.exp(uniform(-0.4, 0.4)))
    pictures = _partly_covered(pictures, size, generator)
    return pictures.expand(-1, 3, -1, -1)


def _partly_covered(pictures: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Grey rectangle over a part of some faces, as a hand or hair would be."""
    n = len(pictures)
    place = torch.rand(n, 5, generator=generator)
    low = place[:, :2] * 0.8 * size
    high = low + (0.1 + 0.25 * place[:, 2:4]) * size
    ticks = torch.arange(size)
    inside = [(ticks >= low[:, axis, None]) & (ticks < high[:, axis, None]) for axis in range(2)]
    cover = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    cover &= (place[:, 4] < _ERASED_SHARE)[:, None, None, None]
    return torch.where(cover, 0.5, pictures)
