"""The picture that shows where the network looked: crop and attributions side by side.

Attributions trace the edges of a face, so a map of them tells who it is nearly as well as the
picture. An anonymised sheet therefore holds neither: no pixel of the recording is drawn, only the
shares of four parts of the face.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.look.canvas import ACCENT, INK, LINE, LOST, PAPER, SOFT, Area, Canvas, fitted, rgb
from client.look.frames import upright_frames
from client.look.moments import Moment, channel_in_words, time_code
from client.look.panels import fit, signed
from client.look.saliency import PARTS_OF_FACE, Saliency, explain_crop, face_crop
from client.look.subject import Subject
from shared.affect.weights import StoredNetwork
from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.errors import InputError
from shared.features.layout import SIGNED_CHANNELS
from shared.files import atomic_path

__all__ = [
    "USUAL_MOMENTS",
    "Explained",
    "draw_saliency",
    "explain_moments",
    "make_saliency_sheet",
    "overlaid",
]

USUAL_MOMENTS: Final = 6
"""How many if nobody says: each takes the network about seventy times as long as reading it."""

_COLUMNS: Final = 3
_MARGIN: Final = 40
_GUTTER: Final = 40
_CARD: Final = 480
_WIDTH: Final = 2 * _MARGIN + _COLUMNS * _CARD + (_COLUMNS - 1) * _GUTTER
_HEAD: Final = 100
_NOTICE: Final = 44
_FOOT: Final = 84
_TITLE: Final = 40
_PICTURE: Final = 234
_PART: Final = 30
_BETWEEN: Final = 36
_SMOOTH: Final = 0.03
"""Standard deviation of the display's smoothing, share of the side: single pixels say nothing."""
_BRIGHTEST: Final = 99.0
"""Percentile of the sizes that is drawn in full colour."""
_RAISES: Final = "#c8500a"
_LOWERS: Final = "#1f6fb2"
_OPAQUE: Final = 0.75


class Explained(NamedTuple):
    """One moment: when, the crop (None when anonymised or without a face), and what moved it."""

    moment: Moment
    crop: NDArray[np.uint8] | None
    saliency: Saliency | None


