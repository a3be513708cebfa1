"""The clinic's command to approve the program that its node will run."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["approve_code_command"]


def approve_code_command(
    bundle: Annotated[
        Path,
        typer.Argument(
            help="The program's bundle (.fab, signature files beside it) or its code registration "
            "(.json), from the coordinator.",
            show_default=False,
        ),
    ],
    site: Annotated[Path, typer.Option("--site", help="This clinic's site folder.")] = Path("site"),
    reviewer: Annotated[
        list[Path] | None,
        typer.Option(
            help="reviewer.yaml of a reviewer who is new to this clinic; may be repeated."
        ),
    ] = None,
    signature: Annotated[
        list[Path] | None,
        typer.Option(help="Signature file that is not beside the bundle; may be repeated."),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Your name, for the record; asked for if not given.")
    ] = "",
    older: Annotated[
        bool, typer.Option("--older", help="Accept a version below the approved one.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; for scripts (with --by).")
    ] = False,
) -> None:
    """Check who signed a program, show it, and let this clinic's node run it.

    Shows who signed, when and what; refuses a bundle that is unsigned, changed, signed by unknown
    people only, or does not fit the versions installed here. Nothing is sent.

    Example: fedaffect-client approve-code code-registration.json --reviewer reviewer.yaml

    Exit codes: 0 approved; 1 you said no; 2 refused, with the reason.
    """
    from client.code_approval import prepare_code_approval, trust_file
    from shared.console import output

    approval = prepare_code_approval(
        site, bundle, reviewers=reviewer or (), signatures=signature or (), older=older
    )
    output.print(approval.in_words(), markup=False, soft_wrap=True)
    if not yes:
        typer.confirm("\nLet this program run beside this clinic's data?", abort=True)
        by = by or typer.prompt("Your name")
    approved = approval.commit(by)
    output.print(
        f"\nApproved by {approved.approved_by}. The node trusts {trust_file(site)}",
        markup=False,
        soft_wrap=True,
    )
