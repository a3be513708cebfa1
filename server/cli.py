"""``fedaffect-server``: the coordinator's command."""

import typer

from server.commands.deployment import (
    init_command,
    invite_command,
    register_command,
    renew_command,
)
from server.commands.report import report_command
from server.commands.signing import bundle_app, reviewer_app
from server.commands.study import heads_command, plan_command, successor_command
from server.pretraining.commands import app as cnn
from shared.console import run_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Coordinate a federation: the affect network, studies, joint training, reports.",
)
app.command("init")(init_command)
app.command("invite")(invite_command)
app.command("register")(register_command)
app.command("renew")(renew_command)
app.command("plan")(plan_command)
app.command("successor")(successor_command)
app.command("heads")(heads_command)
app.command("report")(report_command)
app.add_typer(cnn, name="cnn")
app.add_typer(reviewer_app, name="reviewer")
app.add_typer(bundle_app, name="bundle")


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    run_command(app)


if __name__ == "__main__":
    main()
