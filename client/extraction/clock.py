"""Put the frames of a recording onto the regular 24 Hz clock by time, not by count.

At each tick stands the frame that is shown then: the last one whose time has come. So 30 and 60
frames/s lose frames, slower or variable rates repeat them, and the clock never drifts.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from client.extraction.recording import Recording, SourceFrame
from shared.channels import FRAME_RATE_HZ

__all__ = ["ShownFrame", "on_clock"]

_EARLY_S: Final = 0.001
"""A frame this little late still counts for its tick; time stamps are rounded that coarsely."""


class ShownFrame(NamedTuple):
    """A frame that is shown at ``ticks`` consecutive ticks of the clock, at least one."""

    frame: SourceFrame
    ticks: int


def on_clock(recording: Recording, frames: Iterable[SourceFrame]) -> Iterator[ShownFrame]:
    """Frames that stand at a tick, in order; the ticks of all of them cover the recording.

    Parameters
    ----------
    recording : Recording
        Tells when its last frame ends, once all frames were taken.
    frames : iterable of SourceFrame
        With increasing times, the first at 0.

    Yields
    ------
    ShownFrame
    """
    shown: SourceFrame | None = None
    tick = 0

    def ticks_before(time_s: float) -> int:
        """Number of ticks from ``tick`` on that lie before ``time_s``."""
        count = 0
        while (tick + count) / FRAME_RATE_HZ < time_s - _EARLY_S:
            count += 1
        return count

    for frame in frames:
        if shown is not None:
            count = ticks_before(frame.time_s)
            if count:
                yield ShownFrame(shown, count)
                tick += count
        shown = frame
    if shown is not None:
        count = ticks_before(recording.end_s)
        # The very first frame always has tick 0, however short it is.
        count = count or int(tick == 0)
        if count:
            yield ShownFrame(shown, count)
