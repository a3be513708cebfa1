"""Valence and arousal over a stretch of time: a strip each, lost faces hatched, and a cursor."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.look.canvas import ACCENT, INK, LINE, SOFT, WASH, Area, Canvas, rgb
from client.look.moments import time_code
from client.quality.sparkline import binned
from shared.attributes import AttributeSeries
from shared.channels import CHANNELS, FRAME_RATE_HZ

__all__ = ["TimeAxis", "draw_cursor", "draw_strip", "draw_times"]

_FINER: Final = 4
_STEPS_S: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_LABEL_WIDTH: Final = 90


class TimeAxis(NamedTuple):
    """Ticks of the series from ``first`` to ``last``, the latter not included, across an area."""

    first: int
    last: int
    x: int
    width: int

    @classmethod
    def around(
        cls, series: AttributeSeries, tick: int, half_s: float, x: int, width: int
    ) -> "TimeAxis":
        """The stretch around a tick, moved inwards at the ends of the recording."""
        n, half = len(series.time_s), round(half_s * FRAME_RATE_HZ)
        first = max(min(tick - half, n - 2 * half), 0)
        return cls(first, min(first + 2 * half, n), x, width)

    def column(self, tick: float) -> float:
        """Where a tick stands, pixels."""
        return self.x + (tick + 0.5 - self.first) / max(self.last - self.first, 1) * self.width


def draw_strip(
    canvas: Canvas, axis: TimeAxis, series: AttributeSeries, channel: str, y: int, height: int
) -> None:
    """Draw one channel's curve, from -1 to 1, open and hatched where the face was lost."""
    area = Area(axis.x, y, axis.width, height)
    values = series.values[axis.first : axis.last, CHANNELS.index(channel)]
    shown = binned(values[:, None], axis.width)[:, 0]
    canvas.fill(area, WASH)
    for start, stop in _stretches(~np.isfinite(values)):
        left = round(axis.column(axis.first + start - 0.5))
        right = round(axis.column(axis.first + stop - 0.5))
        canvas.hatch(Area(left, y, max(right - left, 1), height))
    canvas.fill(Area(axis.x, y + height // 2, axis.width, 1), LINE)
    canvas.fill(Area(axis.x, area.bottom - 1, axis.width, 1), LINE)
    # The line is drawn into a copy of what is there, because only this one needs smooth edges.
    drawn = canvas.pixels()[y : area.bottom, axis.x : area.right].copy()
    _draw_line(drawn, shown)
    canvas.picture(area, drawn)


def draw_times(canvas: Canvas, axis: TimeAxis, y: int, *, size: int = 13) -> None:
    """Times below a strip whose lower edge is at ``y``."""
    length_s = (axis.last - axis.first) / FRAME_RATE_HZ
    room = max(axis.width // _LABEL_WIDTH, 1)
    step = next((step for step in _STEPS_S if length_s / step <= room), _STEPS_S[-1])
    first = int(np.ceil(axis.first / FRAME_RATE_HZ / step - 1e-9))
    for number in range(first, int(axis.last / FRAME_RATE_HZ / step + 1e-9) + 1):
        seconds = number * step
        x = round(axis.column(seconds * FRAME_RATE_HZ - 0.5))
        canvas.fill(Area(min(x, axis.x + axis.width - 1), y, 1, 5), LINE)
        text = time_code(seconds) if step < 1 else time_code(seconds).partition(".")[0]
        half = 5 * size // 4
        align = "left" if x - half < axis.x else "middle"
        align = "right" if x + half > axis.x + axis.width else align
        canvas.text(x, y + 6 + size, text, size=size, colour=SOFT, align=align)


def draw_cursor(canvas: Canvas, axis: TimeAxis, tick: int, y: int, height: int) -> None:
    """A vertical line at a tick, with a small head so that it is not taken for a grid line."""
    x = round(axis.column(tick))
    canvas.fill(Area(x - 1, y, 2, height), INK)
    canvas.fill(Area(x - 4, y - 3, 8, 4), INK)


def _stretches(on: NDArray[np.bool_]) -> Sequence[tuple[int, int]]:
    """First and behind-last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _draw_line(pixels: NDArray[np.uint8], values: NDArray[np.float64]) -> None:
    """Draw values from -1 (lower edge) to 1 over the whole width of ``pixels``, in place."""
    import cv2

    height, width = pixels.shape[:2]
    # Drawn four times as large and reduced: the joints of cv2's own smooth lines are knobbly.
    ink = np.zeros((height * _FINER, width * _FINER), np.uint8)
    columns = (np.arange(len(values)) + 0.5) / max(len(values), 1) * width
    rows = 2 + (1 - np.clip(values, -1, 1)) / 2 * (height - 5)
    for start, stop in _stretches(np.isfinite(values)):
        points = np.stack([columns[start:stop], rows[start:stop]], axis=1)
        if len(points) == 1:
            points = np.stack([points[0] - (1, 0), points[0] + (1, 0)])
        line = np.round(points * _FINER).astype(np.int32)
        cv2.polylines(ink, [line], False, 255, 2 * _FINER)
    share = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)[:, :, None] / 255
    pixels[:] = np.round(pixels + share * (rgb(ACCENT).astype(float) - pixels)).astype(np.uint8)
