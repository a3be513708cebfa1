"""``fedaffect-sim cohort`` and ``calibrate``: the surrogate cohort, written and calibrated."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from simulations.cohort.calibration import Measurement

__all__ = ["calibrate_command", "cohort_command"]


def cohort_command(
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or missing.")],
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same children.")] = 0,
    clinics: Annotated[int, typer.Option(help="Number of clinics.")] = 4,
    world: Annotated[
        str,
        typer.Option(
            help="Where the group effect lives: base (channel x class), group (attribute group x "
            "class), composites (five channels x classes), raw (single statistics), none."
        ),
    ] = "base",
) -> None:
    """Write a surrogate cohort as files: a table of participants and one attribute file each.

    105 children are recorded, 88 consented and finished. `reproduce --cohort-dir` reads the
    folder, as it reads a real cohort of the same form.

    Example: fedaffect-sim cohort --out surrogate --seed 0

    Exit codes: 0 written; 2 an option is wrong or the folder is not empty.
    """
    from simulations.cohort import WORLDS, surrogate_cohort
    from simulations.cohort.folder import write_cohort_dir

    if world not in WORLDS:
        raise InputError(f"--world {world} asked; choose one of {', '.join(WORLDS)}.")
    cohort = surrogate_cohort(seed, clinics=clinics, world=world)
    with _progress() as progress:
        task = progress.add_task("surrogate participants", total=len(cohort.participants))
        write_cohort_dir(
            cohort, out, on_progress=lambda done, _: progress.update(task, completed=done)
        )
    output.print(
        f"Surrogate cohort {seed} in {out}: {len(cohort.participants)} recorded, "
        f"{len(cohort.analysed)} consented and finished."
    )


def calibrate_command(
    check: Annotated[
        bool, typer.Option("--check", help="Measure the stored effects; change nothing.")
    ] = False,
    cohorts: Annotated[int, typer.Option(help="Surrogate cohorts, seeds 0 and up.", min=2)] = 200,
    processes: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 2,
    out: Annotated[
        Path | None,
        typer.Option(help="Calibration file.", show_default="the one the generator reads"),
    ] = None,
) -> None:
    """Choose the surrogate cohort's group effect so that pooled training gives the published table.

    The table it prints is the mean over cohorts beside the published value. With 200 cohorts on
    two processor cores, --check takes about 4 minutes and the whole calibration about 13.

    Example: fedaffect-sim calibrate --check --cohorts 20

    Exit codes: 0 all rows lie within their tolerance; 1 a row does not; 2 an option is wrong.
    """
    from simulations.cohort.calibration import calibrate_effects, measure, write_calibration
    from simulations.cohort.effects import calibration_path, stored_effects

    started = time.monotonic()
    with _progress() as progress:
        if check:
            effects = stored_effects()
            task = progress.add_task("stored effects", total=cohorts)
            found = measure(
                effects,
                cohorts,
                processes=processes,
                on_progress=lambda done, _: progress.update(task, completed=done),
            )
        else:
            tasks = {}

            def tell(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=total)
                progress.update(tasks[stage], completed=done)

            effects, found = calibrate_effects(cohorts, processes=processes, on_progress=tell)
    seconds = time.monotonic() - started
    _print_table(found)
    sizes = ", ".join(f"{name} {size:.3f}" for name, size in effects.items())
    output.print(f"Effects: {sizes}. {cohorts} surrogate cohorts, {seconds:.0f} s.")
    if not check:
        target = out or calibration_path()
        write_calibration(target, effects, found, seconds=seconds, processes=processes)
        output.print(f"Stored in {target}.")
    if not found.within_tolerance():
        output.print("[yellow]A row lies outside its tolerance.[/]")
        raise typer.Exit(1)


def _print_table(found: "Measurement") -> None:
    from rich.table import Table

    from simulations.cohort.calibration import PUBLISHED, TOLERANCE

    table = Table(title="Published Table 1 and pooled training on surrogate cohorts")
    for name in ("Inputs", "", "F1", "Sens.", "Spec.", "Bal. acc.", "AUC"):
        table.add_column(name, no_wrap=True)
    # One input group is added per row of the published table.
    labels = ("AU", "+ arousal", "+ valence", "+ expression")
    for row, (label, name) in enumerate(zip(labels, PUBLISHED, strict=True)):
        published = [f"{value:.2f}" for value in PUBLISHED[name]]
        table.add_row(label, "published", *published)
        table.add_row(
            f"± {TOLERANCE[name]:.2f} allowed",
            "mean",
            *[f"{value:.3f}" for value in found.mean[row]],
        )
        error = [f"{value:.3f}" for value in found.standard_error[row]]
        table.add_row("", "s.e.", *error, end_section=True)
    output.print(table)


@contextmanager
def _progress() -> "Iterator[Progress]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr) as progress:
        yield progress
