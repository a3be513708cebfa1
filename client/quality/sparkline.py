"""Small curves over time as inline SVG: a few hundred characters each, no picture, no script.

A recording is cut into at most ``MOST_BINS`` stretches of equal length, each shown by its mean. A
stretch in which the face was lost for most of the time is left open.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_BINS", "binned", "curve", "strip"]

MOST_BINS: Final = 240
_HEIGHT: Final = 40
"""Units of the drawing; it is stretched to the column's width and the style's height."""


def binned(values: NDArray[np.floating], bins: int = MOST_BINS) -> NDArray[np.float64]:
    """Mean of each stretch.

    Parameters
    ----------
    values : ndarray, shape (n, columns)
        NaN where there is no value.
    bins : int
        At most so many stretches.

    Returns
    -------
    ndarray, shape (min(n, bins), columns)
        NaN where fewer than half of a stretch's values are given.
    """
    n = len(values)
    count = min(n, bins)
    if not count:
        return np.empty((0, values.shape[1]))
    starts = np.arange(count) * n // count
    lengths = np.diff(np.append(starts, n))[:, None]
    given = np.isfinite(values)
    total = np.add.reduceat(np.where(given, values, 0).astype(np.float64), starts, axis=0)
    number = np.add.reduceat(given.astype(np.int64), starts, axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(2 * number >= lengths, total / number, np.nan)


def curve(means: NDArray[np.float64], low: float, high: float, label: str) -> str:
    """A line from left to right, open where there is no value.

    Parameters
    ----------
    means : ndarray, shape (bins,)
    low, high : float
        Values at the lower and the upper edge.
    label : str
        What it shows, for a reader who does not see it; plain words without markup.
    """
    rows = np.clip((high - means) / (high - low), 0, 1) * _HEIGHT
    parts = []
    previous: int | None = None
    for position, row in enumerate(rows):
        if not np.isfinite(row):
            previous = None
            continue
        now = round(float(row))
        # Relative steps keep a page of a hundred recordings small.
        parts.append(f"M{position} {now}h.9" if previous is None else f"l1 {now - previous}")
        if previous is None:
            parts.append("h-.9")
        previous = now
    zero = ""
    if low < 0 < high:
        middle = round(high / (high - low) * _HEIGHT)
        zero = f'<path class="zero" d="M0 {middle}h{len(means)}"/>'
    return _svg(len(means), label, f'{zero}<path d="{"".join(parts)}"/>')


def strip(on: NDArray[np.bool_], label: str) -> str:
    """A bar that is filled where ``on`` is true, shape (bins,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    bars = "".join(
        f"M{start} 0h{stop - start}v{_HEIGHT}h-{stop - start}z"
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )
    return _svg(len(on), label, f'<path class="bar" d="{bars}"/>')


def _svg(width: int, label: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {max(width, 1)} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{content}</svg>'
    )
