"""What a node keeps of the server it joined, in its site folder.

secrets/node.key          private Flower key
node/ca.pem               the server's authority, the only one the node trusts
node/connection.toml      address, name, and which authority and invitation they came from
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from client.node.node_key import read_node_key
from shared.deployment.address import check_address
from shared.deployment.certificates import certificate_sha256, check_authority, read_certificate
from shared.deployment.clinic_name import clinic_name_field
from shared.deployment.document import Moment, read_document
from shared.errors import InputError

__all__ = ["Connection", "NodeFiles", "open_connection"]


class Connection(BaseModel):
    """A node's server.

    Attributes
    ----------
    format : int
        1.
    clinic : str
        This clinic's name in rosters.
    address : str
        ``host:port`` of the server.
    authority_sha256 : str
        SHA-256 of the certificate in ``node/ca.pem``.
    invitation : str
        Digest of the invitation that was answered.
    software : str
        Program and version when it joined.
    joined : datetime
        UTC, to the second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    clinic: Annotated[str, AfterValidator(clinic_name_field)]
    address: Annotated[str, AfterValidator(check_address)]
    authority_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    invitation: str = Field(pattern=r"^[0-9a-f]{64}$")
    software: str = Field(min_length=1, max_length=100)
    joined: Moment


@dataclass(frozen=True)
class NodeFiles:
    """Where a site folder keeps what its node needs.

    Attributes
    ----------
    site : Path
        The site folder.
    """

    site: Path

    @property
    def key(self) -> Path:
        """Private Flower key, OpenSSH."""
        return self.site / "secrets" / "node.key"

    @property
    def authority(self) -> Path:
        """The server's authority, PEM."""
        return self.site / "node" / "ca.pem"

    @property
    def connection(self) -> Path:
        """The server's address and the rest."""
        return self.site / "node" / "connection.toml"

    def read_connection(self) -> Connection:
        """Read the connection without looking at the other files.

        Raises
        ------
        InputError
            When the node has not joined a server, or the file is damaged.
        """
        remedy = (
            "`fedaffect-client join` with the coordinator's invitation makes it, or copy it back "
            "from a backup"
        )
        return read_document(self.connection, Connection, "connection to a server", remedy)

    def read_authority(self) -> x509.Certificate:
        """The certificate the node trusts.

        Raises
        ------
        InputError
            When it is missing or damaged.
        """
        certificate = read_certificate(self.authority)
        check_authority(certificate, str(self.authority))
        return certificate


def open_connection(site: Path) -> Connection:
    """A node's connection, after checking that key and certificate are whole and the right ones.

    Raises
    ------
    InputError
        When the node has not joined, or one of its files is missing, damaged or exchanged.
    """
    files = NodeFiles(site)
    connection = files.read_connection()
    if certificate_sha256(files.read_authority()) != connection.authority_sha256:
        raise InputError(
            f"{files.authority} is not the certificate this clinic joined with; copy it back from "
            "a backup"
        )
    read_node_key(files.key)
    return connection
