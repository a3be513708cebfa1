"""Fetch the YuNet face detector from its official address, because a person asked for it.

The one module of the clinic's side, apart from Flower, that opens a connection. Nothing is sent but
the request. The file is 233 kB, so it is checked in memory, and only the right content ever reaches
the disk: not a truncated one, not another, and not one that does not end.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from client.extraction.detector_file import (
    YUNET_ADDRESSES,
    YUNET_BYTES,
    YUNET_NAME,
    fault_of_yunet,
)
from shared.errors import FedaffectError

if TYPE_CHECKING:
    import ssl

__all__ = ["download_yunet"]

_SILENCE_S: Final = 20.0
"""Longest wait for a connection, or for the next bytes."""
_WHOLE_S: Final = 300.0
"""Longest time for one address, so that a connection that drips cannot hold a person up."""

_PROXY_PASSWORD: Final = (
    "the proxy asks for a password; write it into HTTPS_PROXY (http://user:password@proxy:port)"
)


def download_yunet(
    addresses: Sequence[str] = YUNET_ADDRESSES,
    *,
    asking: Callable[[str], None] | None = None,
    report: Callable[[int], None] | None = None,
    silence_s: float = _SILENCE_S,
    whole_s: float = _WHOLE_S,
) -> bytes:
    """Content of the detector file, checked by size and SHA-256.

    Proxies are taken from the environment (``HTTPS_PROXY``, ``NO_PROXY``) or, on Windows and macOS,
    from the system's settings. Certificates may be the system's own, as clinics with a proxy that
    reads traffic need it.

    Parameters
    ----------
    addresses : sequence of str
        Asked one after the other until one gives the right content.
    asking : callable, optional
        Called with each address before it is asked.
    report : callable, optional
        Called with the bytes received so far.
    silence_s, whole_s : float
        Longest wait for the next bytes and for all of them, seconds.

    Raises
    ------
    FedaffectError
        When no address gave the right content; the message names what each one did.
    """
    failures = []
    for address in addresses:
        if asking is not None:
            asking(address)
        try:
            return _fetch(address, report, silence_s, whole_s)
        except _FetchError as error:
            failures.append(f"{address}: {error}")
    raise FedaffectError(
        f"{YUNET_NAME} could not be fetched, and nothing was kept.\n  "
        + "\n  ".join(failures)
        + "\nTry again later, or take the file from another computer and run "
        "`fedaffect-client detector get --from FILE`"
    )


class _FetchError(Exception):
    """Why one address did not give the file."""


def _fetch(
    address: str, report: Callable[[int], None] | None, silence_s: float, whole_s: float
) -> bytes:
    import httpx

    began = time.monotonic()
    received = bytearray()
    try:
        with (
            httpx.Client(verify=_trusted(), timeout=silence_s, follow_redirects=True) as client,
            # Compressed transfer would hide how many bytes are to come.
            client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise _FetchError(_refused(answer.status_code))
            for piece in answer.iter_bytes():
                received += piece
                if report is not None:
                    report(len(received))
                if len(received) > YUNET_BYTES:
                    raise _FetchError(f"more than {YUNET_BYTES} bytes came; not the file")
                if time.monotonic() - began > whole_s:
                    raise _FetchError(
                        f"only {len(received)} of {YUNET_BYTES} bytes came in {whole_s:.0f} s"
                    )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise _FetchError(f"is no address that can be asked ({error})") from None
    except (ValueError, ImportError) as error:
        raise _FetchError(
            f"the proxy named in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used ({error})"
        ) from None
    except httpx.TimeoutException:
        raise _FetchError(
            f"no answer for {silence_s:.0f} s; check the connection to the internet, or set "
            "HTTPS_PROXY if the clinic has a proxy"
        ) from None
    except httpx.RemoteProtocolError:
        raise _FetchError(
            f"the connection broke off after {len(received)} of {YUNET_BYTES} bytes"
        ) from None
    except httpx.HTTPError as error:
        raise _FetchError(_unreachable(str(error))) from None
    content = bytes(received)
    fault = fault_of_yunet(content)
    if fault is not None:
        raise _FetchError(fault)
    return content


def _trusted() -> "ssl.SSLContext":
    """The system's certificates and those that come with httpx."""
    import ssl

    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _refused(status: int) -> str:
    if status == 404:
        return "answered 404, the file is no longer there"
    if status == 407:
        return _PROXY_PASSWORD
    if status in (403, 429):
        return f"answered {status}, it gives no file at the moment"
    return f"answered {status}"


def _unreachable(why: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return (
            "its certificate is not trusted here; if the clinic has a proxy that reads traffic, "
            "set SSL_CERT_FILE to the proxy's certificate"
        )
    if "407" in why:
        return _PROXY_PASSWORD
    return (
        f"no connection ({why}); check the connection to the internet, or set HTTPS_PROXY if the "
        "clinic has a proxy"
    )
