"""Which moments of a recording are looked at: spread evenly, named by the person, or peaks.

A moment is a tick of the series' 24 Hz clock. Times are written as a person reads them off a
player, ``1:23`` or ``83.5``.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from shared.attributes import AttributeSeries
from shared.channels import CHANNELS, FRAME_RATE_HZ, channel_title
from shared.errors import InputError

__all__ = [
    "LONGEST_CLIP_S",
    "Moment",
    "channel_in_words",
    "evenly_spaced",
    "named_channel",
    "named_moments",
    "peaks",
    "seconds_of",
    "stretch",
    "time_code",
]

LONGEST_CLIP_S: Final = 60.0

_APART_S: Final = 2.0
"""Peaks nearer to each other than this are one peak."""
_TIME: Final = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,4}):)?(\d{1,5}(?:[.,]\d{1,6})?)", re.ASCII)
_ROUNDING: Final = 1e-6


class Moment(NamedTuple):
    """A tick of the series, and why it is looked at; the reason may be empty."""

    tick: int
    reason: str = ""


def seconds_of(text: str) -> float:
    """Seconds of a time as people write it: ``83``, ``83.5``, ``1:23``, ``1:23,5``, ``1:02:03``.

    Raises
    ------
    InputError
        When it is not a time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is not None:
        hours, minutes, rest = found.groups()
        seconds = float(rest.replace(",", "."))
        whole = minutes is None or (seconds < 60 and (hours is None or int(minutes) < 60))
        if whole:
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds
    raise InputError(f"time {text!r} asked; write minutes and seconds such as 1:23, or seconds")


def time_code(seconds: float) -> str:
    """Minutes and seconds to a tenth, such as ``1:23.4``; with hours from one hour on."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{front}:{rest // 10:02}.{rest % 10}"


def evenly_spaced(series: AttributeSeries, count: int) -> list[Moment]:
    """The middles of ``count`` equal stretches; fewer where the recording has fewer ticks."""
    n = len(series.time_s)
    ticks = [(2 * i + 1) * n // (2 * count) for i in range(count)]
    return [Moment(tick) for tick in sorted(set(ticks))]


def named_moments(series: AttributeSeries, times: Sequence[str]) -> list[Moment]:
    """What is shown at each time, in order.

    Raises
    ------
    InputError
        When a time cannot be read or lies outside the recording.
    """
    ticks = {_tick(series, text, seconds_of(text)) for text in times}
    return [Moment(tick) for tick in sorted(ticks)]


def named_channel(name: str) -> int:
    """Column of a channel as people write it: ``au12``, ``AU 12``, ``joy``, ``valence``.

    Raises
    ------
    InputError
        When there is no such channel.
    """
    plain = name.casefold().replace(" ", "").replace("_", "").removeprefix("expression")
    short = [channel.removeprefix("expression_") for channel in CHANNELS]
    if plain in short:
        return short.index(plain)
    raise InputError(f"channel {name!r} asked; one of {', '.join(short)} is possible")


def channel_in_words(column: int) -> str:
    """Name of a channel inside a sentence, such as ``joy`` or ``AU 12 lip corner pulled``."""
    title = channel_title(CHANNELS[column])
    return title if title.startswith("AU") else title.lower()


def peaks(series: AttributeSeries, channel: int, count: int) -> list[Moment]:
    """The moments at which a channel is highest, at least two seconds apart, in order of time.

    Parameters
    ----------
    series : AttributeSeries
    channel : int
        Column of ``series.values``.
    count : int
        At most so many.

    Raises
    ------
    InputError
        When the face is never seen, so nothing was read.
    """
    if not series.face_found.any():
        raise InputError("no face was found in this recording, so it has no peaks; leave --peaks")
    left = np.where(series.face_found, series.values[:, channel], -np.inf)
    apart = round(_APART_S * FRAME_RATE_HZ)
    found: list[Moment] = []
    while len(found) < count and np.isfinite(left).any():
        tick = int(np.argmax(left))
        height = float(series.values[tick, channel])
        found.append(Moment(tick, f"peak of {channel_in_words(channel)}, {height:.2f}"))
        left[max(tick - apart + 1, 0) : tick + apart] = -np.inf
    return sorted(found)


def stretch(series: AttributeSeries, start: str, stop: str) -> range:
    """Ticks from one time to another, the second one not included.

    Raises
    ------
    InputError
        When a time cannot be read or lies outside, nothing lies between them, or it is too long.
    """
    start_s, stop_s = seconds_of(start), seconds_of(stop)
    first = _tick(series, start, start_s)
    _tick(series, stop, stop_s)
    last = round(stop_s * FRAME_RATE_HZ)
    if stop_s <= start_s or last <= first:
        raise InputError(f"clip from {start} to {stop} asked; it must end after it begins")
    if stop_s - start_s > LONGEST_CLIP_S + _ROUNDING:
        raise InputError(
            f"a clip of {stop_s - start_s:g} s asked; at most {LONGEST_CLIP_S:g} s are possible: "
            "make several"
        )
    return range(first, min(last, len(series.time_s)))


def _tick(series: AttributeSeries, text: str, seconds: float) -> int:
    n = len(series.time_s)
    if seconds > n / FRAME_RATE_HZ + _ROUNDING:
        raise InputError(f"time {text} asked; the recording is {time_code(n / FRAME_RATE_HZ)} long")
    return min(int(seconds * FRAME_RATE_HZ + _ROUNDING), n - 1)
