"""``fedaffect-sim evaluate``: the clinical report of one cohort."""

from pathlib import Path
from typing import Annotated, cast

import typer

__all__ = ["FIRST_SEED", "evaluate_command"]

FIRST_SEED = 9_200_000
"""Cohorts from here on are for this report; nothing was chosen on them."""


def evaluate_command(
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = Path(
        "results/evaluate"
    ),
    cohort_dir: Annotated[
        Path | None,
        typer.Option(help="A cohort folder instead of a surrogate cohort.", show_default=False),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the surrogate cohort, folds and resamples.")
    ] = FIRST_SEED,
    clinics: Annotated[int, typer.Option(min=2, help="Clinics, where the data name none.")] = 4,
    world: Annotated[str, typer.Option(help="Where the surrogate's signal lives.")] = "base",
    repeats: Annotated[int, typer.Option(help="Partitions into folds.")] = 10,
    permutations: Annotated[int, typer.Option(help="Of each permutation test.")] = 999,
    bootstrap: Annotated[int, typer.Option(help="Refits behind the sign stability.")] = 500,
    epsilon: Annotated[str, typer.Option(help="Budgets of the private trainings.")] = "8,4,2,1",
    delta: Annotated[float, typer.Option(help="Delta.")] = 1e-5,
) -> None:
    """Evaluate one cohort and write the report: performance, protocols, all fifteen combinations.

    The index test is logistic regression on all attributes, fixed in advance. The report of real
    participants is exact, no privacy budget covers it: keep it where the rows may be seen.

    Example: fedaffect-sim evaluate --out results/evaluate

    Example: fedaffect-sim evaluate --cohort-dir my-cohort --out results/my-cohort

    Exit codes: 0 the report was written; 2 an option or the cohort is wrong.
    """
    import time

    from shared.console import output
    from shared.errors import InputError
    from shared.evaluation.evaluate import STEPS, EvaluationSettings, evaluate_participants
    from shared.report.page import write_report
    from simulations.cohort.population import WORLDS, World
    from simulations.commands.options import (
        check_choice,
        check_delta,
        check_out,
        parse_epsilons,
        progress_bar,
    )
    from simulations.evaluation.report import surrogate_or_cohort_report
    from simulations.evaluation.source import cohort_source, surrogate_source

    started = time.monotonic()
    check_out(out)
    check_choice("--world", world, WORLDS)
    epsilons = parse_epsilons(epsilon)
    settings = EvaluationSettings(
        seed=seed, repeats=repeats, permutations=permutations, bootstrap=bootstrap
    )
    with progress_bar() as progress:
        reading = progress.add_task("Participants read", total=None)
        if cohort_dir is None:
            source = surrogate_source(seed, clinics=clinics, world=cast("World", world))
        else:
            source = cohort_source(
                cohort_dir,
                clinics,
                on_progress=lambda done, total: progress.update(
                    reading, completed=done, total=total
                ),
            )
        n = len(source.people)
        progress.update(reading, completed=n, total=n)
        if len(source.people.clinics) < 2:
            raise InputError(
                f"--cohort-dir {cohort_dir}: all analysed participants belong to one clinic; a "
                "federation needs at least two in the column clinic of participants.csv"
            )
        check_delta(delta, n)
        task = progress.add_task("Evaluated", total=len(STEPS) + 1)
        begun: list[str] = []

        def on_step(step: str) -> None:
            progress.update(task, completed=len(begun), description=f"Evaluated: {step}")
            begun.append(step)

        found = evaluate_participants(source.people, settings, on_step=on_step)
        on_step("ways to train")
        report = surrogate_or_cohort_report(
            found, source, epsilons=epsilons, delta=delta, elapsed_since=started
        )
        progress.update(task, completed=len(begun), description="Evaluated")
    data, page = write_report(out, report)
    output.print(f"Report:  {page}\nNumbers: {data}", markup=False, soft_wrap=True)
