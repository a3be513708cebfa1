"""``fedaffect-sim compare``: private mechanisms side by side."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import InputError
from simulations.commands.options import (
    check_delta,
    check_out,
    command_line,
    parse_epsilons,
    progress_bar,
)

if TYPE_CHECKING:
    from simulations.compare.constants import Quality

__all__ = ["compare_command"]

_FEWEST_PARTICIPANTS = 40
"""Ten folds with both diagnoses in each, in four unequal clinics."""


def compare_command(
    cohorts: Annotated[
        int, typer.Option(min=1, help="Surrogate cohorts of the smallest size; larger ones fewer.")
    ] = 40,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of the noise in each; larger cohorts fewer.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first cohort.")] = 6000,
    epsilon: Annotated[str, typer.Option(help="Privacy budgets, separated by commas.")] = "8,4,2,1",
    delta: Annotated[float, typer.Option(help="Delta; well under 1 / participants.")] = 1e-5,
    participants: Annotated[
        str, typer.Option(help="Cohort sizes, separated by commas.")
    ] = "88,264,968",
    constants: Annotated[
        str, typer.Option(help="Public constants: right, pilot, wrong, separated by commas.")
    ] = "right,pilot,wrong",
    store: Annotated[
        bool,
        typer.Option("--store", help="Keep the losses for the plain words of a plan."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for results.json and report.html.")] = Path(
        "results/compare"
    ),
) -> None:
    """Compare private mechanisms by what they cost, over epsilon, study size and public constants.

    Writes results.json and report.html. All participants are simulated. The whole run takes about
    five minutes on two cores; --participants 88 about one.

    Example: fedaffect-sim compare --participants 88 --epsilon 4,2 --out results/quick
    """
    from shared.console import output
    from simulations.compare.cohorts import CompareProtocol, compare_cohorts
    from simulations.compare.expected_loss import write_expected_loss
    from simulations.compare.page import write_comparison_page
    from simulations.compare.results import build_comparison, write_comparison
    from simulations.compare.terminal import print_comparison
    from simulations.reproduce import usable_cores

    started = time.monotonic()
    check_out(out)
    protocol = CompareProtocol(
        epsilons=tuple(sorted(parse_epsilons(epsilon), reverse=True)),
        participants=_sizes(participants),
        constants=_qualities(constants),
        cohorts=cohorts,
        draws=draws,
        seed=seed,
        delta=delta,
    )
    check_delta(delta, max(protocol.participants))
    if store and "right" not in protocol.constants:
        raise InputError(
            "--store keeps losses with the packaged constants; add right to --constants"
        )
    runs = protocol.runs
    with progress_bar() as progress:
        task = progress.add_task("Cohorts compared", total=len(runs))
        measured = []
        for found in compare_cohorts(protocol, usable_cores()):
            measured.append(found)
            progress.advance(task)
    comparison = build_comparison(
        measured, protocol, command=command_line(), elapsed_s=time.monotonic() - started
    )
    write_comparison(out / "results.json", comparison)
    write_comparison_page(out / "report.html", comparison)
    print_comparison(comparison)
    output.print(f"\nReport:  {out / 'report.html'}\nNumbers: {out / 'results.json'}")
    if store:
        from shared.privacy.expected_loss import EXPECTED_LOSS

        write_expected_loss(EXPECTED_LOSS, comparison)
        output.print(f"Losses for plans: {EXPECTED_LOSS}")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < _FEWEST_PARTICIPANTS or len(set(sizes)) != len(sizes):
        raise InputError(
            f"--participants {text!r} asked; give whole numbers of at least {_FEWEST_PARTICIPANTS} "
            "separated by commas, each once, such as 88,264,968"
        )
    return tuple(sorted(sizes))


def _qualities(text: str) -> "tuple[Quality, ...]":
    from simulations.compare.constants import QUALITIES

    asked = set(text.split(","))
    unknown = sorted(asked - set(QUALITIES))
    if unknown:
        raise InputError(
            f"--constants {text!r} asked; choose from {', '.join(QUALITIES)}, separated by commas"
        )
    return tuple(quality for quality in QUALITIES if quality in asked)
