"""The clinic's commands around its node and the server it belongs to."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["join_command"]


def join_command(
    invitation: Annotated[
        Path, typer.Argument(help="Invitation file from the coordinator.", show_default=False)
    ],
    site: Annotated[
        Path, typer.Option("--site", help="This clinic's site folder; made if there is none.")
    ] = Path("site"),
    out: Annotated[
        Path | None,
        typer.Option(help="Registration file to write, if not one beside the invitation."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Join a server: make this node's key, and write the registration for the coordinator.

    Nothing is sent. Private keys stay in the site folder. Send the registration file to the
    coordinator, then read them the fingerprint by telephone, calling a number you know already.

    Example: fedaffect-client join "Clinic North.invitation.toml" --site site

    Exit codes: 0 written; 2 the invitation was edited, has expired, is for another clinic, server
    or version, or a file of the site is damaged.
    """
    import datetime
    import json

    from client.node.installed import check_software, installed_wheel_sha256
    from client.node.joining import join
    from shared.console import output
    from shared.deployment.invitation import read_invitation
    from shared.errors import InputError

    invited = read_invitation(invitation)
    now = datetime.datetime.now(datetime.UTC)
    invited.check(now)
    wheel = installed_wheel_sha256()
    here = check_software(invited, wheel)
    answer = out or invitation.with_name(f"{invited.clinic}.registration.toml")
    if out is not None and out.exists():
        raise InputError(f"--out {out} is there already; give a new file")
    joined = join(invited, site, software=here, now=now)
    joined.registration.write(answer)
    fingerprint = joined.registration.fingerprint
    if json_output:
        content = {
            "clinic": invited.clinic,
            "address": invited.address,
            "fingerprint": fingerprint,
            "registration": str(answer),
        }
        output.print_json(json.dumps(content))
        return
    if joined.new_site:
        policy = "its privacy limits are in site.toml; read them before you approve a study"
        output.print(f"Site folder: {site} ({policy})", markup=False, soft_wrap=True)
    if not joined.new_key:
        output.print("This clinic had joined before; its keys are kept.")
    if invited.wheel_sha256 and not wheel:
        output.print(
            "The invitation names a wheel. What is installed here has no note of its SHA-256; "
            f"compare the file yourself:\n  {invited.wheel_sha256}",
            soft_wrap=True,
        )
    output.print(
        f"Clinic:       {invited.clinic}\n"
        f"Server:       {invited.address}\n"
        f"Registration: {answer}   (send this file to the coordinator)\n"
        f"Fingerprint:  {fingerprint}   (read it to the coordinator by telephone)",
        markup=False,
        soft_wrap=True,
    )
