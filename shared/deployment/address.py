"""Host names and addresses: what a certificate may be made for and a node may connect to."""

import ipaddress
import re
from typing import Final

from shared.errors import InputError

__all__ = ["check_address", "check_host", "join_address", "split_address"]

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", flags=re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", flags=re.ASCII)


def check_host(host: str) -> str:
    """One host name or IP address, in the spelling certificates use.

    Parameters
    ----------
    host : str
        As a person writes it; letters outside ASCII become IDNA.

    Returns
    -------
    str
        Lower case; an IPv6 address in its shortest form, without brackets.

    Raises
    ------
    InputError
        When it is neither, for instance because it holds a port or a path.
    """
    wanted = host.strip()
    try:
        return str(ipaddress.ip_address(wanted.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        name = wanted.encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    labels = name.split(".")
    # A name that ends in a number would be read as an address by what connects to it (RFC 1123).
    whole = all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    if not whole or len(name) > 253:
        raise InputError(
            f"host {host!r} asked; give a host name such as fl.example.org or an IP address, "
            "without https://, port or path"
        )
    return name


def join_address(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``.

    Raises
    ------
    InputError
        When it is not such an address.
    """
    host, _, port = address.rpartition(":")
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise InputError(f"address {address!r} given; an address is host:port with port 1 to 65535")
    return check_host(host), int(port)


def check_address(address: str) -> str:
    """``address`` in one spelling, for the fields of documents.

    Raises
    ------
    ValueError
        When it is not ``host:port``.
    """
    try:
        return join_address(*split_address(address))
    except InputError as error:
        raise ValueError(str(error)) from None
