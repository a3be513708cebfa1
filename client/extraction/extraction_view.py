"""What a person sees while recordings are read: bars on a terminal, now and then a line in a log.

Bars go to stderr, so that what is printed for each recording can be kept in a file by itself.
"""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from client.extraction.overall import OverallProgress
from shared.console import stderr

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from client.extraction.extract import ExtractionProgress
    from client.extraction.outcome import Outcome

__all__ = ["BarView", "LineView", "in_words", "open_view"]

_MARKS: Final = {
    "extracted": "[green]ok[/]",
    "skipped": "[cyan]skipped[/]",
    "no face": "[yellow]no face[/]",
    "failed": "[bold red]failed[/]",
}
_LINE_EVERY_S: Final = 60.0
_NAME_WIDTH: Final = 22


def open_view(participants: Collection[str], outcomes: Console) -> "BarView | LineView":
    """The view that fits where stderr goes.

    Parameters
    ----------
    participants : collection of str
        All whose recordings are to be read.
    outcomes : Console
        Gets a line for each recording that is done.
    """
    live = stderr.is_terminal and not stderr.is_dumb_terminal
    return (BarView if live else LineView)(participants, outcomes)


class BarView:
    """A bar for all recordings, and one for each that is being read.

    Parameters
    ----------
    participants : collection of str
    outcomes : Console
    console : Console
        A terminal, for the bars.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        participants: Collection[str],
        outcomes: Console,
        console: Console = stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = OverallProgress(participants, clock)
        # On a terminal the lines must go through the console that draws the bars, or they would be
        # written across them; into a file they go by themselves.
        self._outcomes = console if outcomes.is_terminal else outcomes
        self._bars = Progress(
            _text("name", max_width=_NAME_WIDTH, overflow="ellipsis"),
            BarColumn(bar_width=None),
            # Wide enough for what they hold usually, so that the bars keep their length.
            _text("share", "right", min_width=5),
            _text("rate", "right", min_width=12),
            _text("left", "right", min_width=11),
            console=console,
            transient=True,
            expand=True,
            redirect_stdout=False,
        )
        self._all = self._add("getting ready", None)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "BarView":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def length(self, participant: str, seconds: float | None) -> None:
        """Its header was read."""
        self._state.length(participant, seconds)

    def begin(self, participant: str) -> None:
        """It gets a bar."""
        self._state.begin(participant)
        self._tasks[participant] = self._add(participant, self._state.running[participant].total_s)
        self._draw_all()

    def step(self, participant: str, state: "ExtractionProgress") -> None:
        """Its bar and that of all move."""
        self._state.step(participant, state)
        one = self._state.running[participant]
        self._bars.update(
            self._tasks[participant],
            total=one.total_s,
            completed=one.done_s,
            share=_percent(one.share),
            rate=f"{one.frames_per_s:.0f} frames/s" if one.frames_per_s else "",
            left=_left(one.left_s),
        )
        self._draw_all()

    def end(self, outcome: "Outcome") -> None:
        """It gets a line instead of a bar."""
        self._state.end(outcome.participant)
        task = self._tasks.pop(outcome.participant, None)
        if task is not None:
            self._bars.remove_task(task)
        self._draw_all()
        _print_outcome(self._outcomes, outcome)

    def _add(self, name: str, total: float | None) -> TaskID:
        return self._bars.add_task("", total=total, name=name, share="", rate="", left="")

    def _draw_all(self) -> None:
        share = self._state.share
        self._bars.update(
            self._all,
            name=f"{self._state.ended} of {self._state.recordings} done",
            total=None if share is None else 1.0,
            completed=share or 0.0,
            share=_percent(share),
            left=_left(self._state.left_s),
        )


class LineView:
    """Lines for a log: when a recording begins and ends, and one a minute at most in between.

    Parameters
    ----------
    participants : collection of str
    outcomes : Console
    console : Console
        For the other lines.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        participants: Collection[str],
        outcomes: Console,
        console: Console = stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = OverallProgress(participants, clock)
        self._outcomes = outcomes
        self._console = console
        self._clock = clock
        self._begun = 0
        self._next_line_s = clock() + _LINE_EVERY_S

    def __enter__(self) -> "LineView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def length(self, participant: str, seconds: float | None) -> None:
        """Its header was read."""
        self._state.length(participant, seconds)

    def begin(self, participant: str) -> None:
        """A line says so."""
        self._state.begin(participant)
        self._begun += 1
        self._print(f"reading {participant} ({self._begun} of {self._state.recordings})")

    def step(self, participant: str, state: "ExtractionProgress") -> None:
        """A line when the last one was a minute ago."""
        self._state.step(participant, state)
        now = self._clock()
        if now < self._next_line_s:
            return
        self._next_line_s = now + _LINE_EVERY_S
        running = ", ".join(
            f"{name} {_percent(one.share)}".strip() for name, one in self._state.running.items()
        )
        parts = [f"{self._state.ended} of {self._state.recordings} done", _left(self._state.left_s)]
        self._print(f"{', '.join(filter(None, parts))}; now {running}")

    def end(self, outcome: "Outcome") -> None:
        """A line says what became of it."""
        self._state.end(outcome.participant)
        _print_outcome(self._outcomes, outcome)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def in_words(seconds: float) -> str:
    """A length of time as a person says it, such as ``1 h 10 min``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{minutes} min"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{in_words(seconds)} left"


def _percent(share: float | None) -> str:
    # Down, so that 100 % means done.
    return "" if share is None else f"{int(share * 100)} %"


def _text(field: str, justify: "JustifyMethod" = "left", **column: Any) -> TextColumn:
    shown = Column(no_wrap=True, **column)
    text = f"{{task.fields[{field}]}}"
    return TextColumn(text, justify=justify, markup=False, table_column=shown)


def _print_outcome(console: Console, outcome: "Outcome") -> None:
    rate = ""
    if outcome.frames and outcome.seconds > 0:
        rate = f", {outcome.frames / outcome.seconds:.0f} frames/s"
    # In one piece: between two, bars would be drawn.
    line = Text.from_markup(_MARKS[outcome.status])
    line.append(f" {outcome.participant}: {outcome.text}{rate}")
    console.print(line, soft_wrap=True)
