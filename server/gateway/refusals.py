"""Every answer that the gateway itself gives, with the text that a clinic reads.

The status codes are chosen by what Flower's node does with them, not by taste (read in
``flwr.supercore.retry.http_retry``, 1.41):

* 502, 503 and 504 are asked again with growing waits. So a busy gateway answers 503, never 429,
  which would end the node.
* 401 ends the node's process, 403 tells it that the run was stopped, without the text. So neither
  is given to a route that a correct node calls: a node without a key gets 404, and shows the text.
* Any other status ends the call; its ``code`` and ``detail`` are shown when the node starts.

Flower's own codes end at 3000; these begin at 9101.
"""

import json
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BAD_METHOD",
    "BODY_TOO_LATE",
    "BODY_TOO_LONG",
    "BUSY",
    "MALFORMED",
    "NOT_REGISTERED_HERE",
    "NO_LENGTH",
    "PATH_REFUSED",
    "REFUSALS",
    "UPSTREAM_DOWN",
    "UPSTREAM_LATE",
    "UPSTREAM_LOST",
    "Refusal",
]


@dataclass(frozen=True)
class Refusal:
    """One answer of the gateway's own.

    Attributes
    ----------
    status : int
        HTTP status.
    code : int
        Number for the list of errors in the documentation.
    name : str
        Name of the same outcome in gRPC, and in the access log.
    detail : str
        What was asked, what is there, what to do next; for the clinic's terminal.
    """

    status: int
    code: int
    name: str
    detail: str

    def body(self) -> bytes:
        """JSON as Flower's own errors are written, so that its node shows ``code`` and text."""
        return json.dumps(
            {"code": self.code, "status": self.name, "detail": self.detail}, ensure_ascii=True
        ).encode()

    @property
    def outcome(self) -> str:
        """How the access log calls it."""
        return f"refused: {self.name} {self.code}"


PATH_REFUSED: Final = Refusal(
    403,
    9101,
    "PERMISSION_DENIED",
    "this address serves the nodes of clinics only, and what was asked for is not one of their "
    "routes. Operators reach the server's other routes on the server itself",
)
BAD_METHOD: Final = Refusal(
    403,
    9102,
    "PERMISSION_DENIED",
    "the routes of clinics' nodes are asked with POST only. Use fedaffect-client, not a browser",
)
NOT_REGISTERED_HERE: Final = Refusal(
    404,
    9103,
    "UNIMPLEMENTED",
    "a node asked to register itself, but this server admits clinics by invitation only. Join with "
    "the invitation file (fedaffect-client join) and start the node with the key made there",
)
MALFORMED: Final = Refusal(
    400,
    9104,
    "INVALID_ARGUMENT",
    "the request is not well-formed HTTP/1.1, or its head is too long. If a proxy stands between "
    "clinic and server, let it pass TLS through unchanged",
)
NO_LENGTH: Final = Refusal(
    411,
    9105,
    "INVALID_ARGUMENT",
    "the request does not say its length. If a proxy stands between clinic and server, let it pass "
    "TLS through unchanged",
)
BODY_TOO_LONG: Final = Refusal(
    413,
    9106,
    "RESOURCE_EXHAUSTED",
    "the message is longer than this server accepts. Check that clinic and server run the same "
    "release of fedaffect; what a study sends is far shorter",
)
BODY_TOO_LATE: Final = Refusal(
    408,
    9107,
    "DEADLINE_EXCEEDED",
    "the message did not arrive in time. Check the clinic's line to the server",
)
BUSY: Final = Refusal(
    503,
    9108,
    "UNAVAILABLE",
    "the server has more requests than it accepts at once, from this address or from all. Nodes "
    "ask again by themselves; if it lasts, the coordinator finds the addresses in the access log",
)
UPSTREAM_DOWN: Final = Refusal(
    503,
    9109,
    "UNAVAILABLE",
    "the gateway runs, but the server behind it does not answer. Nodes ask again by themselves; "
    "the coordinator starts it with fedaffect-server up",
)
UPSTREAM_LATE: Final = Refusal(
    504,
    9110,
    "DEADLINE_EXCEEDED",
    "the server behind the gateway did not answer in time. Nodes ask again by themselves; the "
    "coordinator looks at the server's load and log",
)
UPSTREAM_LOST: Final = Refusal(
    502,
    9111,
    "UNAVAILABLE",
    "the server behind the gateway broke off, or its certificate is not the expected one. Nodes "
    "ask again by themselves; the coordinator looks at the server's log",
)

REFUSALS: Final = (
    PATH_REFUSED,
    BAD_METHOD,
    NOT_REGISTERED_HERE,
    MALFORMED,
    NO_LENGTH,
    BODY_TOO_LONG,
    BODY_TOO_LATE,
    BUSY,
    UPSTREAM_DOWN,
    UPSTREAM_LATE,
    UPSTREAM_LOST,
)
"""All of them, for the documentation."""
