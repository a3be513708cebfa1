"""Addresses of the form ``host:port``, with brackets around an IPv6 host."""

import ipaddress

from shared.errors import InputError

__all__ = ["is_loopback", "split_address", "written"]


def split_address(address: str, *, what: str) -> tuple[str, int]:
    """Host and port of ``host:port``.

    Parameters
    ----------
    address : str
    what : str
        What the address is for, for the message.

    Raises
    ------
    InputError
        When it has not that form; the port may be 0, for any free one.
    """
    host, colon, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    well_formed = colon and bare and port.isascii() and port.isdecimal() and int(port) < 2**16
    if not well_formed or (":" in host and bare == host) or not bare.isprintable() or " " in bare:
        raise InputError(
            f'{what} is "{address}"; it has to read host:port, for example 0.0.0.0:443 or [::]:443'
        )
    return bare, int(port)


def written(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own and nothing outside reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
