"""The coordinator's commands to set up a server and to let clinics in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.deployment.server_folder import ServerFolder

__all__ = ["init_command", "invite_command", "register_command", "renew_command"]

_Server = Annotated[Path, typer.Option("--server", help="The server's folder, made by `init`.")]


def init_command(
    folder: Annotated[Path, typer.Argument(help="New folder for the server.", show_default=False)],
    host: Annotated[
        list[str],
        typer.Option(
            help="Name or IP address clinics connect to; may be repeated, the first stands in "
            "invitations."
        ),
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Public port.")] = 443,
    listen_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port on this machine, if not the public one."),
    ] = None,
    superlink_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Flower's port, on loopback only.")
    ] = 18000,
) -> None:
    """Set up a server: its certificate authority, TLS certificate, release key and folders.

    Example: fedaffect-server init federation --host fl.example.org

    Exit codes: 0 made; 2 the folder is not empty, or a host is not a name or address.
    """
    import datetime

    from server.deployment.setting_up import create_server_folder
    from server.deployment.settings import ServerSettings
    from shared.console import output
    from shared.deployment.address import check_host

    settings = ServerSettings(
        hosts=tuple(dict.fromkeys(check_host(name) for name in host)),
        port=port,
        listen_port=listen_port,
        superlink_port=superlink_port,
    )
    made = create_server_folder(folder, settings, datetime.datetime.now(datetime.UTC))
    until = made.server_certificate().not_valid_after_utc
    output.print(
        f"Server folder: {folder}\n"
        f"Clinics reach it at {settings.address}; its certificate is valid until "
        f"{until:%Y-%m-%d}.\n"
        "The folder holds private keys: keep it on this machine, back it up, show it to nobody.\n"
        f'Next: fedaffect-server invite "Clinic North" --server {folder}',
        markup=False,
        soft_wrap=True,
    )


def invite_command(
    clinic: Annotated[
        str, typer.Argument(help="The clinic's name in studies.", show_default=False)
    ],
    server: _Server = Path(),
    days: Annotated[int, typer.Option(help="Days the invitation can be answered.")] = 14,
    again: Annotated[
        bool, typer.Option("--again", help="Replace an invitation that was not answered.")
    ] = False,
    wheel: Annotated[
        Path | None,
        typer.Option(help="The program's wheel that you hand out; its SHA-256 is named."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Invitation file to write, if not one in this folder.")
    ] = None,
) -> None:
    """Invite a clinic: write the one file it needs to join.

    It holds a secret that is good for one registration. Hand it over by a way you trust.

    Example: fedaffect-server invite "Clinic North" --server federation

    Exit codes: 0 written; 2 the clinic is invited or registered already, its name cannot be used,
    or the server's folder is damaged.
    """
    import datetime

    from server.deployment.inviting import invite
    from shared.console import output
    from shared.deployment.clinic_name import check_clinic_name
    from shared.errors import InputError
    from shared.files import sha256_of
    from shared.software import software

    folder = _open(server)
    target = out or Path(f"{check_clinic_name(clinic)}.invitation.toml")
    if target.exists() and not (again and out is None):
        raise InputError(f"{target} is there already; move it away, or give another with --out")
    if wheel is not None and not wheel.is_file():
        raise InputError(f"no wheel at {wheel}; give the .whl file that you hand out")
    invitation = invite(
        folder,
        clinic,
        software=software(),
        days=days,
        now=datetime.datetime.now(datetime.UTC),
        again=again,
        wheel_sha256=sha256_of(wheel) if wheel else "",
    )
    invitation.write(target)
    output.print(
        f"Invitation: {target}\n"
        f"Clinic {invitation.clinic} can answer it until {invitation.expires:%Y-%m-%d %H:%M} UTC, "
        f"with {invitation.software}:\n"
        f'  fedaffect-client join "{target.name}"',
        markup=False,
        soft_wrap=True,
    )


def register_command(
    registration: Annotated[
        Path, typer.Argument(help="Registration file from the clinic.", show_default=False)
    ],
    server: _Server = Path(),
    fingerprint: Annotated[
        str | None,
        typer.Option(help="The fingerprint the clinic read to you; without it you are asked."),
    ] = None,
) -> None:
    """Register a clinic: check that its file answers its invitation, and compare fingerprints.

    Call the clinic at a number you know already and have it read its fingerprint.

    Example: fedaffect-server register "Clinic North.registration.toml" --server federation

    Exit codes: 0 registered; 1 the fingerprints differ and nothing was registered; 2 the file does
    not answer an open invitation of this server, or --fingerprint is another.
    """
    import datetime

    from server.deployment.registering import check_registration, register
    from shared.console import output
    from shared.deployment.registration import read_registration
    from shared.privacy.masks import fingerprint as mask_fingerprint

    folder = _open(server)
    sent = read_registration(registration)
    check_registration(folder, sent, datetime.datetime.now(datetime.UTC))
    output.print(
        f"Clinic:      {sent.clinic}\nFingerprint: {sent.fingerprint}", markup=False, soft_wrap=True
    )
    if fingerprint is None:
        typer.confirm("Has the clinic read you the same fingerprint by telephone?", abort=True)
        fingerprint = sent.fingerprint
    # The time may have passed while the coordinator was on the telephone.
    clinic = register(folder, sent, fingerprint, datetime.datetime.now(datetime.UTC))
    output.print(
        f"Registered. Its mask key for studies: {clinic.mask_key}\n"
        f"  (fingerprint {mask_fingerprint(sent.mask_key)})",
        markup=False,
        soft_wrap=True,
    )


def renew_command(
    server: _Server = Path(),
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Draw a new private key as well.")
    ] = False,
) -> None:
    """Renew the server's TLS certificate, for the hosts in server.toml.

    Clinics need nothing new: they trust the server's authority, which stays. Start the server
    again afterwards.

    Example: fedaffect-server renew --server federation

    Exit codes: 0 renewed; 2 the settings, the authority or the kept key cannot be used.
    """
    import datetime

    from server.deployment.setting_up import renew_server_certificate
    from shared.console import output

    folder = _open(server)
    now = datetime.datetime.now(datetime.UTC)
    certificate = renew_server_certificate(folder, now, fresh_key=new_key)
    output.print(
        f"Certificate for {', '.join(folder.settings().hosts)}, valid until "
        f"{certificate.not_valid_after_utc:%Y-%m-%d}. Start the server again to use it.",
        markup=False,
        soft_wrap=True,
    )
    for warning in folder.certificate_warnings(now):
        output.print(warning.text, markup=False, soft_wrap=True)


def _open(server: Path) -> "ServerFolder":
    from server.deployment.server_folder import open_server_folder

    return open_server_folder(server)
