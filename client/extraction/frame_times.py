"""From the time stamps of a recording's frames to seconds after the first of them.

Everything measured later is a change over time, so a recording whose stamps cannot be believed is
refused rather than read with wrong times.
"""

from typing import Any, Final

from shared.errors import InputError

__all__ = ["CONVERT", "FrameTimes"]

CONVERT: Final = "convert it with a video program, or record again"
"""What to do about a recording that other programs may play."""

_LONGEST_S: Final = 24 * 3600.0
_LONGEST_FRAME_S: Final = 10.0
"""While one frame is shown for longer, nothing was recorded, or the next one's stamp is broken."""
_FURTHEST_BACK_S: Final = 1.0
_MAXIMUM_REPEATED_SHARE: Final = 0.5


class FrameTimes:
    """Times of frames, asked for in the order in which they come out of the decoder.

    Parameters
    ----------
    time_base_s : float
        Seconds of one unit of the stamps.
    step_s : float
        From one frame to the next where a stamp is missing.
    by_order : bool
        AVI has no times at which frames are shown, it only counts them in the order of decoding.
    """

    def __init__(self, time_base_s: float, step_s: float, *, by_order: bool = False) -> None:
        self._base = time_base_s
        self._step_s = step_s
        self._stamp = "dts" if by_order else "pts"
        self._start: float | None = None
        self._last = 0.0
        self._kept = 0
        self._repeated = 0

    def of(self, picture: Any) -> float | None:
        """When a picture is shown, seconds; None when another one is shown at that moment.

        Raises
        ------
        InputError
            When stamps go back, leave a gap of more than 10 s, or pass 24 h.
        """
        stamp = getattr(picture, self._stamp)
        if self._start is None:
            self._start = (stamp or 0) * self._base
            self._kept = 1
            return 0.0
        time_s = self._last + self._step_s if stamp is None else stamp * self._base - self._start
        self._refuse_jumps(time_s)
        if time_s <= self._last:
            # Two frames for one moment: a broken stamp; the first one is kept.
            self._repeated += 1
            return None
        self._last = time_s
        self._kept += 1
        return time_s

    def length_s(self, picture: Any) -> float:
        """How long a picture is shown, as far as the file says."""
        stated = float(picture.duration or 0) * self._base
        return stated if 0 < stated < _LONGEST_FRAME_S else self._step_s

    def check(self) -> None:
        """Look at all frames together, at the end.

        Raises
        ------
        InputError
            When most frames have no time of their own.
        """
        frames = self._kept + self._repeated
        if self._repeated > _MAXIMUM_REPEATED_SHARE * frames:
            raise InputError(
                f"{self._repeated} of its {frames} frames have no time of their own; {CONVERT}"
            )

    def _refuse_jumps(self, time_s: float) -> None:
        if time_s < self._last - _FURTHEST_BACK_S:
            raise InputError(
                f"after {self._last:.1f} s its time stamps go back by {self._last - time_s:.1f} s, "
                f"as when two recordings were joined; {CONVERT}"
            )
        if time_s > self._last + _LONGEST_FRAME_S:
            raise InputError(
                f"after {self._last:.1f} s nothing is recorded for {time_s - self._last:.0f} s, or "
                f"its time stamps jump; {CONVERT}"
            )
        if time_s > _LONGEST_S:
            raise InputError(
                f"it is longer than {_LONGEST_S / 3600:.0f} h; cut out the part that is to be read"
            )
