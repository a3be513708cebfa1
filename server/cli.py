"""``fedaffect-server``: the coordinator's command."""

import typer

from server.pretraining.commands import app as cnn
from server.report_commands import report_command
from server.study_commands import heads_command, plan_command, successor_command
from shared.console import run_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Coordinate a federation: the affect network, studies, joint training, reports.",
)
app.command("plan")(plan_command)
app.command("successor")(successor_command)
app.command("heads")(heads_command)
app.command("report")(report_command)
app.add_typer(cnn, name="cnn")


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    run_command(app)


if __name__ == "__main__":
    main()
