"""``fedaffect-client``: the clinic's command."""

import typer

from client.commands import extract_command, features_command
from shared.console import run_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The clinic's node: recordings stay here, only numbers are made from them.",
)
app.command("extract")(extract_command)
app.command("features")(features_command)


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    run_command(app)


if __name__ == "__main__":
    main()
