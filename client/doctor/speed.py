"""How long the recordings will take here: measured on a clip, with the extraction that reads them.

The clip shows a drawn face and is made in a temporary folder, which is removed again; so decoder,
face detector, tracking, network and the writing of attributes all do what they do on a recording.
"""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from client.doctor.clip import ClipKind, make_clip, missing_encoder
from client.doctor.headers import Header, commonest_kind
from client.doctor.ladder import Found
from client.extraction.batch import Recipe, extract_all
from client.extraction.capacity import capacity, plan_jobs
from client.extraction.extraction_view import in_words
from client.extraction.outcome import Outcome, ToExtract
from shared.channels import FRAME_RATE_HZ
from shared.errors import FedaffectError

if TYPE_CHECKING:
    from client.doctor.site import SiteRecordings
    from client.extraction.extract import ExtractionProgress

__all__ = ["RECORDINGS", "Speed", "check_speed", "measure_speed"]

RECORDINGS: Final = 88
_RECORDING_S: Final = 6.5 * 60
"""What is estimated without a site folder: the study this program reproduces."""

_SLOW: Final = 0.5
"""Times real time, below which a clinic should know before it begins."""

_CLIP_S: Final = 240.0
"""Longer than any computer reads in the measured time; what is not needed is not read."""
_WARM_UP_S: Final = 1.5
_MEASURED_S: Final = 6.0

_BUSY: Final = 0.5
"""Programs that want to compute, for each core, from which on they slow the measurement down."""


class Speed(NamedTuple):
    """How fast recordings are read here.

    Attributes
    ----------
    times_real_time : float
        Seconds of recording that are read in a second, all jobs together.
    frames_per_s : float
        The same in frames of the 24 Hz clock.
    """

    times_real_time: float
    frames_per_s: float

    def needs_s(self, recorded_s: float) -> float:
        """Seconds for so many seconds of recording."""
        return recorded_s / self.times_real_time


def check_speed(
    recipe: Callable[[int], Recipe],
    recordings: "SiteRecordings | None" = None,
    *,
    jobs: str = "auto",
    threads: int | None = None,
    measure: "Callable[..., Speed] | None" = None,
) -> Found:
    """Measure, and say how long the clinic's recordings will take.

    Parameters
    ----------
    recipe : callable
        Gives the recipe of an extractor whose network has so many threads.
    recordings : SiteRecordings, optional
        Those of the site; without them 88 of 6.5 minutes.
    jobs, threads
        As ``extract`` has them.
    measure : callable, optional
        ``measure_speed``.

    Raises
    ------
    FedaffectError
        When the clip cannot be read.
    """
    kind, alike, headers, what = _what_to_read(recordings)
    there = capacity()
    plan = plan_jobs(len(headers) or RECORDINGS, there, jobs=jobs, threads=threads)
    busy = _load() > _BUSY * there.cores
    speed = (measure or measure_speed)(recipe(plan.threads), kind, jobs=plan.jobs)
    recorded_s = _recorded_s(headers)
    needs_s = speed.needs_s(recorded_s)
    text = (
        f"{what} will take about {in_words(needs_s)} here: {speed.frames_per_s:.0f} frames/s, "
        f"{speed.times_real_time:.1f} times as fast as they are played, {plan.jobs} at a time; "
        f"measured on a drawn clip, {_kind_in_words(kind)}"
    )
    if alike:
        text += f", as {alike} of them are"
    if busy:
        text += "; other programs were busy meanwhile, without them it will be faster"
    numbers = {
        "recordings": len(headers) or RECORDINGS,
        "recorded_s": round(recorded_s, 1),
        "estimate_s": round(needs_s, 1),
        "times_real_time": round(speed.times_real_time, 3),
        "frames_per_s": round(speed.frames_per_s, 1),
        "jobs": plan.jobs,
        "threads": plan.threads,
        "clip": kind._asdict(),
        "other_programs_busy": busy,
    }
    if speed.times_real_time < _SLOW:
        return Found(text, "warning", "let it run overnight, or use a faster computer", numbers)
    return Found(text, numbers=numbers)


