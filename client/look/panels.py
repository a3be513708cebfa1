"""Parts that the contact sheet and the clip have in common: the picture with its box, and words."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.look.anonymise import Shown
from client.look.canvas import INK, LOST, PAPER, SOFT, Area, Canvas
from shared.attributes import AttributeSeries
from shared.channels import ACTION_UNIT_NAMES, ACTION_UNITS, EXPRESSIONS

__all__ = [
    "ACTIVE",
    "active_units",
    "draw_face_state",
    "draw_picture",
    "fit",
    "signed",
    "square_around",
    "top_expressions",
]

ACTIVE: Final = 0.5
"""From this probability on an action unit is shown as active."""

_UNITS_FROM: Final = len(EXPRESSIONS) + 2


def top_expressions(values: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
    """The ``count`` most probable expressions and their probabilities, the highest first."""
    order = np.argsort(-values[: len(EXPRESSIONS)], kind="stable")[:count]
    return [(EXPRESSIONS[i], float(values[i])) for i in order]


def active_units(values: NDArray[np.float32]) -> list[tuple[int, str, float]]:
    """Number, short name and probability of every active action unit, by number."""
    found = zip(ACTION_UNITS, values[_UNITS_FROM:].tolist(), strict=True)
    return [(number, ACTION_UNIT_NAMES[number], p) for number, p in found if p >= ACTIVE]


def signed(value: float) -> str:
    """A value with its sign, a true minus sign, and two digits behind the point."""
    return f"{value:+.2f}".replace("-", "−")


def fit(size: tuple[int, int], into: Area) -> Area:
    """The largest area of the shape of ``size`` (width, height) in the middle of another."""
    width, height = size
    scale = min(into.width / width, into.height / height)
    w, h = max(round(width * scale), 1), max(round(height * scale), 1)
    return Area(into.x + (into.width - w) // 2, into.y + (into.height - h) // 2, w, h)


def square_around(
    box: Sequence[float], boxes: float, size: tuple[int, int]
) -> tuple[int, int, int]:
    """A square of ``boxes`` times the face box's longer side, moved into the picture.

    Parameters
    ----------
    box : sequence of float
        x, y, width, height.
    boxes : float
    size : tuple of int
        Width and height of the picture.

    Returns
    -------
    x, y, side : int
        The whole square lies in the picture.
    """
    x, y, w, h = box
    side = max(min(round(max(w, h) * boxes), *size), 1)
    left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
    return min(max(left, 0), size[0] - side), min(max(top, 0), size[1] - side), side


def draw_picture(
    canvas: Canvas,
    area: Area,
    shown: Shown,
    series: AttributeSeries,
    square: tuple[int, int, int] | None = None,
) -> None:
    """Draw a picture with the face box, or with a red border where the face was lost.

    Parameters
    ----------
    canvas : Canvas
    area : Area
        The picture is fitted into its middle.
    shown : Shown
    series : AttributeSeries
    square : tuple of int, optional
        Part of the picture to draw: x, y, side. By default the whole picture.
    """
    import cv2

    height, width = shown.picture.shape[:2]
    x, y, w, h = (0, 0, width, height) if square is None else (*square, square[2])
    place = fit((w, h), area)
    way = cv2.INTER_AREA if place.width < w else cv2.INTER_CUBIC
    part = shown.picture[y : y + h, x : x + w]
    canvas.picture(place, cv2.resize(part, (place.width, place.height), interpolation=way))
    if shown.hidden:
        middle = place.x + place.width // 2
        canvas.badge(middle, place.y + place.height // 2 + 5, "hidden", size=14, align="middle")
    if not series.face_found[shown.tick]:
        canvas.frame(place, LOST, 3)
    elif not shown.hidden:
        scale = place.width / w
        left, top, across, down = series.box[shown.tick].tolist()
        box = Area(
            place.x + round((left - x) * scale),
            place.y + round((top - y) * scale),
            round(across * scale),
            round(down * scale),
        )
        box = _cut(box, place)
        # A light line between two dark ones is seen on any ground.
        canvas.frame(box, INK, 4)
        canvas.frame(Area(box.x + 1, box.y + 1, box.width - 2, box.height - 2), PAPER, 2)


def draw_face_state(
    canvas: Canvas, right: int, baseline: int, series: AttributeSeries, tick: int, *, size: int
) -> None:
    """Say at the right whether the face was found, and how sure the detector was."""
    if series.face_found[tick]:
        text = f"face found, {series.face_confidence[tick]:.0%} sure"
        canvas.text(right, baseline, text, size=size, colour=SOFT, align="right")
    else:
        canvas.badge(right, baseline, "FACE LOST", size=size, colour=LOST, align="right")


def _cut(area: Area, by: Area) -> Area:
    x, y = max(area.x, by.x), max(area.y, by.y)
    right, bottom = min(area.right, by.right), min(area.bottom, by.bottom)
    return Area(x, y, max(right - x, 0), max(bottom - y, 0))
