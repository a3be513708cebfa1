"""Join a server: check its invitation, make the node's key here, and answer with public keys."""

import contextlib
import datetime
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from client.node.connection import Connection, NodeFiles
from client.node.node_key import create_node_key, read_node_key
from client.policy import POLICY_FILE
from client.site_folder import SiteFolder, create_site_folder
from shared.deployment.certificates import certificate_sha256
from shared.deployment.document import write_document
from shared.deployment.invitation import Invitation
from shared.deployment.registration import Registration, prove
from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["Joined", "join"]

_HEADING: Final = "The server this clinic's node belongs to, as `fedaffect-client join` wrote it."


@dataclass(frozen=True)
class Joined:
    """What joining led to.

    Attributes
    ----------
    registration : Registration
        For the coordinator.
    new_site : bool
        A site folder was made.
    new_key : bool
        The node's key was made now; False when this clinic had joined before.
    """

    registration: Registration
    new_site: bool
    new_key: bool


def join(invitation: Invitation, site: Path, *, software: str, now: datetime.datetime) -> Joined:
    """Make the node's key and connection, and the registration that answers the invitation.

    Joining again with the same invitation, or with a newer one of the same server, keeps the keys
    and makes the registration anew, in case it was lost.

    Parameters
    ----------
    invitation : Invitation
    site : Path
        This clinic's site folder; made, with the default privacy limits, when it is missing or
        empty.
    software : str
        Program and version that is installed.
    now : datetime
        With a time zone.

    Raises
    ------
    InputError
        When the invitation was edited, has expired or is from the future, is for another clinic or
        another server than this site's, or a file of the site is damaged.
    """
    invitation.check(now)
    files = NodeFiles(site)
    authority = certificate_sha256(invitation.certificate())
    new_site = not (site / POLICY_FILE).exists()
    if new_site:
        # Refuses a folder that holds anything else.
        create_site_folder(site, invitation.clinic)
    folder = SiteFolder(site)
    _check_name(folder, invitation)
    mask_key = folder.mask_key().public
    new_key = not files.connection.exists()
    if new_key:
        node_key = _first_time(files, invitation)
    else:
        _check_same_server(files, invitation, authority)
        node_key = read_node_key(files.key)
    write_document(
        files.connection,
        Connection(
            clinic=invitation.clinic,
            address=invitation.address,
            authority_sha256=authority,
            invitation=invitation.digest,
            software=software,
            joined=now,
        ),
        _HEADING,
    )
    unproved = Registration(
        clinic=invitation.clinic,
        invitation=invitation.digest,
        authority_sha256=authority,
        node_key=node_key,
        mask_key=mask_key,
        software=software,
        nonce=secrets.token_hex(16),
        created=now,
    )
    return Joined(prove(unproved, invitation.secret), new_site, new_key)


def _first_time(files: NodeFiles, invitation: Invitation) -> str:
    files.connection.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(PermissionError):
        files.connection.parent.chmod(0o700)
    write_atomic(files.authority, invitation.certificate().public_bytes(Encoding.PEM))
    # A key that an interrupted attempt left was never shown to anybody.
    return create_node_key(files.key)


def _check_name(folder: SiteFolder, invitation: Invitation) -> None:
    name = folder.policy().name
    if name != invitation.clinic:
        raise InputError(
            f"the invitation is for clinic {invitation.clinic!r}, and {folder.root} is the site of "
            f"{name!r}; give the right site with --site, or ask for an invitation for {name!r}"
        )


def _check_same_server(files: NodeFiles, invitation: Invitation, authority: str) -> None:
    known = files.read_connection()
    if known.authority_sha256 != authority:
        raise InputError(
            f"this clinic belongs to the server at {known.address}, and the invitation is from "
            f"another one at {invitation.address}, with another authority; for a second server "
            "make a second site folder. If the coordinator says that the server was set up anew, "
            f"move {files.connection} and {files.key} away and join again"
        )
    if certificate_sha256(files.read_authority()) != authority:
        raise InputError(
            f"{files.authority} is not the certificate this clinic joined with; copy it back from "
            "a backup"
        )
