"""``fedaffect-sim probabilities``: what a private model's score is worth, fitted and checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulations.commands.options import command_line, progress_bar

if TYPE_CHECKING:
    from simulations.probabilities.fitting import FitProtocol

__all__ = ["probabilities_command"]


def probabilities_command(
    store: Annotated[
        bool,
        typer.Option("--store", help="Fit the table that `fedaffect-client predict` reads anew."),
    ] = False,
    populations: Annotated[
        int, typer.Option(min=2, help="Surrogate populations for the check.")
    ] = 12,
    fitted: Annotated[
        int, typer.Option(min=2, help="Surrogate populations for the fit, with --store.")
    ] = 16,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the figures of the check (.json).", show_default=False),
    ] = None,
) -> None:
    """Check the probabilities that `fedaffect-client predict` states, on fresh surrogate children.

    Prints the calibration slope and the calibration in the large on children whom no model saw, how
    often the 95 % interval holds what a very large study without noise says of a child, and for how
    many children the interval tells anything. Run it with --store after every change of the
    features, the map, the constants or the plan. On two idle cores the check takes about 8 minutes
    and the fit about 12 more.

    Example: fedaffect-sim probabilities --populations 4

    Exit codes: 0 done; 2 an option is wrong.
    """
    import json
    from dataclasses import asdict

    from shared.console import output
    from shared.errors import InputError
    from shared.files import write_atomic
    from shared.privacy.expected_calibration import EXPECTED_CALIBRATION
    from simulations.probabilities.check import CheckProtocol, check_populations, summarise_check
    from simulations.probabilities.fitting import FitProtocol
    from simulations.probabilities.terminal import print_check
    from simulations.reproduce import usable_cores

    if out is not None and (out.suffix.lower() != ".json" or out.is_dir()):
        raise InputError(f"--out {out} asked; name the file to write, ending in .json")
    if store:
        _fit_and_store(FitProtocol(populations=fitted))
        output.print(f"Table: {EXPECTED_CALIBRATION}", markup=False, soft_wrap=True)
    protocol = CheckProtocol(populations=populations)
    with progress_bar() as progress:
        task = progress.add_task("Populations checked", total=populations)
        found = []
        for population in check_populations(protocol, usable_cores()):
            found.append(population)
            progress.advance(task)
    checked = summarise_check(protocol, found)
    print_check(protocol, checked)
    if out is not None:
        rows = [
            {name: None if value != value else value for name, value in one._asdict().items()}
            for one in checked
        ]
        settings = {k: v for k, v in asdict(protocol).items() if k != "situations"}
        document = {"command": command_line(), "protocol": settings, "checked": rows}
        write_atomic(out, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        output.print(f"Numbers: {out}", markup=False, soft_wrap=True)


def _fit_and_store(protocol: "FitProtocol") -> None:
    from shared.privacy.expected_calibration import EXPECTED_CALIBRATION
    from simulations.probabilities.fitting import fit_rows, score_populations
    from simulations.probabilities.table import write_table
    from simulations.reproduce import usable_cores

    with progress_bar() as progress:
        task = progress.add_task("Populations fitted", total=protocol.populations)
        scored = []
        for population in score_populations(protocol, usable_cores()):
            scored.append(population)
            progress.advance(task)
    write_table(EXPECTED_CALIBRATION, protocol, fit_rows(protocol, scored), command_line())
