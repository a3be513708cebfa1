"""One moment on the contact sheet: the face, what was read from it, and the seconds around it.

A card's parts stand at the same places whatever was read, so that cards can be compared by eye.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.look.anonymise import Shown
from client.look.canvas import ACCENT, INK, LINE, LOST, SOFT, Area, Canvas, fitted
from client.look.curves import TimeAxis, draw_cursor, draw_strip, draw_times
from client.look.moments import Moment, time_code
from client.look.panels import (
    active_units,
    draw_face_state,
    draw_picture,
    signed,
    square_around,
    top_expressions,
)
from client.look.subject import Subject
from shared.channels import CHANNELS, FRAME_RATE_HZ

__all__ = ["CARD_WIDTH", "CardStyle", "draw_card"]

CARD_WIDTH: Final = 480

_HEAD: Final = 40
_REASON: Final = 22
_CLOSE_UP: Final = 240
_GAP: Final = 14
_WHOLE_PICTURE: Final = 127
_UNIT_LINE: Final = 24
_BETWEEN_UNITS: Final = 28
_STRIP: Final = 48
_STRIP_TITLE: Final = 28
_TIMES: Final = 22
_AROUND_S: Final = 5.0
_CLOSE_UP_BOXES: Final = 1.5
_WIDE_BOXES: Final = 4.0
"""Side of the close-up in face boxes; wider where the face itself is covered."""
_EXPRESSIONS: Final = 3


class CardStyle(NamedTuple):
    """What all cards of a sheet have in common.

    Attributes
    ----------
    unit_lines : int
        Lines for action units, two units a line.
    reasons : bool
        Whether a line says why a moment was chosen.
    anonymised : bool
        Whether faces are covered.
    """

    unit_lines: int
    reasons: bool
    anonymised: bool

    @property
    def height(self) -> int:
        """Height of a card, pixels."""
        reason = _REASON if self.reasons else 0
        strips = 2 * (_STRIP_TITLE + _STRIP) + _TIMES
        return _HEAD + reason + _CLOSE_UP + _GAP + self.unit_lines * _UNIT_LINE + strips


def draw_card(
    canvas: Canvas,
    x: int,
    y: int,
    subject: Subject,
    number: int,
    moment: Moment,
    shown: Shown,
    style: CardStyle,
) -> None:
    """Draw one card with its upper left corner at ``x``, ``y``."""
    series, tick = subject.series, moment.tick
    values = series.values[tick] if series.face_found[tick] else None
    canvas.fill(Area(x, y, CARD_WIDTH, 2), LINE if values is not None else LOST)
    badge = canvas.badge(x, y + 29, str(number), size=15)
    time = time_code(tick / FRAME_RATE_HZ)
    canvas.text(x + badge + 10, y + 29, time, size=19, bold=True)
    draw_face_state(canvas, x + CARD_WIDTH, y + 29, series, tick, size=14)
    y += _HEAD
    if style.reasons:
        reason = fitted(moment.reason, CARD_WIDTH, size=14)
        canvas.text(x, y + 14, reason, size=14, colour=SOFT)
        y += _REASON
    close = Area(x, y, _CLOSE_UP, _CLOSE_UP)
    side = close._replace(x=close.right + _GAP, width=CARD_WIDTH - _CLOSE_UP - _GAP)
    _close_up(canvas, close, subject, shown, style.anonymised)
    draw_picture(canvas, side._replace(height=_WHOLE_PICTURE), shown, series)
    _expressions(canvas, side, y + _WHOLE_PICTURE + _GAP, values)
    y += _CLOSE_UP + _GAP
    _units(canvas, x, y, values)
    y += style.unit_lines * _UNIT_LINE
    axis = TimeAxis.around(series, tick, _AROUND_S, x, CARD_WIDTH)
    for channel in ("valence", "arousal"):
        y += _STRIP_TITLE
        width = canvas.text(x, y - 8, channel.capitalize(), size=14, colour=SOFT)
        value = "–" if values is None else signed(float(values[CHANNELS.index(channel)]))
        canvas.text(x + width + 8, y - 8, value, size=14, bold=True)
        draw_strip(canvas, axis, series, channel, y, _STRIP)
        draw_cursor(canvas, axis, tick, y, _STRIP)
        y += _STRIP
    draw_times(canvas, axis, y)


def _close_up(canvas: Canvas, area: Area, subject: Subject, shown: Shown, anonymised: bool) -> None:
    if subject.series.face_found[shown.tick] and not shown.hidden:
        box = subject.series.box[shown.tick].tolist()
        size = (shown.picture.shape[1], shown.picture.shape[0])
        square = square_around(box, _WIDE_BOXES if anonymised else _CLOSE_UP_BOXES, size)
        draw_picture(canvas, area, shown, subject.series, square)
        return
    canvas.hatch(area)
    middle = area.x + area.width // 2
    if subject.series.face_found[shown.tick]:
        lines, colour = ("Picture hidden", "a face may be uncovered"), INK
    else:
        lines, colour = ("Face lost", "nothing was read here"), LOST
        canvas.frame(area, LOST, 3)
    canvas.text(middle, area.y + 116, lines[0], size=19, bold=True, colour=colour, align="middle")
    canvas.text(middle, area.y + 142, lines[1], size=14, align="middle")


def _expressions(canvas: Canvas, area: Area, y: int, values: NDArray[np.float32] | None) -> None:
    if values is None:
        canvas.text(area.x, y + 16, "no expression", size=15, colour=SOFT)
        return
    for row, (name, share) in enumerate(top_expressions(values, _EXPRESSIONS)):
        baseline = y + 16 + row * 32
        first = row == 0
        canvas.text(area.x, baseline, name, size=15, bold=first)
        canvas.text(area.right, baseline, f"{share:.2f}", size=15, bold=first, align="right")
        canvas.bar(Area(area.x, baseline + 6, area.width, 6), share, ACCENT)


def _units(canvas: Canvas, x: int, y: int, values: NDArray[np.float32] | None) -> None:
    found = [] if values is None else active_units(values)
    if not found:
        text = "no action units" if values is None else "no active action unit"
        canvas.text(x, y + 16, text, size=15, colour=SOFT)
    width = (CARD_WIDTH - _BETWEEN_UNITS) // 2
    for index, (number, name, share) in enumerate(found):
        left = x + index % 2 * (width + _BETWEEN_UNITS)
        baseline = y + 16 + index // 2 * _UNIT_LINE
        canvas.text(left, baseline, f"AU {number}", size=14, bold=True)
        canvas.text(left + 52, baseline, name, size=14)
        canvas.text(left + width, baseline, f"{share:.2f}", size=14, align="right")