def make_saliency_sheet(
    target: Path,
    subject: Subject,
    moments: Sequence[Moment],
    channel: int,
    stored: StoredNetwork,
    *,
    anonymised: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Write a sheet of attributions as PNG and return how many moments were explained.

    Parameters
    ----------
    target : Path
    subject : Subject
    moments : sequence of Moment
        In order of time.
    channel : int
        Index into ``CHANNELS``.
    stored : StoredNetwork
        With the weights the recording was read with.
    anonymised : bool
        Draw no pixel of the recording and no map.
    report : callable, optional
        Called with moments done, and moments in all.

    Raises
    ------
    InputError
        The face was lost at every moment, or a frame cannot be decoded.
    """
    explained = explain_moments(
        subject, moments, channel, stored, keep_crops=not anonymised, report=report
    )
    canvas = draw_saliency(subject, explained, channel, anonymised=anonymised)
    with atomic_path(target) as temporary:
        canvas.save_png(temporary)
    return sum(one.saliency is not None for one in explained)


def explain_moments(
    subject: Subject,
    moments: Sequence[Moment],
    channel: int,
    stored: StoredNetwork,
    *,
    keep_crops: bool = True,
    report: Callable[[int, int], None] | None = None,
) -> list[Explained]:
    """Attributions at each moment; parameters as in ``make_saliency_sheet``."""
    series = subject.series
    seen = [moment for moment in moments if series.face_found[moment.tick]]
    if not seen:
        raise InputError(
            "The face was lost at every one of these moments, so the network read nothing there; "
            "choose others with --at or --peaks"
        )
    frames = upright_frames(
        subject.video, (int(series.frame[m.tick]) for m in seen), series.provenance
    )
    found: dict[int, Explained] = {}
    index, picture = -1, np.zeros((0, 0, 3), np.uint8)
    for done, moment in enumerate(seen):
        if report is not None:
            report(done, len(seen))
        while index < series.frame[moment.tick]:
            index, picture = next(frames)
        x, y, w, h = series.box[moment.tick].tolist()
        crop, inside = face_crop(picture, (x, y, w, h), stored.preprocessing.crop_margin)
        saliency = explain_crop(stored, crop, inside, channel)
        found[moment.tick] = Explained(moment, crop if keep_crops else None, saliency)
    if report is not None:
        report(len(seen), len(seen))
    return [found.get(moment.tick, Explained(moment, None, None)) for moment in moments]


def overlaid(crop: NDArray[np.uint8], saliency: Saliency) -> NDArray[np.uint8]:
    """The crop in grey with the smoothed attributions over it: orange raises, blue lowers.

    Parameters
    ----------
    crop : ndarray, shape (height, width, 3), uint8
    saliency : Saliency

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
    """
    import cv2

    side = len(saliency.attribution)
    smooth = cv2.GaussianBlur(saliency.attribution, (0, 0), _SMOOTH * side)
    height, width = crop.shape[:2]
    field = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    full = float(np.percentile(np.abs(field), _BRIGHTEST))
    strength = np.clip(np.abs(field) / full, 0, 1) if full > 0 else np.zeros_like(field)
    grey = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colour = np.where(field[:, :, None] > 0, rgb(_RAISES), rgb(_LOWERS))
    opacity = _OPAQUE * strength[:, :, None]
    mixed: NDArray[np.uint8] = (grey * (1 - opacity) + colour * opacity).round().astype(np.uint8)
    return mixed


def draw_saliency(
    subject: Subject, explained: Sequence[Explained], channel: int, *, anonymised: bool
) -> Canvas:
    """Draw the sheet; parameters as in ``make_saliency_sheet``."""
    picture = 0 if anonymised else _PICTURE + 12
    card = _TITLE + picture + len(PARTS_OF_FACE) * _PART + _BETWEEN
    rows = -(-len(explained) // _COLUMNS)
    top = _HEAD + _NOTICE + 24
    canvas = Canvas(_WIDTH, top + rows * card + _FOOT)
    _draw_head(canvas, subject, channel, anonymised)
    for position, one in enumerate(explained):
        row, column = divmod(position, _COLUMNS)
        x, y = _MARGIN + column * (_CARD + _GUTTER), top + row * card
        _draw_card(canvas, x, y, subject, one, channel, anonymised)
    _draw_foot(canvas, anonymised)
    return canvas


def _draw_head(canvas: Canvas, subject: Subject, channel: int, anonymised: bool) -> None:
    room = _WIDTH - 2 * _MARGIN
    canvas.fill(Area(0, 0, _WIDTH, _HEAD), ACCENT)
    name = f"Where the network looked: {subject.participant}"
    canvas.text(
        _MARGIN, 48, fitted(name, room, size=28, bold=True), size=28, bold=True, colour=PAPER
    )
    facts = (
        f"for {channel_in_words(channel)}",
        "integrated gradients against a face without detail",
        f"weights {subject.series.provenance.get('weights_sha256', 'unknown')[:8]}",
    )
    canvas.text(_MARGIN, 80, fitted("  ·  ".join(facts), room, size=15), colour="#e6f0f7")
    canvas.fill(Area(0, _HEAD, _WIDTH, _NOTICE), "#fff4d9")
    width = canvas.text(_MARGIN, _HEAD + 28, "Keep this picture in the clinic.", bold=True)
    shows = "It shows no picture of the child." if anonymised else "It shows the child."
    note = f"{shows} It says what moved this network, not what the face did. No diagnosis."
    canvas.text(_MARGIN + width + 8, _HEAD + 28, note)


def _draw_card(
    canvas: Canvas,
    x: int,
    y: int,
    subject: Subject,
    one: Explained,
    channel: int,
    anonymised: bool,
) -> None:
    tick = one.moment.tick
    found = one.saliency is not None
    canvas.fill(Area(x, y, _CARD, 2), LINE if found else LOST)
    width = canvas.text(x, y + 29, time_code(tick / FRAME_RATE_HZ), size=19, bold=True)
    if one.saliency is None:
        canvas.badge(x + _CARD, y + 29, "FACE LOST", size=14, colour=LOST, align="right")
        return
    value = float(subject.series.values[tick, channel])
    name = channel_in_words(channel)
    read = f"{name} {signed(value) if CHANNELS[channel] in SIGNED_CHANNELS else f'{value:.2f}'}"
    room = _CARD - width - 12
    canvas.text(x + width + 12, y + 29, fitted(read, room, size=15), size=15, colour=SOFT)
    y += _TITLE
    if not anonymised and one.crop is not None:
        for left, pixels in ((x, one.crop), (x + _PICTURE + 12, overlaid(one.crop, one.saliency))):
            _draw_crop(canvas, Area(left, y, _PICTURE, _PICTURE), pixels)
        y += _PICTURE + 12
    for row, (part, share) in enumerate(zip(PARTS_OF_FACE, one.saliency.parts, strict=True)):
        baseline = y + 16 + row * _PART
        known = bool(np.isfinite(share))
        canvas.text(x, baseline, part, size=14)
        canvas.text(x + _CARD, baseline, f"{share:.0%}" if known else "–", size=14, align="right")
        canvas.bar(Area(x, baseline + 5, _CARD, 5), float(share) if known else 0.0, ACCENT)


def _draw_crop(canvas: Canvas, area: Area, pixels: NDArray[np.uint8]) -> None:
    import cv2

    place = fit((pixels.shape[1], pixels.shape[0]), area)
    way = cv2.INTER_AREA if place.width < pixels.shape[1] else cv2.INTER_CUBIC
    resized = cv2.resize(pixels, (place.width, place.height), interpolation=way)
    canvas.picture(place, np.asarray(resized, np.uint8))


def _draw_foot(canvas: Canvas, anonymised: bool) -> None:
    y = canvas.height - _FOOT
    bars = (
        "Bars: which share of what moved the answer, up or down, lies in the upper, middle and "
        "lower third of the face box, and around it. Much around the box is a warning."
    )
    colours = (
        "Orange raises the answer, blue lowers it; colours are smoothed and set for each face."
    )
    if anonymised:
        colours = "No map is shown: it would trace the face."
    for row, line in enumerate((colours, bars)):
        canvas.text(_MARGIN, y + 24 + row * 24, line, size=14, colour=SOFT if row else INK)
