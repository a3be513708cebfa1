"""``fedaffect-sim``: federations on one machine."""

import typer

from shared.console import run_command
from shared.offline import stay_offline
from simulations.commands.audit import audit_command
from simulations.commands.baseline import tune_baseline_command
from simulations.commands.bench import (
    engine_command,
    nested_command,
    secure_sum_command,
    stacked_command,
)
from simulations.commands.bench_affect import affect_command
from simulations.commands.bench_extraction import extraction_command
from simulations.commands.bench_sharpness import sharpness_command
from simulations.commands.cohort import calibrate_command, cohort_command
from simulations.commands.compare import compare_command
from simulations.commands.constants import constants_command
from simulations.commands.evaluate import evaluate_command
from simulations.commands.power import power_command
from simulations.commands.probabilities import probabilities_command
from simulations.commands.reproduce import reproduce_command
from simulations.commands.sites import sites_command
from simulations.commands.table import heart_command, table_command
from simulations.commands.verify import verify_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Simulate federations on one machine, reproduce the poster, federate any table.",
)
bench = typer.Typer(no_args_is_help=True, help="Measured speed.")

app.command("reproduce")(reproduce_command)
app.command("evaluate")(evaluate_command)
app.command("compare")(compare_command)
app.command("table")(table_command)
app.command("heart")(heart_command)
app.command("cohort")(cohort_command)
app.command("calibrate")(calibrate_command)
app.command("sites")(sites_command)
app.command("constants")(constants_command)
app.command("tune-baseline")(tune_baseline_command)
app.command("audit")(audit_command)
app.command("probabilities")(probabilities_command)
app.command("power")(power_command)
app.command("verify-statistics")(verify_command)
app.add_typer(bench, name="bench")
bench.command("engine")(engine_command)
bench.command("secure-sum")(secure_sum_command)
bench.command("stacked")(stacked_command)
bench.command("nested")(nested_command)
bench.command("affect")(affect_command)
bench.command("extraction")(extraction_command)
bench.command("sharpness")(sharpness_command)


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    stay_offline()
    run_command(app)


if __name__ == "__main__":
    main()
