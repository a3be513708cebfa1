"""One result on the screen, for staff who know no statistics: number, caution, reasons, caution."""

from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from client.prediction.predicting import NoPrediction, Prediction
from client.prediction.probability import OTHER_SHARES, LogOdds, Stated
from client.prediction.words import GROUP_TITLES, channel_parts, group_parts
from client.quality.verdict import clock
from shared.model_file import ModelFile

__all__ = ["print_prediction", "print_refusal"]

_NAMED: Final = 5
_WIDTH: Final = 80
_CAUTION: Final = (
    "NOT A DIAGNOSIS. This is a research number from one recording. Only an examination by "
    "specialists can tell whether a child has ASD."
)
_END: Final = "NOT A DIAGNOSIS. Decide nothing about a child on account of this number."


def print_prediction(prediction: Prediction, console: Console) -> None:
    """Print a prediction."""
    say = _Page(console)
    say.caution(_CAUTION)
    if prediction.surrogate:
        say.warning("This is a simulated child, not a person.")
    _print_origin(prediction, say)
    for warning in prediction.warnings:
        say.warning(warning)
    if prediction.warnings:
        say.gap()
    _print_probability(prediction, say)
    _print_parts(prediction, say)
    _print_reading(prediction, say)
    say.caution(_END)


def print_refusal(participant: str, error: NoPrediction, console: Console) -> None:
    """Print why there is no number."""
    say = _Page(console)
    say.caution(_CAUTION)
    say.text(f"{_printable(participant)}: no number is given.", style="bold")
    for reason in error.reasons:
        say.text(f"  {reason}")
    say.text("Record again, or look at the recording with `fedaffect-client quality`.")


class _Page:
    """Lines of at most 80 columns; a narrower window gets narrower ones."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = min(_WIDTH, console.width)

    def caution(self, text: str) -> None:
        self._console.print(Panel(Text(text), box=box.HEAVY, width=self.width, style="bold"))

    def text(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), width=self.width)

    def warning(self, text: str) -> None:
        line = Text.assemble(("! ", "bold yellow"), (text, "yellow"))
        self._console.print(Padding(line, (0, 0, 0, 0)), width=self.width)

    def table(self, table: Table) -> None:
        self._console.print(table, width=self.width)

    def gap(self) -> None:
        self._console.print()


def _print_origin(prediction: Prediction, say: _Page) -> None:
    measures = prediction.measures
    table = _plain_table()
    recording = (
        f"{_printable(prediction.participant)}, {clock(measures.duration_s)} min, face seen in "
        f"{100 * measures.face_share:.0f} %, {prediction.verdict.level}"
    )
    # As texts: brackets in a name are no mark-up.
    table.add_row("Recording", Text(recording))
    table.add_row("Model", Text(_model_in_words(prediction.model_file)))
    say.table(table)
    say.gap()


def _model_in_words(model_file: ModelFile) -> str:
    study = model_file.study
    privacy = "without privacy" if study.epsilon is None else f"ε = {study.epsilon:g}"
    clinics = len(study.clinics)
    return (
        f"{model_file.title} (study {study.digest[:12]}), {study.participants} children of "
        f"{clinics} clinics, {privacy}"
    )


def _print_probability(prediction: Prediction, say: _Page) -> None:
    log_odds = prediction.log_odds
    stated = log_odds.stated
    among = ""
    if log_odds.asd_share is not None:
        among = f", if {_percent(log_odds.asd_share)} of the children seen have it"
    say.text(
        f"Probability of ASD: {_percent(stated.probability)} "
        f"(95 % interval {_range(stated)}){among}",
        style="bold",
    )
    say.text(_verdict(log_odds), style="bold")
    say.gap()
    if log_odds.asd_share is None:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Children with ASD among those seen")
    table.add_column("probability", justify="right")
    table.add_column("95 % interval", justify="right")
    for share in (log_odds.asd_share, *OTHER_SHARES):
        where = _percent(share)
        if share == log_odds.asd_share:
            where += ", as in the simulated studies"
        at = log_odds.at(share)
        table.add_row(where, _percent(at.probability), _range(at))
    say.table(table)
    say.gap()


def _verdict(log_odds: LogOdds) -> str:
    if log_odds.tells == "neither":
        return "This recording does not tell: the interval lies on both sides of 50 %."
    return f"The whole interval lies on the side of {log_odds.tells}."


def _print_parts(prediction: Prediction, say: _Page) -> None:
    attribution = prediction.attribution
    say.text("What moved the number", style="bold")
    say.text(
        "Parts of the log-odds: + speaks for ASD in this model, − against it. Together they give "
        "the probability: 0 is 50 %, +1 is 73 %, +2 is 88 %, +3 is 95 %.",
        style="dim",
    )
    table = _plain_table()
    for group, part in group_parts(attribution).items():
        table.add_row(_signed(part), GROUP_TITLES[group])
    table.add_row(_signed(attribution.rest), "the same for every child")
    table.add_row(_signed(attribution.score), "together", style="bold")
    say.table(table)
    say.gap()
    say.text(f"The {_NAMED} channels that moved it most", style="bold")
    table = _plain_table()
    for one in channel_parts(attribution)[:_NAMED]:
        table.add_row(_signed(one.part), f"{one.words}; towards {one.towards}")
    say.table(table)
    say.text(
        f"Average: of the comparison group, {_printable(prediction.model_file.constants.source)}. "
        "The model found such differences together with the diagnosis in its study. They need not "
        "have anything to do with ASD in this child.",
        style="dim",
    )


def _print_reading(prediction: Prediction, say: _Page) -> None:
    say.gap()
    calibration = prediction.calibration
    if calibration is None:
        say.text(
            "The model was trained without privacy, for simulations. Its probability was not "
            "calibrated, and the interval says only how the child happened to be in this "
            "recording: what other participants would have changed is not in it.",
            style="dim",
        )
        return
    say.text(
        "The probability was calibrated on simulated children (surrogate), "
        f"{_percent(calibration.asd_share)} of them with ASD. Real children may differ, and so "
        "may the share in the real study. The interval says where a study with very many children "
        "and no privacy noise might put this child, averaged over recordings.",
        style="dim",
    )
    for difference in calibration.differences:
        say.warning(difference)


def _plain_table() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _percent(value: float) -> str:
    if value < 0.005:
        return "<1 %"
    return ">99 %" if value > 0.995 else f"{100 * value:.0f} %"


def _range(stated: Stated) -> str:
    return f"{_percent(stated.low)} to {_percent(stated.high)}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _printable(text: str) -> str:
    """A name from a file without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
