"""The gateway's event loop: accept, count, shake hands, serve, and end in order.

An address that holds too many connections is turned away before the TLS handshake, which is what
costs the server its time.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from server.gateway.access_log import Access
from server.gateway.addresses import written
from server.gateway.connection import Connection
from server.gateway.limits import Limits, PeerBook
from server.gateway.upstream import Upstream
from shared.errors import InputError

__all__ = ["Service", "bound"]

_BACKLOG: Final = 256
_GOODBYE_S: Final = 2.0
"""Time for TLS to say goodbye."""
_NO_DESCRIPTOR_S: Final = 0.1
"""Wait before accepting again when the system has no file descriptor left."""


def bound(host: str, port: int) -> socket.socket:
    """Listening socket; ``::`` takes IPv4 as well, where the system can.

    Raises
    ------
    InputError
        When the address cannot be listened on.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        raise InputError(
            f"the gateway cannot listen on {written(host, port)}: {_why_not(error)}"
        ) from error


class Service:
    """Serves one listening socket. Made and used within one event loop.

    Parameters
    ----------
    upstream : Upstream
    tls : callable
        Gives the TLS context for the next connection.
    limits : Limits
    log : callable
        Takes an ``Access`` for each request and each connection that came to nothing.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        tls: Callable[[], ssl.SSLContext],
        limits: Limits,
        log: Callable[[Access], None],
    ) -> None:
        self._upstream = upstream
        self._tls = tls
        self._limits = limits
        self._log = log
        self._book = PeerBook(limits, time.monotonic)
        self._open: dict[asyncio.Task[None], Connection | None] = {}

    async def accept(self, listener: socket.socket) -> None:
        """Accept connections until cancelled."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listener)
            except OSError:  # the client has gone, or no file descriptor is left
                await asyncio.sleep(_NO_DESCRIPTOR_S)
                continue
            task = asyncio.create_task(self._serve(client, str(address[0]), int(address[1])))
            self._open[task] = None
            task.add_done_callback(self._open.pop)

    async def drain(self, grace_s: float) -> None:
        """Let requests in work end within the grace time; end everything else now."""
        tasks = dict(self._open)
        for task, connection in tasks.items():
            if connection is None or not connection.busy:
                task.cancel()
            else:
                connection.closing = True
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _serve(self, client: socket.socket, address: str, port: int) -> None:
        peer = written(address, port)
        if not self._book.open_connection(address):
            client.close()
            self._log(Access(peer, "", 0, 0, 0, 0.0, "refused: too many connections"))
            return
        began = time.monotonic()
        try:
            reader, writer = await self._handshake(client)
        except OSError as error:
            took = time.monotonic() - began
            self._log(Access(peer, "", 0, 0, 0, took, f"no TLS: {_handshake_fault(error)}"))
        else:
            connection = Connection(
                reader,
                writer,
                address=address,
                peer=peer,
                limits=self._limits,
                book=self._book,
                upstream=self._upstream,
                log=self._log,
            )
            task = asyncio.current_task()
            if task is not None:
                self._open[task] = connection
            try:
                await connection.run()
                writer.close()
                await writer.wait_closed()
            except OSError:
                pass  # the client has gone; what it asked stands in the log
            finally:
                writer.transport.abort()
        finally:
            self._book.close_connection(address)

    async def _handshake(
        self, client: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            # asyncio sets this only for sockets that it made itself; without it an answer waits
            # 40 ms for the client to acknowledge its head.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                client,
                ssl=self._tls(),
                ssl_handshake_timeout=self._limits.handshake_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except BaseException:
            client.close()
            raise
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _why_not(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            "ports below 1024 need a right of their own. Take a port from 1024 on, or let the "
            "service manager grant CAP_NET_BIND_SERVICE"
        )
    known = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return f"{known}. Stop what listens there, or choose another host or port"


def _handshake_fault(error: OSError) -> str:
    """What an operator needs to know of a handshake that failed."""
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "unknown").lower().replace("_", " ")
        return {
            "http request": "the client speaks plain HTTP",
            "wrong version number": "the client does not speak TLS",
            "tlsv1 alert unknown ca": "the client does not trust the server's CA",
            "sslv3 alert bad certificate": "the client refuses the server's certificate",
            "sslv3 alert certificate unknown": "the client refuses the server's certificate",
            "sslv3 alert certificate expired": "the client holds the certificate for expired",
            "unsupported protocol": "the client speaks no TLS 1.3",
        }.get(reason, reason)
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return "the handshake took too long"
    return "the client closed the connection"
