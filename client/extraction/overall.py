"""How far many recordings are, and how long the rest will take, from seconds of video.

What an earlier, interrupted run had done already counts as done, but not as work of this run: only
the work of this run tells how fast it is. A recording whose header does not say how long it is
counts as long as the others are on average.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.extraction.extract import ExtractionProgress

__all__ = ["OverallProgress", "RecordingProgress"]


@dataclass
class RecordingProgress:
    """How far one recording is.

    Attributes
    ----------
    total_s : float or None
        Its length.
    done_s : float
        Read until now, by this run or an earlier one.
    frames_per_s : float
        Of this run; 0 before the first are done.
    left_s : float or None
        Time until it is done; None when that cannot be told yet.
    worked_s : float
        Seconds of it that this run read.
    """

    total_s: float | None = None
    done_s: float = 0.0
    frames_per_s: float = 0.0
    left_s: float | None = None
    worked_s: float = 0.0
    _began: float | None = None

    def step(self, now: float, state: "ExtractionProgress") -> None:
        """Take over a report."""
        self.total_s = state.total_s if state.total_s is not None else self.total_s
        self.done_s = state.done_s
        frames = state.frames - state.resumed_frames
        if frames <= 0:
            return
        self._began = now if self._began is None else self._began
        self.worked_s = state.done_s * frames / state.frames
        elapsed = now - self._began
        if elapsed > 0 and self.worked_s > 0:
            self.frames_per_s = frames / elapsed
            if self.total_s is not None:
                self.left_s = max(self.total_s - self.done_s, 0.0) * elapsed / self.worked_s

    @property
    def share(self) -> float | None:
        """0 to 1; None when its length is unknown."""
        return min(self.done_s / self.total_s, 1.0) if self.total_s else None


class OverallProgress:
    """How far a list of recordings is.

    Parameters
    ----------
    participants : collection of str
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self, participants: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._length_s: dict[str, float | None] = dict.fromkeys(participants)
        self._ended: set[str] = set()
        self._worked_s = 0.0
        self._began: float | None = None
        self.running: dict[str, RecordingProgress] = {}

    @property
    def recordings(self) -> int:
        """How many there are."""
        return len(self._length_s)

    @property
    def ended(self) -> int:
        """How many have an outcome."""
        return len(self._ended)

    def length(self, participant: str, seconds: float | None) -> None:
        """Take over what a header says."""
        self._length_s[participant] = seconds

    def begin(self, participant: str) -> None:
        """One is being read."""
        self.running[participant] = RecordingProgress(self._length_s[participant])

    def step(self, participant: str, state: "ExtractionProgress") -> None:
        """One is so far."""
        now = self._clock()
        self.running[participant].step(now, state)
        if self._began is None and self.running[participant].worked_s:
            self._began = now

    def end(self, participant: str) -> None:
        """One is done, in whatever way."""
        self._ended.add(participant)
        recording = self.running.pop(participant, None)
        if recording is not None:
            self._worked_s += recording.worked_s

    @property
    def share(self) -> float | None:
        """Part of all video that is done, 0 to 1; None when no length is known."""
        done_s, total_s = self._done_and_total_s()
        return min(done_s / total_s, 1.0) if total_s else None

    @property
    def left_s(self) -> float | None:
        """Time until all is done; None when that cannot be told yet."""
        worked_s = self._worked_s + sum(one.worked_s for one in self.running.values())
        if self._began is None or worked_s <= 0:
            return None
        done_s, total_s = self._done_and_total_s()
        return max(total_s - done_s, 0.0) * (self._clock() - self._began) / worked_s

    def _done_and_total_s(self) -> tuple[float, float]:
        known = [length for length in self._length_s.values() if length is not None]
        usual_s = sum(known) / len(known) if known else 0.0
        expected = {
            name: usual_s if length is None else length for name, length in self._length_s.items()
        }
        done_s = sum(expected[name] for name in self._ended)
        done_s += sum(min(one.done_s, expected[name]) for name, one in self.running.items())
        return done_s, sum(expected.values())
