"""Invite a clinic: remember a one-time secret, and hand out the file that holds it."""

import datetime
import secrets
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from server.deployment.authority import certified_hosts
from server.deployment.clinics import (
    KnownClinic,
    clinic_file,
    find_clinic,
    known_clinics,
    write_clinic,
)
from server.deployment.server_folder import ServerFolder
from shared.deployment.clinic_name import check_clinic_name
from shared.deployment.invitation import Invitation, sign_invitation
from shared.errors import InputError

__all__ = ["LONGEST_DAYS", "invite"]

LONGEST_DAYS: Final = 90
"""A secret that lies in a mailbox for longer is a risk without a use."""


def invite(
    folder: ServerFolder,
    name: str,
    *,
    software: str,
    days: int,
    now: datetime.datetime,
    again: bool = False,
    wheel_sha256: str = "",
) -> Invitation:
    """Invite a clinic.

    Parameters
    ----------
    folder : ServerFolder
    name : str
        Of the clinic.
    software : str
        Program and version the clinic needs.
    days : int
        How long the invitation can be answered, 1 to 90.
    now : datetime
        With a time zone.
    again : bool
        Replace an invitation that was not answered; the old one is then refused.
    wheel_sha256 : str
        SHA-256 of the wheel to install, hexadecimal, if the coordinator hands one out.

    Returns
    -------
    Invitation
        Signed, not yet written anywhere. The server knows the clinic as invited from now on.

    Raises
    ------
    InputError
        When the name or the time is not usable, the clinic is invited or registered already, or
        the server's folder is damaged.
    """
    name = check_clinic_name(name)
    if not 1 <= days <= LONGEST_DAYS:
        raise InputError(f"an invitation for {days} days asked; give 1 to {LONGEST_DAYS}")
    authority, key = folder.authority(), folder.authority_key()
    settings = folder.settings()
    if settings.hosts[0] not in certified_hosts(folder.server_certificate()):
        raise InputError(
            f"the server's certificate is not for {settings.hosts[0]!r}, the first host of "
            f"{folder.settings_file}; run `fedaffect-server renew`, then invite"
        )
    with folder.locked():
        known = find_clinic(known_clinics(folder), name)
        if known is not None:
            _refuse(folder, known, name, again)
        unsigned = Invitation(
            clinic=name,
            address=settings.address,
            software=software,
            wheel_sha256=wheel_sha256,
            issued=now,
            expires=now + datetime.timedelta(days=days),
            secret=secrets.token_hex(32),
            authority=authority.public_bytes(Encoding.PEM).decode("ascii"),
        )
        invitation = sign_invitation(unsigned, key)
        write_clinic(
            folder,
            KnownClinic(
                name=name,
                state="invited",
                invitation=invitation.digest,
                invited=invitation.issued,
                expires=invitation.expires,
                secret=invitation.secret,
            ),
        )
    return invitation


def _refuse(folder: ServerFolder, known: KnownClinic, name: str, again: bool) -> None:
    if known.name != name:
        raise InputError(
            f"clinic {name!r} asked; {known.name!r} is here already, and names that differ in "
            "capitals only are not told apart"
        )
    if known.state == "registered":
        raise InputError(
            f"clinic {name!r} is registered already. Its node needs no new invitation; if its "
            "keys are lost, move "
            f"{clinic_file(folder, name)} away and invite it anew: studies that name its old keys "
            "cannot go on"
        )
    if not again:
        raise InputError(
            f"clinic {name!r} was invited on {known.invited:%Y-%m-%d} and has not answered; give "
            "--again for a new invitation that replaces that one"
        )
