"""The gateway's side towards the SuperLink: one POST, one answer, bytes untouched.

Only headers that a fleet call has are passed on. Above all a clinic can send neither a task token
nor a SuperExec signature (Flower's runtime routes), nor an ``X-Forwarded-For`` of its own, which
the SuperLink's web server believes when it comes from loopback.
"""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from server.gateway.addresses import written
from server.gateway.refusals import UPSTREAM_DOWN, UPSTREAM_LATE, UPSTREAM_LOST, Refusal

__all__ = ["REQUEST_HEADERS", "Headers", "Reply", "Upstream", "UpstreamError"]

Headers = Sequence[tuple[bytes, bytes]]

REQUEST_HEADERS: Final = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"flwr-component-name",
        b"flwr-package-name",
        b"flwr-package-version",
        b"flwr-public-key",
        b"flwr-signature",
        b"flwr-timestamp",
        b"user-agent",
        b"x-flwr-client",
    )
)
"""Headers of a request that reach the SuperLink."""

_NOT_RETURNED: Final = frozenset(
    (
        b"connection",
        b"date",
        b"keep-alive",
        b"location",
        b"proxy-authenticate",
        b"server",
        b"set-cookie",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Hop-by-hop headers (RFC 9110, 7.6.1), and what a node has no use for."""

_CONNECT_S: Final = 5.0


class UpstreamError(Exception):
    """The SuperLink gave no answer; ``refusal`` is what the client gets."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


@dataclass(frozen=True)
class Reply:
    """An answer of the SuperLink, its body still on the way.

    Attributes
    ----------
    status : int
    headers : sequence of (bytes, bytes)
        Without those that concern one connection only.
    body : async iterator of bytes
        As sent, not decoded. Raises ``UpstreamError`` when it breaks off.
    """

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


class Upstream:
    """The SuperLink behind the gateway. Belongs to one event loop.

    Parameters
    ----------
    host, port : str, int
        Where it listens.
    tls : ssl.SSLContext
        Trusts the CA of its certificate.
    name : str
        Name that has to stand in its certificate.
    connections : int
        Requests it gets at once.
    read_s : float
        Time for the beginning of an answer, and for each further part.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext,
        name: str,
        connections: int,
        read_s: float,
    ) -> None:
        self._url = f"https://{written(host, port)}"
        self._extensions = {
            "sni_hostname": name,
            "timeout": {"connect": _CONNECT_S, "read": read_s, "write": read_s, "pool": read_s},
        }
        # The transport alone: no redirects, no cookies, no proxy from the environment. No
        # connection is kept: the other side could close it just as a message goes out that must
        # not be sent twice, and the SuperLink would wait for it when it stops. On loopback a new
        # one costs about 5 ms.
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0),
        )

    @asynccontextmanager
    async def post(
        self, path: str, headers: Headers, body: bytes, client: str
    ) -> AsyncIterator[Reply]:
        """Ask the SuperLink.

        Parameters
        ----------
        path : str
            One of ``routes.FLEET_PATHS``.
        headers : sequence of (bytes, bytes)
            As the client sent them, names in small letters.
        body : bytes
        client : str
            Address of the client, for the SuperLink's log.

        Raises
        ------
        UpstreamError
            When no answer begins.
        """
        passed = [(name, value) for name, value in headers if name in REQUEST_HEADERS]
        passed.append((b"x-forwarded-for", client.encode()))
        request = httpx.Request(
            "POST", self._url + path, headers=passed, content=body, extensions=self._extensions
        )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise UpstreamError(_refusal_for(error)) from error
        try:
            yield Reply(
                response.status_code,
                [
                    (name.lower(), value)
                    for name, value in response.headers.raw
                    if name.lower() not in _NOT_RETURNED
                ],
                _parts(response),
            )
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


async def _parts(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_raw():
            yield part
    except httpx.TransportError as error:
        raise UpstreamError(_refusal_for(error)) from error


def _refusal_for(error: httpx.TransportError) -> Refusal:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return UPSTREAM_LOST
            cause = cause.__cause__ or cause.__context__
        return UPSTREAM_DOWN
    return UPSTREAM_LATE if isinstance(error, httpx.TimeoutException) else UPSTREAM_LOST
