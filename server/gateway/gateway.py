"""Start and stop the gateway.

Built on asyncio's TLS, h11 (HTTP/1.1 towards clinics) and httpx (towards the SuperLink), which
Flower brings in anyway. uvicorn, which is there as well, was not taken: it has no time limit for
the head of a request, no limits by address, and says nothing of a failed handshake, which is what
an operator asks about first. The loop runs in a thread of its own, so the caller stays free to
watch the SuperLink, and no signal handler is set.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from server.gateway.access_log import AccessLog
from server.gateway.addresses import is_loopback, split_address
from server.gateway.limits import Limits
from server.gateway.running import Running
from server.gateway.service import Service, bound
from server.gateway.tls import client_context, server_context
from server.gateway.upstream import Upstream
from shared.errors import FedaffectError, InputError

__all__ = ["Gateway"]


class Gateway:
    """TLS gateway in front of a SuperLink; forwards the fleet routes of clinics and nothing else.

    Parameters
    ----------
    listen : str
        ``host:port`` that clinics reach; port 0 takes a free one (see ``address``).
    upstream : str
        ``host:port`` of the SuperLink, on loopback.
    certificate, key : Path
        The server's, PEM.
    upstream_ca : Path
        CA of the SuperLink's certificate, PEM. Node authentication makes the SuperLink use TLS.
    upstream_name : str
        Name that has to stand in the SuperLink's certificate.
    access_log : Path, optional
        File for the access log; None keeps none.
    limits : Limits, optional

    Raises
    ------
    InputError
        When an address has not its form, or ``upstream`` is not on loopback.
    """

    def __init__(
        self,
        listen: str,
        upstream: str,
        certificate: Path,
        key: Path,
        *,
        upstream_ca: Path,
        upstream_name: str = "localhost",
        access_log: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._listen = split_address(listen, what="the address the gateway listens on")
        self._upstream = split_address(upstream, what="the SuperLink's address")
        if not is_loopback(self._upstream[0]):
            raise InputError(
                f"the SuperLink's address is {upstream}; its control routes are open to all who "
                "reach it, so it has to listen on loopback: use 127.0.0.1"
            )
        self._certificate, self._key = certificate, key
        self._upstream_ca = upstream_ca
        self._upstream_name = upstream_name
        self._log_path = access_log
        self._limits = limits or Limits()
        self._running: Running | None = None

    @property
    def running(self) -> bool:
        """Whether it accepts connections."""
        return self._running is not None and self._running.alive

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on.

        Raises
        ------
        FedaffectError
            When it does not run.
        """
        if self._running is None:
            raise FedaffectError("the gateway has no address: it was not started")
        return self._running.address

    def start(self) -> None:
        """Listen, in a thread of its own; returns when connections are accepted.

        Raises
        ------
        InputError
            When a certificate or key cannot be used, or the address cannot be listened on.
        FedaffectError
            When it runs already.
        """
        if self._running is not None:
            if self.running:
                raise FedaffectError("the gateway runs already; stop it first")
            self.stop()
        tls = server_context(self._certificate, self._key)
        upstream_tls = client_context(self._upstream_ca)
        log = AccessLog(self._log_path)
        try:
            listener = bound(*self._listen)
        except BaseException:
            log.close()
            raise
        running = self._running = Running(listener, tls)

        async def serve() -> None:
            upstream = Upstream(
                *self._upstream,
                tls=upstream_tls,
                name=self._upstream_name,
                connections=self._limits.requests,
                read_s=self._limits.upstream_s,
            )
            service = Service(
                upstream=upstream, tls=lambda: running.tls, limits=self._limits, log=log.write
            )
            try:
                await running.until_stopped(service)
            finally:
                await upstream.close()
                log.close()

        running.start(serve)

    def stop(self, grace_s: float = 10.0) -> None:
        """Close the port at once, let requests in work end, then close their connections.

        Does nothing when it does not run.

        Parameters
        ----------
        grace_s : float
            Time for requests in work, seconds, >= 0.
        """
        if self._running is not None:
            self._running.stop(grace_s)
            self._running = None

    def reload_certificate(self) -> None:
        """Use the certificate and key that now lie in their files, for new connections.

        Raises
        ------
        InputError
            When they cannot be used; the old ones stay in use.
        """
        renewed = server_context(self._certificate, self._key)
        if self._running is not None:
            self._running.tls = renewed

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
