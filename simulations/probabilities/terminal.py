"""The check of probabilities on the terminal, in 80 columns; ± is half a 95 % interval."""

import math
from typing import Final

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from simulations.probabilities.check import Checked, CheckProtocol
from simulations.terminal import print_anywhere

__all__ = ["print_check"]

_NONE: Final = "–"


def print_check(
    protocol: CheckProtocol, checked: list[Checked], console: Console | None = None
) -> None:
    """Print one row a situation.

    Parameters
    ----------
    protocol : CheckProtocol
    checked : list of Checked
    console : Console or None
        Where to print; standard output by default.
    """
    table = Table(
        title="Probabilities of held-out simulated children",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("Study")
    for name in ("slope", "share off\n(points)", "covers\n(lowest)", "tells", "rightly"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in checked:
        table.add_row(
            one.situation,
            f"{one.slope:.2f} ± {(one.slope_high - one.slope_low) / 2:.2f}",
            f"{100 * one.off:+.1f} ± {50 * (one.off_high - one.off_low):.1f}",
            _coverage(one),
            _percent(one.told),
            _percent(one.told_right),
        )
    words = (
        "Slope: of the diagnosis on the stated log-odds, 1 is right. Share off: observed minus "
        "stated share of ASD. Covers: how often the 95 % interval holds what a study of "
        f"{protocol.reference} without noise says of the child, averaged over "
        f"{protocol.recordings} other recordings; below it, the population with the lowest. "
        "Tells: the interval lies on one side of 50 %; rightly: on that of the diagnosis."
    )
    data = (
        f"Data: {protocol.populations} surrogate populations (seeds from {protocol.seed}), "
        f"{protocol.studies} studies and {protocol.held_out} held-out children in each. "
        "After ± stands half the 95 % interval, over populations. Simulated children, not patients."
    )
    print_anywhere(Group(table, Text(), Text(words), Text(), Text(data)), console)


def _coverage(one: Checked) -> str:
    if math.isnan(one.coverage):
        return _NONE
    return f"{_percent(one.coverage)} ({_percent(one.coverage_lowest)})"


def _percent(value: float) -> str:
    return _NONE if math.isnan(value) else f"{100 * value:.0f} %"
