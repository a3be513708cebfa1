"""Many recordings, several at once, one outcome each: a bad file never stops the others.

Every recording is read in a worker process, also when it is the only one, because a decoder that
crashes takes its process along. Results stay in the worker, which writes the attribute file itself;
only progress and the outcome come back.

A recording whose attributes are already there, made from the same video with the same weights,
software and parameters, is skipped. One that was interrupted goes on behind its last finished
stretch.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from client.extraction.outcome import Outcome, ToExtract, extract_recording
from client.extraction.participant_lock import clear_leftovers
from client.extraction.recording import VIDEO_SUFFIXES, open_recording
from client.extraction.workers import Begun, Died, Done, Handler, Progressed, WorkerPool
from shared.errors import FedaffectError, InputError

if TYPE_CHECKING:
    from client.extraction.extract import ExtractionProgress, Extractor

__all__ = ["BatchView", "Recipe", "extract_all", "find_recordings"]

_REPORT_EVERY_S: Final = 0.2
_SIGKILL: Final = int(getattr(signal, "SIGKILL", 9))


class Recipe(Protocol):
    """Opens an extractor; picklable. ``client.extraction.recipe`` has the real one."""

    def open(self) -> "Extractor":
        """Open it in this process."""
        ...


class BatchView(Protocol):
    """Whom ``extract_all`` tells what happens, in this order for each recording."""

    def length(self, participant: str, seconds: float | None) -> None:
        """What the header says how long it is; None when it does not."""
        ...

    def begin(self, participant: str) -> None:
        """It is being read now."""
        ...

    def step(self, participant: str, state: "ExtractionProgress") -> None:
        """How far it is; a few times a second."""
        ...

    def end(self, outcome: Outcome) -> None:
        """What became of it."""
        ...


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Recordings named by ``paths``: files as they are, folders with all recordings in them.

    Raises
    ------
    InputError
        When a folder holds no recording, or two recordings have the same participant name.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in VIDEO_SUFFIXES and not file.name.startswith(".")
        )
        root = path.resolve()
        for file in inside:
            if not file.resolve().is_relative_to(root):
                raise InputError(
                    f"{file} is a link that leads out of the folder; take it away, or name the "
                    "file it leads to"
                )
        if not inside:
            known = " ".join(sorted(VIDEO_SUFFIXES))
            raise InputError(f"{path}: no recording in this folder (looked for {known})")
        found.extend(inside)
    by_name: dict[str, Path] = {}
    for file in found:
        other = by_name.setdefault(file.stem, file)
        if other is not file and other.absolute() != file.absolute():
            raise InputError(
                f"{other} and {file} would both be participant {file.stem}; give one another name"
            )
    return list(by_name.values())


def extract_all(
    recordings: Sequence[ToExtract],
    out: Path,
    recipe: Recipe,
    *,
    jobs: int = 1,
    view: BatchView | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Extract every recording into ``out``, one Parquet file each.

    Parameters
    ----------
    recordings : sequence of ToExtract
        Each participant once.
    out : Path
        Folder for the attribute files, named after the participants.
    recipe : Recipe
        Opened in every worker.
    jobs : int
        Recordings that are read at once.
    view : BatchView, optional
        Is told what happens.
    check : callable, optional
        Called several times a second; what it raises stops the workers and is raised here. What
        was finished until then, also of a recording that was being read, stays on the disk.

    Returns
    -------
    list of Outcome
        In the order of ``recordings``.

    Raises
    ------
    InputError
        When the recipe cannot be opened; then nothing was read.
    """
    view = view or _Nobody()
    outcomes: dict[str, Outcome] = {}
    try:
        with WorkerPool[_Length | _Attributes](_Reading(recipe, out), jobs) as pool:
            for recording in recordings:
                pool.add(_Length(recording))
            for event in pool.events():
                check()
                match event:
                    case Done(_Length(recording), seconds):
                        view.length(recording.participant, seconds)
                        pool.add(_Attributes(recording))
                    case Begun(_Attributes(recording)):
                        view.begin(recording.participant)
                    case Progressed(_Attributes(recording), state):
                        view.step(recording.participant, state)
                    case Done(_Attributes(recording), outcome):
                        outcomes[recording.participant] = outcome
                        view.end(outcome)
                    case Died(_Length(recording) | _Attributes(recording)):
                        outcome = _death(event, recording)
                        outcomes[recording.participant] = outcome
                        view.end(outcome)
    finally:
        # The workers are dead now, and the locks of those that were killed are free.
        for recording in recordings:
            clear_leftovers(out, recording.participant)
    return [outcomes[recording.participant] for recording in recordings]


@dataclass(frozen=True)
class _Length:
    """Task: how long is it? Headers are read first, so that the time left can be told."""

    recording: ToExtract


@dataclass(frozen=True)
class _Attributes:
    """Task: read it."""

    recording: ToExtract


@dataclass(frozen=True)
class _Reading:
    """What a worker does."""

    recipe: Recipe
    out: Path

    def open(self) -> Handler:
        try:
            extractor = self.recipe.open()
        except FedaffectError:
            raise
        except Exception as error:
            raise InputError(
                f"the program cannot read recordings on this computer ({type(error).__name__}: "
                f"{error})"
            ) from None

        def handle(task: _Length | _Attributes, report: Callable[[object], None]) -> object:
            if isinstance(task, _Length):
                return _length_s(task.recording.video)
            seldom = _Seldom(report)
            return extract_recording(task.recording, self.out, extractor, report=seldom)

        return handle


class _Seldom:
    """Passes on a report now and then: a recording makes hundreds a second."""

    def __init__(self, report: Callable[[object], None]) -> None:
        self._report = report
        self._next_s = 0.0

    def __call__(self, state: "ExtractionProgress") -> None:
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _REPORT_EVERY_S
            self._report(state)


class _Nobody:
    """The view of someone who does not look."""

    def length(self, participant: str, seconds: float | None) -> None: ...

    def begin(self, participant: str) -> None: ...

    def step(self, participant: str, state: "ExtractionProgress") -> None: ...

    def end(self, outcome: Outcome) -> None: ...


def _length_s(video: Path) -> float | None:
    try:
        with open_recording(video) as recording:
            return recording.duration_s
    except Exception:
        # Its outcome says what is wrong, when its turn comes.
        return None


def _death(event: Died[_Length | _Attributes], recording: ToExtract) -> Outcome:
    if not event.started:
        text = (
            f"the program that reads it could not be started ({_how(event.exit_code)}); close "
            "other programs, then run the same command again"
        )
    elif event.exit_code == -_SIGKILL:
        text = (
            f"the program that read it was stopped ({_how(event.exit_code)}), perhaps because "
            "memory ran out; close other programs, then run the same command again with --jobs 1"
        )
    else:
        text = (
            f"the program that read it was stopped ({_how(event.exit_code)}); the file may be "
            "damaged: convert it with a video program, or copy it again"
        )
    return Outcome(recording.video, recording.participant, "failed", text)


def _how(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"code {exit_code}"
