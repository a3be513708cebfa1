"""Random views of faces, a whole batch at once, on whatever device the pictures are.

Colour and grey pictures of any size take the same path, so that a batch may hold both. All
randomness comes in as numbers in [0, 1), one row a face: a view is the same on every device, and
whichever process makes it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from server.pretraining.config import Augmentation

__all__ = ["RANDOM_NUMBERS", "Views", "resized"]

_COLUMNS: Final = (
    *("angle", "scale", "stretch", "shift_x", "shift_y", "mirror", "coarse", "coarseness"),
    *("contrast", "brightness", "gamma", "red", "green", "blue", "saturation", "grey"),
    *("noisy", "noise", "noise_x", "noise_y"),
    *("covered", "cover_x", "cover_y", "cover_width", "cover_height", "cover_level"),
)
RANDOM_NUMBERS: Final = len(_COLUMNS)
"""Random numbers that one view takes."""

_LUMINANCE: Final = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""
_NOISE_SIDE: Final = 768
_CPU: Final = torch.device("cpu")


def resized(faces: Tensor, size: int) -> Tensor:
    """Grey uint8 faces, shape (n, h, w), as network input, shape (n, 3, size, size), 0 to 1."""
    pictures = faces[:, None].float() / 255
    pictures = F.interpolate(pictures, (size, size), mode="bilinear", align_corners=False)
    return pictures.expand(-1, 3, -1, -1)


@dataclass(frozen=True, eq=False)
class Views:
    """Turned, scaled, shifted, mirrored, relit, tinted, blurred, noisy, partly covered faces.

    Parameters
    ----------
    settings : Augmentation
    always_grey : bool
        Where the network will only ever see grey pictures.
    detail : int or None
        Where it will only ever see pictures of so little detail, pixels a side.
    device : torch.device
    """

    settings: Augmentation
    always_grey: bool = False
    detail: int | None = None
    device: torch.device = _CPU

    def __call__(
        self, pictures: Sequence[Tensor], randoms: NDArray[np.float32], size: int
    ) -> Tensor:
        """Views of a batch.

        Parameters
        ----------
        pictures : sequence of Tensor, shape (n_i, side_i, side_i, 1 or 3), uint8
            One part a data set.
        randoms : ndarray, shape (n, RANDOM_NUMBERS), float32
            In [0, 1), one row a face in the order of ``pictures``.
        size : int
            Side of the result, pixels.

        Returns
        -------
        Tensor, shape (n, 3, size, size), float32, 0 to 1
        """
        u = dict(zip(_COLUMNS, torch.from_numpy(randoms.T.copy()).to(self.device), strict=True))
        grid = self._grid(u, size)
        parts, coloured, first = [], [], 0
        for part in pictures:
            rows = slice(first, first + len(part))
            if len(part):
                parts.append(self._sampled(part, randoms[rows], grid[rows], size))
            coloured += [part.shape[3] == 3] * len(part)
            first += len(part)
        views = self._relit(torch.cat(parts), u, torch.tensor(coloured, device=self.device))
        if self.settings.noise > 0 and self.settings.noisy > 0:
            views = self._noisy(views, u, size)
        if self.settings.covered > 0:
            views = self._covered(views, u, size)
        return views

    def _grid(self, u: dict[str, Tensor], size: int) -> Tensor:
        """Where each pixel of a view lies in its picture, shape (n, size, size, 2)."""
        settings = self.settings
        angle = _spread(u["angle"], math.radians(settings.rotation_deg))
        scale = 1 + _spread(u["scale"], settings.scale)
        across = scale * (1 + _spread(u["stretch"], settings.stretch))
        mirror = torch.where(u["mirror"] < settings.mirror, -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        x, y = _spread(u["shift_x"], settings.shift), _spread(u["shift_y"], settings.shift)
        rows = [cos * across * mirror, -sin * scale, x, sin * across * mirror, cos * scale, y]
        transform = torch.stack(rows, 1).reshape(-1, 2, 3)
        return F.affine_grid(transform, [len(x), 1, size, size], align_corners=False)

    def _sampled(
        self, part: Tensor, randoms: NDArray[np.float32], grid: Tensor, size: int
    ) -> Tensor:
        """Pictures at the places of ``grid``, first averaged over blocks of 1, 2, 3 ... pixels."""
        blocks = self._blocks(part.shape[1], randoms, size)
        views, order = [], []
        for block in np.unique(blocks):
            rows = np.flatnonzero(blocks == block)
            index = torch.from_numpy(rows).to(self.device)
            chosen = part[index].permute(0, 3, 1, 2).float() / 255
            if block > 1:
                chosen = F.avg_pool2d(chosen, int(block))
            view = F.grid_sample(chosen, grid[index], padding_mode="border", align_corners=False)
            views.append(view.expand(-1, 3, -1, -1))
            order.append(rows)
        back = torch.from_numpy(np.argsort(np.concatenate(order))).to(self.device)
        return torch.cat(views)[back]

    def _blocks(self, side: int, randoms: NDArray[np.float32], size: int) -> NDArray[np.int64]:
        """Side of the pixel blocks of each face; the numbers stay off the card, as they decide
        what is computed.
        """
        settings = self.settings
        most = max(1, side // settings.coarsest)
        least = max(1, side // size)
        if self.detail is not None:
            least = max(least, round(side / self.detail))
        coarse = randoms[:, _COLUMNS.index("coarse")] < settings.coarse
        drawn = 1 + (randoms[:, _COLUMNS.index("coarseness")] * most).astype(np.int64)
        return np.maximum(np.where(coarse, drawn, 1), least)

    def _relit(self, views: Tensor, u: dict[str, Tensor], coloured: Tensor) -> Tensor:
        """Gain, saturation, contrast and grey as one matrix a face, then brightness and gamma."""
        settings = self.settings
        luminance = torch.tensor(_LUMINANCE, device=self.device)
        identity = torch.eye(3, device=self.device)
        grey = luminance.expand(3, 3)
        gains = torch.stack([u[name] for name in ("red", "green", "blue")], 1)
        gains = torch.where(coloured[:, None], 1 + _spread(gains, settings.tint), 1.0)
        saturation = 1 + _spread(u["saturation"], settings.saturation)
        turned_grey = u["grey"] < (1.0 if self.always_grey else settings.grey)
        saturation = torch.where(turned_grey, 0.0, saturation)[:, None, None]
        contrast = 1 + _spread(u["contrast"], settings.contrast)
        mixed = saturation * identity + (1 - saturation) * grey
        matrix = mixed * gains[:, None, :] * contrast[:, None, None]
        mean = views.mean((2, 3)) @ luminance
        offset = (1 - contrast) * mean + _spread(u["brightness"], settings.brightness)
        flat = torch.baddbmm(offset[:, None, None], matrix, views.flatten(2))
        exponent = torch.exp(_spread(u["gamma"], settings.gamma))
        return flat.reshape(views.shape).clamp(0, 1) ** exponent[:, None, None, None]

    @cached_property
    def _noise(self) -> Tensor:
        """Normal numbers of which every noisy picture takes a part."""
        values = np.random.default_rng(0).standard_normal((_NOISE_SIDE, _NOISE_SIDE), np.float32)
        return torch.from_numpy(values).to(self.device)

    def _noisy(self, views: Tensor, u: dict[str, Tensor], size: int) -> Tensor:
        ticks = torch.arange(size, device=self.device)
        row, column = (
            (u[name] * (_NOISE_SIDE - size)).long()[:, None] + ticks
            for name in ("noise_y", "noise_x")
        )
        deviation = torch.where(u["noisy"] < self.settings.noisy, u["noise"], 0.0)
        noise = self._noise[row[:, :, None], column[:, None, :]][:, None]
        return (views + self.settings.noise * deviation[:, None, None, None] * noise).clamp(0, 1)

    def _covered(self, views: Tensor, u: dict[str, Tensor], size: int) -> Tensor:
        """Plain rectangle over a part of some faces, as a hand or hair would be."""
        ticks = torch.arange(size, device=self.device)
        inside = []
        for low, extent in (("cover_y", "cover_height"), ("cover_x", "cover_width")):
            start = u[low] * 0.8 * size
            end = start + (0.1 + 0.25 * u[extent]) * size
            inside.append((ticks >= start[:, None]) & (ticks < end[:, None]))
        cover = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        cover &= (u["covered"] < self.settings.covered)[:, None, None, None]
        return torch.where(cover, u["cover_level"][:, None, None, None], views)


def _spread(numbers: Tensor, width: float) -> Tensor:
    """From [0, 1) to [-width, width)."""
    return (2 * numbers - 1) * width
