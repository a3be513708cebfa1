"""A thread with an event loop that serves one socket until it is told to stop."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine

from server.gateway.service import Service
from shared.errors import FedaffectError

__all__ = ["Running"]


class Running:
    """What exists only while the gateway runs.

    Parameters
    ----------
    listener : socket
        Bound and listening; closed by this object.
    tls : ssl.SSLContext
        For new connections; may be replaced while it runs.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext) -> None:
        self.tls = tls
        host, port = listener.getsockname()[:2]
        self.address = (str(host), int(port))
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._grace_s = 0.0
        self._fault: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, serve: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run ``serve``, which calls ``until_stopped``; returns when it accepts connections.

        Raises
        ------
        FedaffectError
            When it ended before that.
        """
        self._thread = threading.Thread(
            target=self._run, args=(serve,), name="gateway", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise FedaffectError(
                f"the gateway ended while it started: {type(self._fault).__name__}"
            ) from self._fault

    async def until_stopped(self, service: Service) -> None:
        """Serve the socket until ``stop`` is called."""
        accepting = asyncio.create_task(service.accept(self._listener))
        self._ready.set()
        try:
            await self._stopping.wait()
        finally:
            accepting.cancel()
            await asyncio.wait([accepting])
            self._listener.close()
            await service.drain(self._grace_s)

    def stop(self, grace_s: float) -> None:
        """End it and wait for the end; requests in work have ``grace_s`` seconds."""
        self._grace_s = grace_s
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self, serve: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(serve())
        except BaseException as error:
            self._fault = error
        finally:
            self._listener.close()
            self._ready.set()
