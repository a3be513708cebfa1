"""One clinic's connection: requests are read, checked, forwarded and answered, one after another.

A request is read whole before it is forwarded, so one that is too long, too slow or broken off
never reaches the SuperLink; an answer is passed on as it comes. After a refusal the connection is
closed: what the client still sends is not taken for another request.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import h11

from server.gateway.access_log import Access
from server.gateway.limits import Limits, PeerBook
from server.gateway.refusals import (
    BODY_TOO_LATE,
    BODY_TOO_LONG,
    BUSY,
    MALFORMED,
    NO_LENGTH,
    Refusal,
)
from server.gateway.routes import refusal_of
from server.gateway.upstream import Upstream, UpstreamError

__all__ = ["Connection"]

_READ_BYTES: Final = 64 * 2**10
_RETRY_AFTER_S: Final = b"2"
_LINGER_S: Final = 5.0
_LINGER_BYTES: Final = 64 * 2**20
"""A client that is still sending reads the refusal only after its bytes were taken."""


class _BrokenOffError(Exception):
    """The client went, or made no room for the answer."""


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Connection:
    """Serves one TLS connection.

    Parameters
    ----------
    reader, writer : asyncio streams
        After the TLS handshake.
    address, peer : str
        The client's address alone, and with its port.
    limits : Limits
    book : PeerBook
        Counts requests; shared by all connections.
    upstream : Upstream
    log : callable
        Takes an ``Access`` for each request.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        address: str,
        peer: str,
        limits: Limits,
        book: PeerBook,
        upstream: Upstream,
        log: Callable[[Access], None],
    ) -> None:
        self.busy = False
        """Whether a request is being read or answered."""
        self.closing = False
        """Set to end the connection after the request in work."""
        self._reader = reader
        self._writer = writer
        self._address = address
        self._peer = peer
        self._limits = limits
        self._book = book
        self._upstream = upstream
        self._log = log
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._path = ""
        self._method = b""
        self._status = 0
        self._received = 0
        self._sent = 0

    async def run(self) -> None:
        """Serve requests until one side ends the connection."""
        first = True
        while not self.closing:
            wait_s = self._limits.head_s if first else self._limits.idle_s
            if not await self._something_came(wait_s):
                return
            first = False
            self.busy = True
            if not await self._exchange():
                return
            self.busy = False
            self._http.start_next_cycle()

    async def _something_came(self, within_s: float) -> bool:
        """Wait for the first byte of a request."""
        if self._http.trailing_data[0]:
            return True
        try:
            async with asyncio.timeout(within_s):
                data = await self._reader.read(_READ_BYTES)
        except (TimeoutError, OSError):
            return False
        if data:
            self._http.receive_data(data)
        return bool(data)

    async def _exchange(self) -> bool:
        """One request and its answer; False when the connection cannot go on."""
        began = time.monotonic()
        self._path, self._method, self._status, self._received, self._sent = "", b"", 0, 0, 0
        outcome = "broken off: the gateway stopped"
        try:
            await self._forward(await self._head())
            outcome = "forwarded"
            return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        except _RefusedError as error:
            outcome = error.refusal.outcome
            await self._refuse(error.refusal)
        except UpstreamError as error:
            if self._status:  # the head of the answer has gone out; it cannot be taken back
                outcome = "broken off: the server behind the gateway"
            else:
                outcome = error.refusal.outcome
                await self._refuse(error.refusal)
        except _BrokenOffError:
            outcome = "broken off: the client"
        finally:
            self._log(
                Access(
                    peer=self._peer,
                    path=self._path,
                    status=self._status,
                    received_bytes=self._received,
                    sent_bytes=self._sent,
                    seconds=time.monotonic() - began,
                    outcome=outcome,
                )
            )
        return False

    async def _head(self) -> h11.Request:
        try:
            async with asyncio.timeout(self._limits.head_s):
                event = await self._event()
        except TimeoutError as error:
            raise _BrokenOffError from error
        if not isinstance(event, h11.Request):
            raise _BrokenOffError
        self._method = event.method
        self._path = event.target.decode("ascii", "replace")
        return event

    async def _forward(self, request: h11.Request) -> None:
        refusal = refusal_of(request.method, request.target) or self._length_refusal(request)
        if refusal is not None:
            raise _RefusedError(refusal)
        if not self._book.open_request(self._address):
            raise _RefusedError(BUSY)
        try:
            body = await self._body()
            async with self._upstream.post(
                self._path, list(request.headers), body, self._address
            ) as reply:
                self._status = reply.status
                await self._send(h11.Response(status_code=reply.status, headers=[*reply.headers]))
                async for part in reply.body:
                    self._sent += len(part)
                    await self._send(h11.Data(data=part))
                await self._send(h11.EndOfMessage())
        finally:
            self._book.close_request(self._address)

    def _length_refusal(self, request: h11.Request) -> Refusal | None:
        headers = dict(request.headers)
        length = headers.get(b"content-length")
        if length is None or b"transfer-encoding" in headers:
            return NO_LENGTH
        # h11 has checked that it is a number, of any size.
        return BODY_TOO_LONG if int(length) > self._limits.body_bytes else None

    async def _body(self) -> bytes:
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while isinstance(event := await self._event(), h11.Data):
                    body += event.data
                    self._received = len(body)
        except TimeoutError as error:
            raise _RefusedError(BODY_TOO_LATE) from error
        return bytes(body)

    async def _event(self) -> h11.Event:
        """Next event of the client's."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                ended = self._reader.at_eof()
                raise (_BrokenOffError() if ended else _RefusedError(MALFORMED)) from error
            if isinstance(event, h11.ConnectionClosed):
                raise _BrokenOffError
            if isinstance(event, h11.Event):
                return event
            try:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            except TimeoutError:
                raise
            except OSError as error:
                raise _BrokenOffError from error

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if not data:
            return
        try:
            async with asyncio.timeout(self._limits.send_s):
                self._writer.write(data)
                await self._writer.drain()
        except OSError as error:  # TimeoutError is one
            raise _BrokenOffError from error

    async def _refuse(self, refusal: Refusal) -> None:
        """Send a refusal of our own, and take what the client is still sending."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        unread = self._http.their_state is h11.SEND_BODY
        body = refusal.body()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if refusal.status == 503:
            headers.append((b"retry-after", _RETRY_AFTER_S))
        try:
            self._status = refusal.status
            await self._send(h11.Response(status_code=refusal.status, headers=headers))
            if self._method != b"HEAD":
                await self._send(h11.Data(data=body))
                self._sent = len(body)
            await self._send(h11.EndOfMessage())
        except _BrokenOffError:
            return
        if unread:
            await self._throw_away()

    async def _throw_away(self) -> None:
        taken = 0
        try:
            async with asyncio.timeout(_LINGER_S):
                while taken < _LINGER_BYTES and isinstance(event := await self._event(), h11.Data):
                    taken += len(event.data)
        except (OSError, _BrokenOffError, _RefusedError):
            return
