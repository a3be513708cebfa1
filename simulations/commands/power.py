"""``fedaffect-sim power``: what the evaluation finds where nothing is, and where something is."""

import time
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import InputError
from simulations.commands.options import check_delta, check_out, command_line, progress_bar

__all__ = ["power_command"]

_PARTICIPANTS = 88


def power_command(
    cohorts: Annotated[
        int, typer.Option(min=0, help="Surrogate cohorts with the calibrated effect.")
    ] = 60,
    null_cohorts: Annotated[
        int, typer.Option(min=0, help="Surrogate cohorts without any group effect.")
    ] = 300,
    repeats: Annotated[int, typer.Option(min=1, help="Outer partitions of each cohort.")] = 1,
    permutations: Annotated[
        int, typer.Option(min=19, help="Permutations of the fixed classifier.")
    ] = 199,
    nested_permutations: Annotated[
        int,
        typer.Option(min=0, help="Permutations of the whole nested recipe; 0 leaves it out."),
    ] = 19,
    epsilon: Annotated[float, typer.Option(help="Budget of the private training.")] = 4.0,
    delta: Annotated[float, typer.Option(help="Delta; well under 1 / participants.")] = 1e-5,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as cores when not given.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the cohorts' features.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for power.json.")] = Path("results/power"),
) -> None:
    """Measure type I error, power and optimism of the evaluation on surrogate cohorts.

    Seeds are new (without effect from 9,000,000, with effect from 9,100,000) and nothing is chosen
    on them. All participants are simulated. With the whole recipe permuted, the run takes about
    half an hour on two cores; --nested-permutations 0 a quarter of that.

    Example: fedaffect-sim power --cohorts 20 --null-cohorts 100 --nested-permutations 0
    """
    started = time.monotonic()
    check_out(out)
    if cache is not None and cache.exists() and not cache.is_dir():
        raise InputError(f"--cache {cache} is a file; give a folder")
    if not cohorts and not null_cohorts:
        raise InputError("--cohorts 0 --null-cohorts 0 asked; give at least one cohort")
    if not 0 < epsilon <= 100:
        raise InputError(f"--epsilon {epsilon:g} asked; it must be above 0 and at most 100")
    if 0 < nested_permutations < 19:
        raise InputError(
            f"--nested-permutations {nested_permutations} asked; p reaches .05 with at least 19, "
            "or give 0 to leave the test out"
        )
    check_delta(delta, _PARTICIPANTS)
    from shared.console import output
    from simulations.evaluation.cohorts import EvaluationProtocol, evaluate_cohorts
    from simulations.evaluation.summary import summarise_cohorts, write_power_study
    from simulations.evaluation.terminal import print_power_study
    from simulations.reproduce import usable_cores

    protocol = EvaluationProtocol(
        null_cohorts=null_cohorts,
        effect_cohorts=cohorts,
        repeats=repeats,
        permutations=permutations,
        nested_permutations=nested_permutations,
        epsilon=epsilon,
        delta=delta,
        cache=cache,
    )
    with progress_bar() as progress:
        task = progress.add_task("Cohorts evaluated", total=len(protocol.runs))
        found = []
        for one in evaluate_cohorts(protocol, processes or usable_cores()):
            found.append(one)
            progress.advance(task)
    study = summarise_cohorts(
        found, protocol, command=command_line(), elapsed_s=time.monotonic() - started
    )
    write_power_study(out / "power.json", study)
    print_power_study(study)
    output.print(f"\nNumbers: {out / 'power.json'}")
