"""The server's folder: everything the coordinator's side keeps, and nothing of any child.

    server.toml               public names and ports, edited by people
    ca/ca.pem, ca/ca.key      the server's own certificate authority
    tls/server.pem, .key      the TLS certificate clinics see
    release/key, key.pub      Ed25519 key that signs released models (OpenSSH)
    clinics/<name>.toml       a clinic that was invited or is registered
    studies/                  studies and their rounds
    state/                    what the running server keeps

Folders can be entered and files read by their owner only. A backup of the folder is a backup of the
server; who copies it can pass for the server.
"""

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.deployment.settings import ServerSettings, read_settings
from shared.deployment.certificates import (
    CertificateWarning,
    certificate_warnings,
    check_authority,
    read_certificate,
)
from shared.errors import InputError

__all__ = ["FOLDERS", "ServerFolder", "open_server_folder", "read_private_key"]

_SETTINGS_FILE: Final = "server.toml"
FOLDERS: Final = ("ca", "tls", "release", "clinics", "studies", "state")
"""What a server folder consists of, beside its settings."""

_PATIENCE_S: Final = 10.0
_RESTORE: Final = "copy it back from a backup"


@dataclass(frozen=True)
class ServerFolder:
    """Paths and contents of one server folder.

    Attributes
    ----------
    root : Path
    """

    root: Path

    @property
    def settings_file(self) -> Path:
        """Names and ports."""
        return self.root / _SETTINGS_FILE

    @property
    def ca_certificate(self) -> Path:
        """Certificate of the authority, PEM."""
        return self.root / "ca" / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Private key of the authority, PEM."""
        return self.root / "ca" / "ca.key"

    @property
    def tls_certificate(self) -> Path:
        """Certificate that clinics see, PEM."""
        return self.root / "tls" / "server.pem"

    @property
    def tls_key(self) -> Path:
        """Its private key, PEM."""
        return self.root / "tls" / "server.key"

    @property
    def release_key(self) -> Path:
        """Private key that signs released models, OpenSSH."""
        return self.root / "release" / "key"

    @property
    def release_public_key(self) -> Path:
        """Its public half, OpenSSH."""
        return self.root / "release" / "key.pub"

    @property
    def clinics(self) -> Path:
        """Folder with one file per clinic."""
        return self.root / "clinics"

    @property
    def studies(self) -> Path:
        """Folder of the studies."""
        return self.root / "studies"

    @property
    def state(self) -> Path:
        """Folder of what the running server keeps."""
        return self.root / "state"

    def settings(self) -> ServerSettings:
        """Read names and ports.

        Raises
        ------
        InputError
            When the file is missing, damaged or out of bounds.
        """
        return read_settings(self.settings_file)

    def authority(self) -> x509.Certificate:
        """The authority's certificate.

        Raises
        ------
        InputError
            When it is missing or damaged.
        """
        certificate = read_certificate(self.ca_certificate)
        check_authority(certificate, str(self.ca_certificate))
        return certificate

    def authority_key(self) -> ec.EllipticCurvePrivateKey:
        """The authority's private key.

        Raises
        ------
        InputError
            When it is missing, damaged, or not the certificate's.
        """
        return read_private_key(self.ca_key, self.authority(), _RESTORE)

    def server_certificate(self) -> x509.Certificate:
        """The TLS certificate, checked to be the authority's and to fit its private key.

        Raises
        ------
        InputError
            When a file is missing or damaged, or they do not belong together.
        """
        renew = f"run `fedaffect-server renew --server {self.root}`"
        certificate = read_certificate(self.tls_certificate)
        try:
            certificate.verify_directly_issued_by(self.authority())
        except (ValueError, TypeError, InvalidSignature):
            raise InputError(
                f"{self.tls_certificate} is not from this server's authority; {renew}"
            ) from None
        read_private_key(self.tls_key, certificate, renew)
        return certificate

    def certificate_warnings(self, now: datetime.datetime) -> list[CertificateWarning]:
        """Certificates of this server that expire within 60 days, with what to do.

        Parameters
        ----------
        now : datetime
            With a time zone.

        Raises
        ------
        InputError
            As :meth:`server_certificate`.
        """
        named = {
            "the server's certificate": self.server_certificate(),
            "the certificate of the server's authority": self.authority(),
        }
        return certificate_warnings(named, now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from changing clinics and certificates meanwhile.

        Raises
        ------
        InputError
            When another command holds the folder for ten seconds.
        """
        try:
            with filelock.FileLock(self.state / "folder.lock", timeout=_PATIENCE_S, mode=0o600):
                yield
        except filelock.Timeout:
            raise InputError(
                f"another command is changing {self.root}; try again when it has ended"
            ) from None


def open_server_folder(root: Path) -> ServerFolder:
    """An existing server folder.

    Raises
    ------
    InputError
        When there is none, or its settings cannot be used.
    """
    folder = ServerFolder(root)
    if not folder.settings_file.is_file():
        raise InputError(
            f"no server in {root} ({_SETTINGS_FILE} is missing); give the folder that "
            "`fedaffect-server init` made, with --server"
        )
    folder.settings()
    return folder


def read_private_key(
    path: Path, certificate: x509.Certificate | None, remedy: str
) -> ec.EllipticCurvePrivateKey:
    """The elliptic-curve key of a PEM file, and of this certificate if one is given.

    Raises
    ------
    InputError
        When the file is missing, damaged, or another key's.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}") from None
    except (ValueError, TypeError):  # damaged, or under a password
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(f"{path} is damaged; {remedy}")
    if certificate is not None and key.public_key() != certificate.public_key():
        raise InputError(f"{path} is not the key of its certificate; {remedy}")
    return key
