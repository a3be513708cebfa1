"""``fedaffect-sim tune-baseline``: tune local DP-SGD with FedAvg in its own favour."""

from typing import Annotated

import typer

from simulations.commands.options import check_delta, parse_epsilons, progress_bar

__all__ = ["tune_baseline_command"]


def tune_baseline_command(
    epsilon: Annotated[str, typer.Option(help="Privacy budgets, separated by commas.")] = "8,4,2,1",
    delta: Annotated[float, typer.Option(help="Delta.")] = 1e-5,
) -> None:
    """Choose rounds, steps, learning rate and clipping of the baseline for each epsilon.

    Uses surrogate cohorts that no reported result uses, and stores the outcome in the package.
    Takes about two minutes on two cores.

    Example: fedaffect-sim tune-baseline
    """
    from shared.console import output
    from simulations.baseline import TUNING_SEEDS, tune_baseline, write_baseline_settings
    from simulations.reproduce import BASELINE_SETTINGS, usable_cores

    epsilons = parse_epsilons(epsilon)
    check_delta(delta, 88)
    with progress_bar() as progress:
        task = progress.add_task("Cohorts searched", total=len(TUNING_SEEDS))
        content = tune_baseline(
            epsilons=epsilons,
            delta=delta,
            processes=usable_cores(),
            on_cohort=lambda: progress.advance(task),
        )
    write_baseline_settings(content)
    for budget, settings in content["settings"].items():
        output.print(f"epsilon {budget}: {settings}, AUC {content['auc'][budget]}")
    output.print(f"Settings: {BASELINE_SETTINGS}")
