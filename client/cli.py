"""``fedaffect-client``: the clinic's command."""

import typer

from client.commands.code_approval import approve_code_command
from client.commands.detector import detector_app
from client.commands.doctor import doctor_command
from client.commands.extraction import extract_command
from client.commands.feature import features_command
from client.commands.ledger import ledger_app, withdraw_command
from client.commands.look import show_command
from client.commands.manifest import import_command
from client.commands.node import join_command
from client.commands.predict import predict_command
from client.commands.quality import quality_command
from client.commands.report import report_command
from client.commands.study import (
    approve_command,
    end_command,
    init_command,
    mask_key_command,
    record_model_command,
)
from shared.console import run_command

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The clinic's node: recordings stay here, only numbers are made from them.",
)
app.command("doctor")(doctor_command)
app.add_typer(detector_app, name="detector")
app.command("import")(import_command)
app.command("extract")(extract_command)
app.command("quality")(quality_command)
app.command("show")(show_command)
app.command("features")(features_command)
app.command("report")(report_command)
app.command("predict")(predict_command)
app.command("init")(init_command)
app.command("join")(join_command)
app.command("mask-key")(mask_key_command)
app.command("approve")(approve_command)
app.command("approve-code")(approve_code_command)
app.command("end")(end_command)
app.command("record-model")(record_model_command)
app.add_typer(ledger_app, name="ledger")
app.command("withdraw")(withdraw_command)


def main() -> None:
    """Run the command line; errors become messages and exit codes."""
    run_command(app)


if __name__ == "__main__":
    main()
