"""``fedaffect-sim``: federations on one machine."""

import typer

from shared.console import run_command
from shared.offline import stay_offline
from simulations.commands.reproduce import reproduce_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Simulate federations on one machine, reproduce the poster, federate any table.",
)
app.command("reproduce")(reproduce_command)


@app.callback()
def _root() -> None:
    """Keep sub-commands even while there is only one."""


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    stay_offline()
    run_command(app)


if __name__ == "__main__":
    main()
