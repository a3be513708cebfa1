"""A short clip: the recording with its box, and beside it what was read, moment by moment.

Everything has a fixed place, so that only values move: all expressions and all action units are
always listed, and valence and arousal stand as curves over the whole clip, with a moving cursor.
One picture a tick, so it plays at the recording's own speed; there is no sound.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.look.anonymise import Shown
from client.look.canvas import ACCENT, INK, LOST, PAPER, SOFT, Area, Canvas, fitted
from client.look.curves import TimeAxis, draw_cursor, draw_strip, draw_times
from client.look.moments import time_code
from client.look.panels import ACTIVE, draw_picture, signed
from client.look.subject import Subject
from shared.channels import ACTION_UNIT_NAMES, CHANNELS, EXPRESSIONS, FRAME_RATE_HZ

__all__ = ["draw_clip", "write_clip"]

_SIZE: Final = (1280, 720)
_MARGIN: Final = 24
_HEAD: Final = 46
_PICTURE: Final = Area(_MARGIN, 58, 832, 468)
_PANEL: Final = Area(880, 58, 376, 468)
_LABEL: Final = 92
_STRIPS_Y: Final = 544
_STRIP: Final = 48
_SURROUNDINGS_S: Final = 2.0
"""The curves show so much before and after the clip."""
_UNITS_FROM: Final = CHANNELS.index("au1")
_EXPRESSION_LINE: Final = 22
_UNIT_LINE: Final = 20
_BAR_X: Final = 242
_BT709: Final = 1
_LIMITED_RANGE: Final = 1
"""Codes of ITU-T H.273."""
_ENCODER: Final = {"crf": "20", "preset": "veryfast"}


def draw_clip(
    subject: Subject, ticks: range, pictures: Iterable[Shown], *, anonymised: bool
) -> Iterator[NDArray[np.uint8]]:
    """Draw the clip's frames.

    Parameters
    ----------
    subject : Subject
    ticks : range
        Not empty.
    pictures : iterable of Shown
        One for each tick, in the same order; taken one at a time.
    anonymised : bool
        Whether faces are covered.

    Yields
    ------
    ndarray, shape (720, 1280, 3), uint8, RGB
    """
    axis = _time_axis(subject, ticks)
    ground = _ground(subject, ticks, axis, anonymised)
    for tick, shown in zip(ticks, pictures, strict=True):
        canvas = ground.copy()
        draw_picture(canvas, _PICTURE, shown, subject.series)
        _draw_head(canvas, subject, tick)
        _draw_values(canvas, subject, tick)
        draw_cursor(canvas, axis, tick, _STRIPS_Y, 2 * _STRIP + 8)
        yield canvas.pixels()


def write_clip(path: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """Encode frames as H.264 in MP4 without sound and without any note of where they come from.

    Parameters
    ----------
    path : Path
        Whatever its name, the file is MP4.
    frames : iterable of ndarray, shape (height, width, 3), uint8, RGB
        Even width and height; shown 24 a second.
    """
    import av

    rate = Fraction(FRAME_RATE_HZ)
    container = av.open(str(path), "w", format="mp4")
    with container:
        stream = container.add_stream("libx264", rate=rate, options=_ENCODER)
        stream.pix_fmt = "yuv420p"
        stream.width, stream.height = _SIZE
        stream.codec_context.gop_size = int(FRAME_RATE_HZ)
        # Said in the file as well, or players take HD for BT.709 and colours shift.
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        stream.codec_context.color_range = _LIMITED_RANGE
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _time_axis(subject: Subject, ticks: range) -> TimeAxis:
    more = round(_SURROUNDINGS_S * FRAME_RATE_HZ)
    first = max(ticks.start - more, 0)
    last = min(ticks.stop + more, len(subject.series.time_s))
    return TimeAxis(first, last, _MARGIN + _LABEL, _SIZE[0] - 2 * _MARGIN - _LABEL)


def _ground(subject: Subject, ticks: range, axis: TimeAxis, anonymised: bool) -> Canvas:
    """What stays the same in all frames."""
    canvas = Canvas(*_SIZE)
    canvas.fill(Area(0, 0, _SIZE[0], _HEAD), ACCENT)
    name = fitted(f"Look inside: {subject.participant}", 560, size=18, bold=True)
    canvas.text(_MARGIN, 30, name, size=18, bold=True, colour=PAPER)
    canvas.fill(_PICTURE, INK)
    for row, channel in enumerate(("valence", "arousal")):
        y = _STRIPS_Y + row * (_STRIP + 8)
        canvas.text(_MARGIN, y + 20, channel.capitalize(), size=15, colour=SOFT)
        draw_strip(canvas, axis, subject.series, channel, y, _STRIP)
    draw_times(canvas, axis, _STRIPS_Y + 2 * _STRIP + 8)
    shows = "It shows the child."
    if anonymised:
        shows = "Faces are covered; the values are this child's."
    note = f"{shows} A network read the values, and it can be wrong. Nothing here is a diagnosis."
    width = canvas.text(_MARGIN, 706, "Keep this clip in the clinic.", size=14, bold=True)
    canvas.text(_MARGIN + width + 8, 706, note, size=14)
    return canvas


def _draw_head(canvas: Canvas, subject: Subject, tick: int) -> None:
    series = subject.series
    now, end = tick / FRAME_RATE_HZ, len(series.time_s) / FRAME_RATE_HZ
    middle = _SIZE[0] // 2 + 40
    canvas.text(middle, 31, time_code(now), size=22, bold=True, colour=PAPER, align="right")
    canvas.text(middle + 8, 30, f"of {time_code(end)}", size=16, colour="#e6f0f7")
    right = _SIZE[0] - _MARGIN
    if series.face_found[tick]:
        text = f"face found, {series.face_confidence[tick]:.0%} sure"
        canvas.text(right, 30, text, size=16, colour=PAPER, align="right")
    else:
        canvas.badge(right, 30, "FACE LOST", size=16, colour=LOST, align="right")


def _draw_values(canvas: Canvas, subject: Subject, tick: int) -> None:
    area = _PANEL
    if not subject.series.face_found[tick]:
        canvas.hatch(area)
        canvas.frame(area, LOST, 3)
        middle, baseline = area.x + area.width // 2, area.y + area.height // 2
        canvas.text(middle, baseline, "Face lost", size=22, bold=True, colour=LOST, align="middle")
        canvas.text(middle, baseline + 28, "nothing was read here", size=15, align="middle")
        for row in range(2):
            y = _STRIPS_Y + row * (_STRIP + 8)
            canvas.text(_MARGIN, y + 40, "–", size=15, bold=True)
        return
    values = subject.series.values[tick]
    canvas.text(area.x, area.y + 14, "Expressions", size=15, colour=SOFT)
    y = area.y + 22
    highest = int(np.argmax(values[: len(EXPRESSIONS)]))
    for index, name in enumerate(EXPRESSIONS):
        _draw_value(canvas, y, _EXPRESSION_LINE, "", name, float(values[index]), index == highest)
        y += _EXPRESSION_LINE
    y += 12
    canvas.text(area.x, y + 14, "Action units", size=15, colour=SOFT)
    y += 22
    for index, (number, name) in enumerate(ACTION_UNIT_NAMES.items()):
        value = float(values[_UNITS_FROM + index])
        _draw_value(canvas, y, _UNIT_LINE, f"AU {number}", name, value, value >= ACTIVE)
        y += _UNIT_LINE
    for row, channel in enumerate(("valence", "arousal")):
        y = _STRIPS_Y + row * (_STRIP + 8)
        value = float(values[CHANNELS.index(channel)])
        canvas.text(_MARGIN, y + 40, signed(value), size=15, bold=True)


def _draw_value(
    canvas: Canvas, y: int, line: int, number: str, name: str, value: float, stands_out: bool
) -> None:
    area, baseline = _PANEL, y + 15
    colour = INK if stands_out else SOFT
    canvas.text(area.x, baseline, number, size=14, bold=stands_out, colour=colour)
    indent = 56 if number else 0
    canvas.text(area.x + indent, baseline, name, size=14, bold=stands_out, colour=colour)
    bar = Area(area.x + _BAR_X, y + 4, area.width - _BAR_X - 48, line - 9)
    canvas.bar(bar, value, ACCENT if stands_out else "#7fa6c2")
    canvas.text(area.right, baseline, f"{value:.2f}", size=14, bold=stands_out, align="right")
