import io
from pathlib import Path

import pytest
from rich.console import Console

from client.extraction import extraction_view
from client.extraction.extract import ExtractionProgress
from client.extraction.extraction_view import BarView, LineView, in_words, open_view
from client.extraction.outcome import Outcome


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)


@pytest.fixture
def log():
    return Console(file=io.StringIO(), width=80)


def outcome(name, status="extracted", text="face in 1.0 of 2.0 s (50%)", **more):
    return Outcome(Path(name), name, status, text, **more)


def lines(console):
    return console.file.getvalue().splitlines()


def test_there_is_a_bar_for_all_and_one_for_each_that_is_read(terminal, clock):
    name = "[bold]a pseudonym that is longer than its column"
    view = BarView([name, "P2", "P3"], terminal, terminal, clock)
    for participant in (name, "P2"):
        view.length(participant, 60.0)
        view.begin(participant)
        view.step(participant, ExtractionProgress(0.5, 60.0, 12))
    clock.now = 10.0
    view.step(name, ExtractionProgress(20.0, 60.0, 480))
    shown = Console(file=io.StringIO(), width=80)
    shown.print(view._bars.get_renderable())
    first, second, third = (line.split() for line in lines(shown))
    assert (first[:4], first[-2:]) == (["0", "of", "3", "done"], ["min", "left"])
    assert second[:2] == ["[bold]a", "pseudonym"]
    assert second[-7:] == ["33", "%", "48", "frames/s", "20", "s", "left"]
    assert (third[0], third[-2:]) == ("P2", ["0", "%"])
    assert max(map(len, lines(shown))) <= 80


def test_one_that_is_done_becomes_a_line_above_the_bars(terminal, clock):
    with BarView(["P1", "P2"], terminal, terminal, clock) as view:
        view.begin("P1")
        view.end(outcome("P1", frames=100, seconds=2.0))
        view.end(outcome("P2", "failed", "the file [red] is text"))
        shown = terminal.file.getvalue()
        assert "P1: face in 1.0 of 2.0 s (50%), 50 frames/s\n" in shown
        assert "P2: the file [red] is text\n" in shown
        (bar,) = view._bars.tasks
        assert bar.fields["name"] == "2 of 2 done"


def test_outcomes_in_a_file_are_not_drawn_on_the_terminal(terminal, log, clock):
    with BarView(["P1"], log, terminal, clock) as view:
        view.begin("P1")
        view.end(outcome("P1", "skipped", "already extracted from this video"))
    assert lines(log) == ["skipped P1: already extracted from this video"]
    assert "already" not in terminal.file.getvalue()


def test_a_log_gets_a_line_when_something_begins_or_ends_and_one_a_minute(log, clock):
    printed = Console(file=io.StringIO(), width=80)
    with LineView(["P1", "P2", "P3"], printed, log, clock) as view:
        view.length("P1", 600.0)
        view.length("P2", 600.0)
        view.begin("P1")
        view.begin("P2")
        for second in range(150):
            clock.now = second
            view.step("P1", ExtractionProgress(2.0 * second, 600.0, 48 * second))
            view.step("P2", ExtractionProgress(second, None, 24 * second))
        view.end(outcome("P1", "no face", "no face in any of its 600.0 s"))
    assert lines(log) == [
        "reading P1 (1 of 3)",
        "reading P2 (2 of 3)",
        "0 of 3 done, 9 min left; now P1 20 %, P2 9 %",
        "0 of 3 done, 8 min left; now P1 40 %, P2 19 %",
    ]
    assert lines(printed) == ["no face P1: no face in any of its 600.0 s"]


@pytest.mark.parametrize(
    ("is_terminal", "dumb", "kind"),
    [(True, "", BarView), (True, "dumb", LineView), (False, "", LineView)],
)
def test_bars_are_for_terminals_that_can_draw_them(monkeypatch, log, is_terminal, dumb, kind):
    console = Console(file=io.StringIO(), force_terminal=is_terminal, _environ={"TERM": dumb})
    monkeypatch.setattr(extraction_view, "stderr", console)
    assert type(open_view(["P1"], log)) is kind


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3599, "1 h 00 min"), (4200, "1 h 10 min")],
)
def test_lengths_of_time_in_words(seconds, words):
    assert in_words(seconds) == words
