"""What a clinic's node may ask for, byte for byte.

The target of a request is compared as it came, before any decoding: there is no other spelling
(``..``, ``%2e``, ``//``, capitals, a query) that reaches the SuperLink. What is forwarded is the
entry of this list, not what the client wrote.
"""

from typing import Final

from server.gateway.refusals import BAD_METHOD, NOT_REGISTERED_HERE, PATH_REFUSED, Refusal

__all__ = ["FLEET_PATHS", "REGISTRATION_PATHS", "refusal_of"]

FLEET_PATHS: Final = tuple(
    f"/v1/fleet/{name}"
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "get-run",
        "get-fab",
        "push-object",
        "pull-object",
        "confirm-message-received",
    )
)
"""Routes of ``flwr.superlink.routers.fleet.router`` (flwr 1.41) that are forwarded."""

REGISTRATION_PATHS: Final = ("/v1/fleet/register-node", "/v1/fleet/unregister-node")
"""The other two: a node without a key calls them; here a coordinator registers keys."""

_FORWARDED: Final = frozenset(path.encode() for path in FLEET_PATHS)
_REGISTRATION: Final = frozenset(path.encode() for path in REGISTRATION_PATHS)


def refusal_of(method: bytes, target: bytes) -> Refusal | None:
    """Why a request is not forwarded; None when it is.

    Parameters
    ----------
    method, target : bytes
        As they stand in the request line.
    """
    if target in _REGISTRATION:
        return NOT_REGISTERED_HERE
    if target not in _FORWARDED:
        return PATH_REFUSED
    return None if method == b"POST" else BAD_METHOD
