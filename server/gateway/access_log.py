"""One line of JSON for each request, and for each connection that came to nothing.

A line says when, who, which route, how many bytes and what came of it; never a body, a header or a
query, which may hold keys. The file is its owner's only and is kept within a fixed size.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

__all__ = ["Access", "AccessLog"]

_FILE_BYTES: Final = 10 * 2**20
_OLD_FILES: Final = 5
_LONGEST_PATH: Final = 120
"""Characters; the longest true route has 34."""


@dataclass(frozen=True)
class Access:
    """What the log keeps of one request.

    Attributes
    ----------
    peer : str
        Address and port of the client.
    path : str
        Route without its query; empty when the connection never got so far.
    status : int
        HTTP status of the answer; 0 when none was sent.
    received_bytes, sent_bytes : int
        Bodies only.
    seconds : float
        From the head of the request to the end of the answer.
    outcome : str
        ``forwarded``, ``refused: NAME CODE``, ``broken off: ...`` or ``no TLS: ...``.
    """

    peer: str
    path: str
    status: int
    received_bytes: int
    sent_bytes: int
    seconds: float
    outcome: str


class AccessLog:
    """Access log in a file that rotates by size (10 MiB, five old ones).

    Parameters
    ----------
    path : Path or None
        None keeps no log.
    clock : callable
        Time of day, for the lines.
    """

    def __init__(
        self, path: Path | None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock = clock
        self._handler: _OwnerOnlyFile | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handler = _OwnerOnlyFile(
                path, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8"
            )

    def write(self, access: Access) -> None:
        """Append one line; a full disk never stops the gateway."""
        if self._handler is None:
            return
        line = {"time": self._clock().isoformat(timespec="milliseconds"), **asdict(access)}
        line["path"] = access.path.partition("?")[0][:_LONGEST_PATH]
        line["seconds"] = round(access.seconds, 3)
        # JSON in ASCII: a client cannot write line ends or control characters into the log.
        text = json.dumps(line, ensure_ascii=True)
        self._handler.handle(logging.LogRecord("access", 20, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None


class _OwnerOnlyFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the standard answer is a traceback on stderr for each request."""
