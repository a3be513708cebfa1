"""The contact sheet: a line of time over the whole recording, and below it one card a moment."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from client.look.anonymise import Shown
from client.look.canvas import ACCENT, INK, PAPER, SOFT, Area, Canvas, fitted
from client.look.card import CARD_WIDTH, CardStyle, draw_card
from client.look.curves import TimeAxis, draw_strip, draw_times
from client.look.moments import Moment, time_code
from client.look.panels import ACTIVE, active_units
from client.look.subject import Subject
from shared.channels import FRAME_RATE_HZ

__all__ = ["draw_sheet"]

_COLUMNS: Final = 3
_MARGIN: Final = 40
_GUTTER: Final = 40
_BETWEEN_ROWS: Final = 36
_WIDTH: Final = 2 * _MARGIN + _COLUMNS * CARD_WIDTH + (_COLUMNS - 1) * _GUTTER
_HEAD: Final = 100
_NOTICE: Final = 44
_OVERVIEW: Final = 210
_FOOT: Final = 84
_LABEL: Final = 90
_STRIP: Final = 38
_BADGE: Final = (30, 22)
"""Width and height of a moment's number."""


def draw_sheet(
    subject: Subject,
    moments: Sequence[Moment],
    pictures: Iterable[Shown],
    *,
    title: str,
    anonymised: bool,
) -> Canvas:
    """Draw the sheet.

    Parameters
    ----------
    subject : Subject
    moments : sequence of Moment
        In order of time, each tick once, at least one.
    pictures : iterable of Shown
        One for each moment, in the same order; taken one at a time.
    title : str
        How the moments were chosen, such as "12 moments, evenly spaced".
    anonymised : bool
        Whether faces are covered.

    Returns
    -------
    Canvas
    """
    values = subject.series.values[[moment.tick for moment in moments]]
    most = max(len(active_units(row)) for row in values)
    style = CardStyle(max(-(-most // 2), 1), any(m.reason for m in moments), anonymised)
    rows = -(-len(moments) // _COLUMNS)
    top = _HEAD + _NOTICE + _OVERVIEW
    canvas = Canvas(_WIDTH, top + rows * (style.height + _BETWEEN_ROWS) + _FOOT)
    _draw_head(canvas, subject, title, anonymised)
    _draw_overview(canvas, subject, moments, _HEAD + _NOTICE + 26)
    for index, (moment, shown) in enumerate(zip(moments, pictures, strict=True)):
        row, column = divmod(index, _COLUMNS)
        x = _MARGIN + column * (CARD_WIDTH + _GUTTER)
        y = top + row * (style.height + _BETWEEN_ROWS)
        draw_card(canvas, x, y, subject, index + 1, moment, shown, style)
    _draw_foot(canvas)
    return canvas


def _draw_head(canvas: Canvas, subject: Subject, title: str, anonymised: bool) -> None:
    series = subject.series
    room = _WIDTH - 2 * _MARGIN
    canvas.fill(Area(0, 0, _WIDTH, _HEAD), ACCENT)
    name = fitted(f"Look inside: {subject.participant}", room, size=28, bold=True)
    canvas.text(_MARGIN, 48, name, size=28, bold=True, colour=PAPER)
    length = time_code(len(series.time_s) / FRAME_RATE_HZ)
    facts = (
        title,
        f"recording {length} long",
        f"face found in {float(np.mean(series.face_found)):.0%} of it",
        f"read by {series.provenance.get('software', 'an unknown version')}",
        f"weights {series.provenance.get('weights_sha256', 'unknown')[:8]}",
    )
    canvas.text(_MARGIN, 80, fitted("  ·  ".join(facts), room, size=15), colour="#e6f0f7")
    canvas.fill(Area(0, _HEAD, _WIDTH, _NOTICE), "#fff4d9")
    baseline = _HEAD + 28
    width = canvas.text(_MARGIN, baseline, "Keep this picture in the clinic.", bold=True)
    shows = "It shows the child."
    if anonymised:
        shows = "Faces are covered; the values are this child's."
    note = f"{shows} A network read the values, and it can be wrong. Nothing here is a diagnosis."
    canvas.text(_MARGIN + width + 8, baseline, note)


def _draw_overview(canvas: Canvas, subject: Subject, moments: Sequence[Moment], y: int) -> None:
    """Valence and arousal over the whole recording, and where the numbered moments lie."""
    series = subject.series
    axis = TimeAxis(0, len(series.time_s), _MARGIN + _LABEL, _WIDTH - 2 * _MARGIN - _LABEL)
    strips = y + 40
    for row, channel in enumerate(("valence", "arousal")):
        top = strips + row * (_STRIP + 8)
        canvas.text(_MARGIN, top + _STRIP // 2 + 6, channel.capitalize(), colour=SOFT)
        draw_strip(canvas, axis, series, channel, top, _STRIP)
    bottom = strips + 2 * _STRIP + 8
    marks = [round(axis.column(moment.tick)) for moment in moments]
    for number, (mark, x) in enumerate(zip(marks, _apart(marks), strict=True), start=1):
        canvas.fill(Area(mark - 1, strips - 4, 2, bottom - strips + 4), INK)
        canvas.line((x, y + _BADGE[1] - 1), (mark, strips - 4), INK)
        canvas.fill(Area(x - _BADGE[0] // 2, y, *_BADGE), INK)
        canvas.text(x, y + 16, str(number), size=14, bold=True, colour=PAPER, align="middle")
    draw_times(canvas, axis, bottom)


def _apart(marks: Sequence[int]) -> list[int]:
    """Where badges stand that belong to ``marks``: beside each other, as near as there is room."""
    step = min(_BADGE[0] + 2, (_WIDTH - 2 * _BADGE[0]) // len(marks))
    places: list[int] = []
    for mark in marks:
        places.append(max(mark, places[-1] + step) if places else mark)
    limit = _WIDTH - _BADGE[0]
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - step
    return places


def _draw_foot(canvas: Canvas) -> None:
    y = canvas.height - _FOOT
    lines = (
        "How to read a card: the box shows where the face was found. Expressions are "
        "probabilities that sum to 1; an action unit (AU) is listed from a probability of "
        f"{ACTIVE:g} on.",
        "Curves run from −1 to 1 with 0 in the middle: valence from unpleasant to pleasant, "
        "arousal from calm to excited. Stripes: the face was lost. The vertical line is the "
        "moment itself.",
    )
    for row, line in enumerate(lines):
        canvas.text(_MARGIN, y + 24 + row * 24, line, size=14, colour=SOFT)
