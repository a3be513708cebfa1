"""How much one address, and all together, may ask of the gateway.

An address is what a hospital's firewall shows, so several nodes may share one. IPv6 addresses count
by their /64, which is what one customer gets. The limits keep a broken or hostile client from
taking the port from the others; a flood from many addresses is the firewall's business.
"""

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Final

from shared.errors import InputError

__all__ = ["Limits", "PeerBook"]

_FORGET_ABOVE: Final = 4096
"""Addresses kept before those at rest are forgotten."""


@dataclass(frozen=True)
class Limits:
    """Limits of the gateway; all of them > 0.

    Attributes
    ----------
    body_bytes : int
        Longest body of a request. Flower cuts arrays into objects of 5 MiB.
    head_bytes : int
        Longest request line with headers.
    requests : int
        Requests in work at once; with ``body_bytes`` this bounds the memory.
    requests_per_peer : int
        The same for one address.
    connections : int
        Open connections. A node holds up to six.
    connections_per_peer : int
        The same for one address.
    rate_per_peer : float
        Requests and new connections, each, that one address may make, 1/s, in the long run.
    burst_per_peer : int
        How many it may make at once before that rate counts.
    handshake_s, head_s, body_s : float
        Time for TLS, for the head of a request from its first byte on (and for that first byte
        on a new connection), and for its body.
    idle_s : float
        How long a connection may rest between two requests.
    upstream_s : float
        How long the SuperLink may take to begin an answer, and to continue it.
    send_s : float
        How long a client may take to make room for a part of an answer.
    """

    body_bytes: int = 8 * 2**20
    head_bytes: int = 16 * 2**10
    requests: int = 64
    requests_per_peer: int = 32
    connections: int = 400
    connections_per_peer: int = 200
    rate_per_peer: float = 50.0
    burst_per_peer: int = 500
    handshake_s: float = 10.0
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 75.0
    upstream_s: float = 60.0
    send_s: float = 60.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(
                    f"the gateway's limit {each.name} is {value}; it has to be a number above 0"
                )


@dataclass
class _Bucket:
    """Token bucket: refills at a rate, holds a burst."""

    tokens: float
    at: float

    def take(self, now: float, rate: float, burst: int) -> bool:
        self.tokens = min(float(burst), self.tokens + (now - self.at) * rate)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass
class _Peer:
    new_connections: _Bucket
    new_requests: _Bucket
    connections: int = 0
    requests: int = 0


@dataclass
class PeerBook:
    """Counts of what each address holds and has asked lately.

    Not for several threads: the gateway's one event loop owns it.

    Parameters
    ----------
    limits : Limits
    clock : callable
        Monotonic seconds.
    """

    limits: Limits
    clock: Callable[[], float]
    connections: int = 0
    requests: int = 0
    _peers: dict[str, _Peer] = field(default_factory=dict)

    def open_connection(self, address: str) -> bool:
        """Count a new connection; False when it has to be refused (then nothing is held)."""
        now, limits = self.clock(), self.limits
        peer = self._peer(address, now)
        if not peer.new_connections.take(now, limits.rate_per_peer, limits.burst_per_peer):
            return False
        if (
            self.connections >= limits.connections
            or peer.connections >= limits.connections_per_peer
        ):
            return False
        self.connections += 1
        peer.connections += 1
        return True

    def close_connection(self, address: str) -> None:
        """Give a connection back that ``open_connection`` counted."""
        self.connections -= 1
        self._peer(address, self.clock()).connections -= 1

    def open_request(self, address: str) -> bool:
        """Count a new request; False when it has to be refused (then nothing is held)."""
        now, limits = self.clock(), self.limits
        peer = self._peer(address, now)
        if not peer.new_requests.take(now, limits.rate_per_peer, limits.burst_per_peer):
            return False
        if self.requests >= limits.requests or peer.requests >= limits.requests_per_peer:
            return False
        self.requests += 1
        peer.requests += 1
        return True

    def close_request(self, address: str) -> None:
        """Give a request back that ``open_request`` counted."""
        self.requests -= 1
        self._peer(address, self.clock()).requests -= 1

    def _peer(self, address: str, now: float) -> _Peer:
        name = _customer(address)
        if name not in self._peers:
            if len(self._peers) >= _FORGET_ABOVE:
                self._forget(now)
            burst = float(self.limits.burst_per_peer)
            self._peers[name] = _Peer(_Bucket(burst, now), _Bucket(burst, now))
        return self._peers[name]

    def _forget(self, now: float) -> None:
        """Drop addresses that hold nothing and whose buckets have filled up again."""
        full_s = self.limits.burst_per_peer / self.limits.rate_per_peer
        self._peers = {
            name: peer
            for name, peer in self._peers.items()
            if peer.connections
            or peer.requests
            or now - max(peer.new_connections.at, peer.new_requests.at) < full_s
        }


def _customer(address: str) -> str:
    """IPv4 address, or the /64 of an IPv6 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))
        ip = ip.ipv4_mapped
    return str(ip)
