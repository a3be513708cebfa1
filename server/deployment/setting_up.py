"""Make a server's folder, and renew the certificate that clinics see."""

import contextlib
import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from server.deployment.authority import issue_server_certificate, new_authority, new_key
from server.deployment.server_folder import FOLDERS, ServerFolder, read_private_key
from server.deployment.settings import ServerSettings, write_settings
from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["create_server_folder", "renew_server_certificate"]


def create_server_folder(
    root: Path, settings: ServerSettings, now: datetime.datetime
) -> ServerFolder:
    """Make a server folder: authority, TLS certificate, release key, and room for the rest.

    Parameters
    ----------
    root : Path
        Must be missing or empty.
    settings : ServerSettings
    now : datetime
        With a time zone.

    Raises
    ------
    InputError
        When the folder is not empty.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} is not an empty folder; give another for the new server")
    for place in (root, *(root / name for name in FOLDERS)):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            place.chmod(0o700)  # mkdir leaves an empty folder that was there as it is
    folder = ServerFolder(root)
    key = new_key()
    authority = new_authority(key, now)
    write_atomic(folder.ca_key, _pem(key))
    write_atomic(folder.ca_certificate, authority.public_bytes(Encoding.PEM))
    _write_server_certificate(folder, settings.hosts, now, fresh_key=True)
    release = ed25519.Ed25519PrivateKey.generate()
    write_atomic(
        folder.release_key,
        release.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    )
    public = release.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_atomic(folder.release_public_key, public + b" fedaffect-release\n")
    write_settings(folder.settings_file, settings)  # last: it makes the folder a server's
    return folder


def renew_server_certificate(
    folder: ServerFolder, now: datetime.datetime, *, fresh_key: bool = False
) -> x509.Certificate:
    """Issue a new TLS certificate for the hosts in the server's settings, by the same authority.

    Clinics notice nothing; the running server has to be started again. With the key that is there
    only one file changes, so a power cut leaves either certificate whole; with a fresh key it may
    leave two files that do not fit, which :meth:`ServerFolder.server_certificate` tells and another
    run mends.

    Parameters
    ----------
    folder : ServerFolder
    now : datetime
        With a time zone.
    fresh_key : bool
        Draw a new private key; otherwise keep the one that is there.

    Raises
    ------
    InputError
        When the settings, the authority or the kept key are missing or damaged, or the authority is
        not valid now.
    """
    authority = folder.authority()
    if not authority.not_valid_before_utc <= now < authority.not_valid_after_utc:
        raise InputError(
            f"the server's authority is valid from {authority.not_valid_before_utc:%Y-%m-%d} to "
            f"{authority.not_valid_after_utc:%Y-%m-%d}, and here it is {now:%Y-%m-%d}; set the "
            "clock, or, if it is right, make a new server folder and invite the clinics to it"
        )
    with folder.locked():
        return _write_server_certificate(folder, folder.settings().hosts, now, fresh_key=fresh_key)


def _write_server_certificate(
    folder: ServerFolder, hosts: Sequence[str], now: datetime.datetime, *, fresh_key: bool
) -> x509.Certificate:
    authority_key = folder.authority_key()
    if fresh_key:
        key = new_key()
        write_atomic(folder.tls_key, _pem(key))
    else:
        remedy = "draw a new one with `fedaffect-server renew --new-key`"
        key = read_private_key(folder.tls_key, None, remedy)
    certificate = issue_server_certificate(
        folder.authority(), authority_key, key.public_key(), hosts, now
    )
    write_atomic(folder.tls_certificate, certificate.public_bytes(Encoding.PEM))
    return certificate


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
