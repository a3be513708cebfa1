"""``fedaffect-sim bench``: measured speed, with the machine's name beside it."""

from typing import Annotated

import typer

__all__ = ["engine_command"]


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
    from shared.errors import InputError
    from simulations.bench.engine import time_engine
    from simulations.results import describe_machine

    try:
        sizes = [int(part) for part in clinics.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 2:
        raise InputError(f"--clinics {clinics!r} asked; give whole numbers >= 2, such as 8,1000")
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
    output.print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; no masks yet.")
