"""How the three commands speak to a person: results on the terminal, errors on stderr."""

import sys
from collections.abc import Callable
from io import TextIOWrapper

from rich.console import Console

from shared.errors import FedaffectError

__all__ = ["output", "run_command", "stderr"]

output = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def run_command(command: Callable[[], object]) -> None:
    """Run a typer application; show a ``FedaffectError`` as a message and leave with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A letter that the terminal's encoding lacks must not end a command in the middle.
            stream.reconfigure(errors="backslashreplace")
    try:
        command()
    except FedaffectError as error:
        stderr.print("[bold red]Error:[/]", end=" ")
        stderr.print(str(error), markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        stderr.print("[bold red]Error:[/]", end=" ")
        stderr.print(
            f"the system refused a file operation{place}: {error.strerror or error}. Check that "
            "the folder exists, is writable, and has room",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        stderr.print("Stopped.")
        sys.exit(130)
