"""Leave-one-out scores of all fifteen attribute combinations from one noised sum.

With one round the weights are a sum over participants. Taking a participant's own part out again
gives exactly the weights of a training without that participant under the same noise, and any
combination of attribute groups is a sub-vector of them. So one release scores everybody, on every
combination, by a model that never saw them: post-processing, at no further cost. More rounds have
no such read-out, since later gradients depend on everyone.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, GROUP_CHANNELS, all_combinations
from shared.privacy.grid import GRID
from simulations.compare.stacked import Numbers, Rows

__all__ = ["group_columns", "leave_one_out_scores"]

_CLASSES: Final = 3  # level, variability, dynamics


def group_columns() -> list[NDArray[np.int64]]:
    """Columns of each attribute group in the unit vectors of all four."""
    sizes = [_CLASSES * (1 + len(GROUP_CHANNELS[group])) for group in ATTRIBUTE_GROUPS]
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def leave_one_out_scores(rows: Rows, noise: Numbers) -> Numbers:
    """Unit score of every participant under the one-round weights trained without them.

    Parameters
    ----------
    rows : Rows
        Unit vectors of all four attribute groups.
    noise : ndarray, shape (..., k)
        Noise of the opened gradient sum, in units of its sensitivity.

    Returns
    -------
    ndarray, shape (..., 15, n)
        By ``shared.channels.all_combinations``: the projection of a participant's sub-vector on the
        normalised sub-vector of the weights.
    """
    shrink = 1 - np.sqrt(rows.phi.shape[1]) / (2 * GRID)  # what the integer grid takes off a row
    own = shrink * rows.signs[:, None] * rows.phi  # the clipped gradient at zero, downhill
    weights = own.sum(axis=0) - noise
    # Everything is a sum over groups: dot products, squared lengths, and what participants add.
    dots, lengths, overlaps, squares = [], [], [], []
    for columns in group_columns():
        part, phi = weights[..., columns], rows.phi[:, columns]
        dots.append(part @ phi.T)
        lengths.append(np.square(part).sum(axis=-1, keepdims=True))
        squares.append(np.square(own[:, columns]).sum(axis=1))
        overlaps.append((own[:, columns] * phi).sum(axis=1))
    chosen = np.array([[group in c for group in ATTRIBUTE_GROUPS] for c in all_combinations()])
    dot, length = np.stack(dots, axis=-2), np.stack(lengths, axis=-2)
    overlap, square = np.stack(overlaps), np.stack(squares)
    score = chosen @ (dot - overlap)
    remaining = chosen @ (length - 2 * shrink * rows.signs * dot + square)
    found: Numbers = score / np.sqrt(np.maximum(remaining, np.finfo(float).tiny))
    return found
