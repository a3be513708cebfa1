"""``fedaffect-sim bench``: measured speed, with the machine's name beside it."""

from typing import Annotated

import typer

__all__ = ["engine_command", "nested_command", "secure_sum_command", "stacked_command"]


def engine_command(
    clinics: Annotated[
        str, typer.Option(help="Roster sizes, separated by commas.")
    ] = "4,8,100,1000",
) -> None:
    """Time one exchange of a private training on the in-process engine.

    Example: fedaffect-sim bench engine --clinics 8,1000
    """
    from rich.table import Table

    from shared.console import output
    from simulations.bench.engine import time_engine
    from simulations.results import describe_machine

    sizes = _roster_sizes(clinics)
    time_engine(2, exact_noise=False)  # imports and warm-up
    table = Table("clinics", "noise", "exchanges", "s per exchange", "ms per clinic")
    for size in sizes:
        for exact in (False, True):
            timing = time_engine(size, exact_noise=exact)
            table.add_row(
                str(size),
                timing.noise,
                str(timing.exchanges),
                f"{timing.seconds_per_exchange:.4f}",
                f"{1000 * timing.seconds_per_exchange / size:.2f}",
            )
    output.print(table)
    machine = describe_machine()
    output.print(
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; without masks, whose cost "
        "`fedaffect-sim bench secure-sum` shows (all clinics run in one process here)."
    )


def secure_sum_command(
    clinics: Annotated[str, typer.Option(help="Roster sizes, separated by commas.")] = "8,100,1000",
    length: Annotated[
        int, typer.Option(help="Coordinates of one contribution; 78 for all attributes.", min=2)
    ] = 78,
) -> None:
    """Time one clinic's masked and noised contribution, and the server's sum of all of them.

    Example: fedaffect-sim bench secure-sum --clinics 8,1000
    """
    from rich.table import Table

    from shared.console import output
    from simulations.bench.answer import time_answer
    from simulations.bench.secure_sum import time_secure_sum
    from simulations.results import describe_machine

    sizes = _roster_sizes(clinics)
    time_secure_sum(2, length)  # imports and warm-up
    table = Table(
        "clinics",
        "noise ms",
        "masks ms",
        "first round ms",
        "whole answer ms",
        "with ledger ms",
        "server sum s",
    )
    for size in sizes:
        timing = time_secure_sum(size, length)
        answer = time_answer(size, length)
        table.add_row(
            str(size),
            f"{timing.noise_ms:.2f}",
            f"{timing.masks_ms:.2f}",
            f"{timing.first_contribution_ms:.2f}",
            f"{answer.answer_ms:.2f}",
            f"{answer.recorded_ms:.2f}",
            f"{timing.server_sum_s:.5f}",
        )
    output.print(table)
    machine = describe_machine()
    output.print(
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; {length} coordinates, "
        "exact noise. First round: noise and masks when the clinic has yet to agree on a secret "
        "with each of the others. Whole answer: Opacus gradients of 11 participants, noise, masks; "
        "with ledger: charged, synced and stored as well."
    )


def stacked_command(
    participants: Annotated[int, typer.Option(min=2, help="Participants of the cohort.")] = 88,
    rounds: Annotated[int, typer.Option(min=1, max=64, help="Rounds of each training.")] = 4,
) -> None:
    """Time leave-one-out over all fifteen attribute combinations, in closed form and by Opacus.

    Example: fedaffect-sim bench stacked --participants 88
    """
    from rich.table import Table

    from shared.console import output
    from simulations.bench.stacked import time_stacked
    from simulations.results import describe_machine

    timing = time_stacked(participants, rounds)
    trainings = timing.combinations * timing.participants
    table = Table("leave-one-out scores", "trainings", "s")
    table.add_row("from one release, one round", "1", f"{timing.one_release_s:.5f}")
    table.add_row(
        f"trained anew, {rounds} rounds, stacked", str(trainings), f"{timing.stacked_s:.3f}"
    )
    table.add_row(
        f"trained anew, {rounds} rounds, Opacus (extrapolated)",
        str(trainings),
        f"{timing.opacus_s:.1f}",
    )
    output.print(table)
    machine = describe_machine()
    output.print(
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; {timing.participants} "
        f"participants, {timing.combinations} attribute combinations, 78 coordinates."
    )


def nested_command(
    cohorts: Annotated[int, typer.Option(min=1, help="Surrogate cohorts of 88.")] = 20,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as cores when not given.")
    ] = None,
) -> None:
    """Time nested cross-validation of all fifteen attribute combinations over many cohorts.

    Example: fedaffect-sim bench nested --cohorts 20
    """
    from rich.table import Table

    from shared.console import output
    from simulations.bench.nested import time_nested
    from simulations.reproduce import usable_cores
    from simulations.results import describe_machine

    timing = time_nested(cohorts, processes or usable_cores())
    table = Table("part", "s")
    table.add_row("cohorts' series and features (summed)", f"{timing.features_s:.1f}")
    table.add_row("nested, 15 combinations, compared (summed)", f"{timing.nested_s:.1f}")
    table.add_row(f"wall, {timing.processes} process(es), both included", f"{timing.wall_s:.1f}")
    output.print(table)
    machine = describe_machine()
    output.print(
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; {timing.cohorts} cohorts "
        f"of 88, {timing.fits:,} logistic regressions."
    )


def _roster_sizes(clinics: str) -> list[int]:
    from shared.errors import InputError

    try:
        sizes = [int(part) for part in clinics.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 2:
        raise InputError(f"--clinics {clinics!r} asked; give whole numbers >= 2, such as 8,1000")
    return sizes