def measure_speed(
    recipe: Recipe,
    kind: ClipKind | None = None,
    *,
    jobs: int = 1,
    warm_up_s: float = _WARM_UP_S,
    measured_s: float = _MEASURED_S,
    clock: Callable[[], float] = time.monotonic,
) -> Speed:
    """Read a clip for some seconds, with as many jobs at once as the extraction has.

    Parameters
    ----------
    recipe : Recipe
        Opens the extractor, as for recordings.
    kind : ClipKind, optional
        How the clip is stored; 720p at 24 Hz in H.264 by default.
    jobs : int
        Recordings read at once.
    warm_up_s, measured_s : float
        Seconds that are waited for after all jobs began, and that are measured then.
    clock : callable

    Raises
    ------
    FedaffectError
        When the clip cannot be read.
    OSError
        When the clip cannot be written.
    """
    kind = kind or ClipKind()
    with TemporaryDirectory(prefix="fedaffect-doctor-") as folder:
        clip, out = Path(folder) / "clip.mp4", Path(folder) / "out"
        out.mkdir()
        make_clip(str(clip), kind, round(_CLIP_S * kind.rate_hz))
        watch = _Watch(jobs, warm_up_s, measured_s, clock)
        clips = [ToExtract(f"clip {number}", clip) for number in range(jobs)]
        with contextlib.suppress(_Enough):
            extract_all(clips, out, recipe, jobs=jobs, view=watch, check=watch.check)
        return watch.speed()


def _what_to_read(
    recordings: "SiteRecordings | None",
) -> tuple[ClipKind, int, tuple[Header, ...], str]:
    """Kind of clip, how many recordings are of that kind, the recordings, and they in words."""
    if recordings is None or not recordings.headers:
        return ClipKind(), 0, (), f"{RECORDINGS} recordings of {_RECORDING_S / 60:g} min"
    headers = recordings.to_do or recordings.headers
    kind, alike = commonest_kind(headers)
    if missing_encoder(kind.codec) is not None:
        kind, alike = kind._replace(codec="h264"), 0
    plural = "s" if len(headers) > 1 else ""
    length = f"({len(headers)} recording{plural}, {in_words(_recorded_s(headers))} in all)"
    what = "what is not extracted yet" if recordings.to_do else "all is extracted; to do it again"
    return kind, alike, headers, f"{what} {length}"


def _recorded_s(headers: tuple[Header, ...]) -> float:
    """Length of all; one whose header does not tell counts as the mean of the others."""
    if not headers:
        return RECORDINGS * _RECORDING_S
    known = [header.length_s for header in headers if header.length_s]
    return len(headers) * (sum(known) / len(known) if known else _RECORDING_S)


def _kind_in_words(kind: ClipKind) -> str:
    name = {"h264": "H.264", "hevc": "HEVC"}[kind.codec]
    return (
        f"{kind.width} x {kind.height}, {kind.rate_hz:g} pictures/s, {name}, "
        f"{kind.bits_per_s / 1e6:.1f} Mbit/s"
    )


def _load() -> float:
    """Programs that wanted to compute in the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


class _Enough(Exception):
    """The measured time is over."""


@dataclass
class _Watch:
    """The view of a batch that only counts."""

    jobs: int
    warm_up_s: float
    measured_s: float
    clock: Callable[[], float]
    _now: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When each clip last reported, and how many seconds of it were done then."""
    _start: dict[str, tuple[float, float]] = field(default_factory=dict)
    _warm_from: float | None = None
    _fault: str = ""

    def length(self, participant: str, seconds: float | None) -> None: ...

    def begin(self, participant: str) -> None: ...

    def step(self, participant: str, state: "ExtractionProgress") -> None:
        now = self.clock()
        self._now[participant] = (now, state.done_s)
        if len(self._now) < self.jobs:
            return
        if self._warm_from is None:
            self._warm_from = now
        if now - self._warm_from >= self.warm_up_s:
            self._start.setdefault(participant, self._now[participant])

    def end(self, outcome: Outcome) -> None:
        if outcome.status == "failed":
            self._fault = outcome.text

    def check(self) -> None:
        if self._fault or (
            len(self._start) == self.jobs
            and min(self._now[name][0] - began for name, (began, _) in self._start.items())
            >= self.measured_s
        ):
            raise _Enough

    def speed(self) -> Speed:
        if self._fault:
            raise FedaffectError(f"a clip made here could not be read: {self._fault}")
        rates = [
            (self._now[name][1] - done_s) / (self._now[name][0] - began)
            for name, (began, done_s) in self._start.items()
            if self._now[name][0] > began
        ]
        if len(rates) < self.jobs or min(rates) <= 0:
            raise FedaffectError("the clip made here was read too fast, or not at all, to measure")
        return Speed(sum(rates), sum(rates) * FRAME_RATE_HZ)
