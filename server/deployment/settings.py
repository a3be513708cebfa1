"""The server's names and ports, as they stand in ``server.toml``: edited by people, checked here.

The public name and port are kept apart from where the gateway listens, because a router, a proxy or
a firewall often stands between.
"""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.deployment.address import check_host, join_address
from shared.deployment.document import read_document, write_document
from shared.errors import InputError

__all__ = ["ServerSettings", "read_settings", "write_settings"]

_HEADING: Final = """\
The server's public names and its ports.
hosts: names or addresses clinics connect to, the first one stands in invitations. After a change:
       fedaffect-server renew
port: the public port, usually 443. listen_host, listen_port: where the gateway listens on this
      machine, for instance behind a router that forwards the public port.
superlink_port: Flower's port, on this machine's loopback only."""


def _host_field(host: str) -> str:
    try:
        return check_host(host)
    except InputError as error:
        raise ValueError(str(error)) from None


_Port = Annotated[int, Field(ge=1, le=65535)]
_Host = Annotated[str, AfterValidator(_host_field)]


class ServerSettings(BaseModel):
    """Public names and ports of a server.

    Attributes
    ----------
    hosts : tuple of str
        Names and IP addresses by which clinics reach the server; the first stands in invitations.
    port : int
        Public port.
    listen_host : str
        Address of this machine the gateway binds to.
    listen_port : int or None
        Port the gateway binds to, if not the public one.
    superlink_port : int
        Port of Flower's SuperLink on loopback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hosts: Annotated[tuple[_Host, ...], Field(min_length=1, max_length=100)]
    port: _Port = 443
    listen_host: _Host = "0.0.0.0"
    listen_port: _Port | None = None
    superlink_port: _Port = 18000

    @property
    def address(self) -> str:
        """``host:port`` that clinics connect to."""
        return join_address(self.hosts[0], self.port)

    @property
    def bound_port(self) -> int:
        """Port the gateway binds to."""
        return self.listen_port or self.port


def read_settings(path: Path) -> ServerSettings:
    """Read names and ports.

    Raises
    ------
    InputError
        When the file is missing, damaged or out of bounds.
    """
    remedy = "correct it, or copy it back from a backup"
    return read_document(path, ServerSettings, "server's settings", remedy)


def write_settings(path: Path, settings: ServerSettings) -> None:
    """Write what :func:`read_settings` reads."""
    write_document(path, settings, _HEADING)
