"""What a person asked to see: which moments, how the sheet says so, and words for its file name."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from client.look.kept import time_in_name
from client.look.moments import (
    Moment,
    channel_in_words,
    evenly_spaced,
    named_channel,
    named_moments,
    peaks,
    seconds_of,
)
from shared.attributes import AttributeSeries
from shared.channels import CHANNELS
from shared.errors import InputError

__all__ = ["MOST_MOMENTS", "USUAL_MOMENTS", "Choice", "choose_moments"]

USUAL_MOMENTS: Final = 12
"""How many if nobody says."""
MOST_MOMENTS: Final = 60
"""A sheet of twenty rows."""


class Choice(NamedTuple):
    """Moments in order of time, what they are in a few words, and those words for a file name."""

    moments: list[Moment]
    title: str
    words: str


def choose_moments(
    series: AttributeSeries, count: int | None, times: Sequence[str], channels: Sequence[str]
) -> Choice:
    """Moments at the given times and at the peaks of the given channels, else evenly spaced.

    Parameters
    ----------
    series : AttributeSeries
    count : int, optional
        How many evenly spaced moments, or how many peaks of each channel.
    times, channels : sequence of str
        As the person wrote them.

    Raises
    ------
    InputError
        When a time or a channel is not possible, there are too many moments, or ``count`` would
        mean nothing.
    """
    if count is not None and times and not channels:
        raise InputError("--at names the moments itself; leave --moments, or add --peaks")
    each = USUAL_MOMENTS if count is None else count
    columns = list(dict.fromkeys(map(named_channel, channels)))
    most = len(times) + each * len(columns) if times or columns else each
    if each < 1 or most > MOST_MOMENTS:
        raise InputError(f"up to {most} moments asked; 1 to {MOST_MOMENTS} are possible")
    if not times and not columns:
        even = evenly_spaced(series, each)
        return Choice(even, f"{_counted(even)}, evenly spaced", "sheet")
    found = {moment.tick: moment for moment in named_moments(series, times)}
    titles, words = [], []
    if times:
        more = f"_and_{len(times) - 1}_more" if len(times) > 1 else ""
        words.append(f"at_{time_in_name(seconds_of(times[0]))}{more}")
        titles.append("at the given times")
    for column in columns:
        for moment in peaks(series, column, each):
            other = found.get(moment.tick)
            both = f"{other.reason}; {moment.reason}" if other and other.reason else moment.reason
            found[moment.tick] = Moment(moment.tick, both)
        words.append(f"peaks_{CHANNELS[column].removeprefix('expression_')}")
        titles.append(f"where {channel_in_words(column)} is highest")
    moments = sorted(found.values())
    return Choice(moments, f"{_counted(moments)}, {' and '.join(titles)}", "_".join(words))


def _counted(moments: Sequence[Moment]) -> str:
    return "1 moment" if len(moments) == 1 else f"{len(moments)} moments"
