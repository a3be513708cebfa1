"""What in a face moved the network's answer: attributions of one output to the pixels of a crop.

Integrated gradients (Sundararajan, Taly and Yan 2017; Captum's implementation) from a face without
any detail (the crop's own mean colour) to the crop. The attributions of all pixels add up to what
the crop changes in the output, up to the error of the integral, which is returned with them. Of
expressions and action units it is the logit that is explained, of valence and arousal the value.

It shows what this network looked at, not what the child's face did, and a network can be right for
the wrong reason: a large share outside the face box is a warning.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.affect.reader import prepare_crop
from shared.affect.weights import StoredNetwork
from shared.errors import InputError

__all__ = ["PARTS_OF_FACE", "Saliency", "explain_crop", "face_crop", "open_network"]

PARTS_OF_FACE: Final = ("brows and eyes", "nose and cheeks", "mouth and chin", "outside the box")
"""Upper, middle and lower third of the face box, and what the crop shows around it."""

_STEPS: Final = 24
_AT_ONCE: Final = 8
_MOST_ERROR: Final = 0.05
"""Error of the integral beside the sizes of all attributions, from which on steps are doubled."""
_MOST_STEPS: Final = 192
_THIRDS: Final = 3


@dataclass(frozen=True, eq=False)
class Saliency:
    """How much each pixel of a crop raised (above 0) or lowered one output.

    Attributes
    ----------
    attribution : ndarray, shape (size, size), float32
        In the network's picture; the colours of a pixel are added up.
    change : float
        Output of the crop minus output of the face without detail.
    error : float
        Sum of all attributions minus ``change``.
    parts : ndarray, shape (4,)
        Share of the attributions' sizes in each of ``PARTS_OF_FACE``; sums to 1.
    """

    attribution: NDArray[np.float32]
    change: float
    error: float
    parts: NDArray[np.float64]


def open_network(weights_sha256: str | None, path: Any = None) -> StoredNetwork:
    """The network with the very weights a recording was read with.

    Parameters
    ----------
    weights_sha256 : str or None
        As the attribute file's provenance has it.
    path : Path, optional
        Weights file; by default the one that ships with the package.

    Raises
    ------
    InputError
        Captum is not installed, the weights cannot be read, or they are not those.
    """
    _captum()
    from shared.affect.weights import DEFAULT_WEIGHTS, load_weights

    stored = load_weights(path or DEFAULT_WEIGHTS)
    if stored.sha256 != weights_sha256:
        had = "unknown weights" if weights_sha256 is None else f"weights {weights_sha256[:8]}"
        raise InputError(
            f"The recording was read with {had}; {path or 'the shipped file'} has "
            f"{stored.sha256[:8]}. Name the weights file it was read with by --weights, or extract "
            "it again"
        )
    return stored


def face_crop(
    picture: NDArray[np.uint8], box: tuple[float, float, float, float], margin: float
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """The crop the network read, out of an upright picture, and where the face box lies in it.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8, RGB
    box : tuple of float
        x, y, width, height of the face, pixels.
    margin : float
        Share of width and height added on each side.

    Returns
    -------
    crop : ndarray, shape (height, width, 3), uint8
    inside : tuple of float
        Left, top, right, bottom of the box as shares of the crop's width and height.

    Notes
    -----
    Cut at the same pixels as for extraction. There a large face is reduced before its colours are
    converted, so single pixels may differ by rounding.
    """
    height, width = picture.shape[:2]
    x, y, w, h = box
    left, right = _span(x - margin * w, x + w + margin * w, width)
    top, bottom = _span(y - margin * h, y + h + margin * h, height)
    crop = np.ascontiguousarray(picture[top:bottom, left:right])
    across, down = right - left, bottom - top
    inside = (
        float(np.clip((x - left) / across, 0, 1)),
        float(np.clip((y - top) / down, 0, 1)),
        float(np.clip((x + w - left) / across, 0, 1)),
        float(np.clip((y + h - top) / down, 0, 1)),
    )
    return crop, inside


def explain_crop(
    stored: StoredNetwork,
    crop: NDArray[np.uint8],
    inside: tuple[float, float, float, float],
    channel: int,
) -> Saliency:
    """Attribute one output to the pixels of a crop.

    Parameters
    ----------
    stored : StoredNetwork
    crop : ndarray, shape (height, width, 3), uint8, RGB
    inside : tuple of float
        Where the face box lies, as ``face_crop`` returns it.
    channel : int
        Index into ``CHANNELS``.

    Raises
    ------
    InputError
        Captum is not installed, or the crop is not RGB uint8.
    """
    import torch

    method = _captum()(stored.network)
    pixels = prepare_crop(crop, stored.preprocessing)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    plain = picture.mean(dim=(2, 3), keepdim=True).expand_as(picture).contiguous()
    with torch.no_grad():
        ends = stored.network(torch.cat([plain, picture]))[:, channel]
    change = float(ends[1] - ends[0])
    steps = _STEPS
    while True:
        raw = method.attribute(
            picture.clone().requires_grad_(),
            baselines=plain,
            target=channel,
            n_steps=steps,
            internal_batch_size=_AT_ONCE,
        )
        found = raw.detach()[0].sum(dim=0).numpy().astype(np.float32)
        error = float(found.sum()) - change
        size = float(np.abs(found).sum())
        if abs(error) <= _MOST_ERROR * size or 2 * steps > _MOST_STEPS:
            return Saliency(found, change, error, _shares(found, inside))
        steps *= 2


def _shares(
    attribution: NDArray[np.float32], inside: tuple[float, float, float, float]
) -> NDArray[np.float64]:
    """Share of the sizes in the thirds of the box and around it."""
    side = len(attribution)
    left, top, right, bottom = (round(edge * side) for edge in inside)
    sizes = np.abs(attribution).astype(np.float64)
    total = sizes.sum()
    if not total > 0:
        return np.full(len(PARTS_OF_FACE), np.nan)
    edges = [round(top + (bottom - top) * k / _THIRDS) for k in range(_THIRDS + 1)]
    thirds = [sizes[edges[k] : edges[k + 1], left:right].sum() for k in range(_THIRDS)]
    shares: NDArray[np.float64] = np.array([*thirds, total - sum(thirds)]) / total
    return shares


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Whole pixels as the extraction cuts them (``client.extraction.picture``)."""
    start = min(max(int(low), 0), max(size - 2, 0))
    return start, max(min(int(high), size), min(start + 2, size))


def _captum() -> Any:
    try:
        return importlib.import_module("captum.attr").IntegratedGradients
    except ImportError:
        raise InputError(
            "Saliency needs the package captum, which is not installed; install it with "
            "`pip install 'fedaffect[saliency]'`, or leave --saliency"
        ) from None
