"""From bytes to a verified chain of events, and back. No file is touched here.

A ledger is a text of lines. Line n is the canonical JSON (sorted keys, no blanks, ASCII) of

    {"event": ..., "previous": SHA-256 of line n-1, "sequence": n, "time": UTC}

and every line ends with one newline. The hash of a line is over its exact bytes without the
newline; the first line's ``previous`` is 64 zeros. The hash of the last line is the ledger's
**head** and stands for the whole history: a line that is edited, removed or put in changes it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from client.ledger.events import Event, LedgerCreated, UnknownEventError, read_event
from client.ledger.history import History
from shared.errors import LedgerError

__all__ = ["Chain", "Entry", "Fault", "decode_line", "encode_line", "line_digest", "read_chain"]

_NO_PREVIOUS: Final = "0" * 64
_FIELDS: Final = {"event", "previous", "sequence", "time"}


@dataclass(frozen=True)
class Entry:
    """One verified line: its number from 1, when it was written, its event and its hash."""

    sequence: int
    time: datetime
    event: Event
    digest: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with the first line that could not be verified.

    Attributes
    ----------
    line : int
    kind : str
        ``torn``: the file's last line is unfinished, which is what a computer that stops while
        writing leaves behind; ``edited``: anything else that this program did not write;
        ``unknown``: a newer program wrote it; ``empty``: there is no line.
    what : str
        For a person.
    """

    line: int
    kind: Literal["torn", "edited", "unknown", "empty"]
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}; nothing is released. {_ADVICE[self.kind]}"


_ADVICE: Final = {
    "torn": "Run `fedaffect-client ledger repair`",
    "edited": "Restore the newest export with `fedaffect-client ledger restore`",
    "unknown": "Update fedaffect on this computer",
    "empty": "Restore the newest export with `fedaffect-client ledger restore`",
}


@dataclass(frozen=True)
class Chain:
    """What could be verified of a ledger.

    Attributes
    ----------
    entries : tuple of Entry
        The lines from the first up to the first fault.
    history : History
        What these lines say.
    intact_bytes : int
        Length of these lines, newlines included.
    fault : Fault or None
        What is wrong after them; None when nothing is.
    """

    entries: tuple[Entry, ...]
    history: History
    intact_bytes: int
    fault: Fault | None = None

    @property
    def head(self) -> str:
        """Hash of the last verified line."""
        return self.entries[-1].digest if self.entries else _NO_PREVIOUS

    @property
    def created(self) -> LedgerCreated:
        """First event.

        Raises
        ------
        LedgerError
            When not even the first line could be verified.
        """
        if self.history.created is None:
            raise LedgerError(f"the privacy ledger cannot be used: {self.fault}")
        return self.history.created

    def require_intact(self) -> None:
        """Refuse a ledger with a fault.

        Raises
        ------
        LedgerError
            Saying which line, what is wrong, and what to do.
        """
        if self.fault is not None:
            raise LedgerError(f"the privacy ledger cannot be used: {self.fault}")


def line_digest(line: bytes) -> str:
    """SHA-256 of a line's exact bytes without its newline, hexadecimal."""
    return hashlib.sha256(line).hexdigest()


def encode_line(sequence: int, time: datetime, previous: str, event: Event) -> bytes:
    """Bytes of a line, newline included.

    Raises
    ------
    ValueError
        When ``time`` has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError("the ledger's clock must say its time zone")
    stamp = time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {
        "event": event.model_dump(mode="json"),
        "previous": previous,
        "sequence": sequence,
        "time": stamp,
    }
    return _canonical(content) + b"\n"


def read_chain(content: bytes) -> Chain:
    """Verify a ledger's bytes from the first line on.

    Never raises: whatever is wrong stands in the result, with everything verified before it.
    """
    entries: list[Entry] = []
    history = History()
    position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        is_last = end in (-1, len(content) - 1)
        line = content[position : end if end >= 0 else len(content)]
        number = len(entries) + 1
        try:
            if end < 0:
                raise _TornLineError
            entry = decode_line(line, number, entries[-1].digest if entries else _NO_PREVIOUS)
            history.apply(entry.event)
        except _TornLineError:
            fault = (
                Fault(number, "torn", "it is unfinished, as when a computer stops while writing")
                if is_last and entries  # the first line is written whole or not at all
                else Fault(number, "edited", "it is not a line of a ledger: it was edited")
            )
        except UnknownEventError as error:
            fault = Fault(number, "unknown", str(error))
        except LedgerError as error:
            fault = Fault(number, "edited", str(error))
        else:
            entries.append(entry)
            position = end + 1
            continue
        return Chain(tuple(entries), history, position, fault)
    empty = None if entries else Fault(1, "empty", "it is missing: the file is empty")
    return Chain(tuple(entries), history, position, empty)


class _TornLineError(LedgerError):
    """These bytes are no JSON at all."""

    def __init__(self) -> None:
        super().__init__("it is no JSON")


def decode_line(line: bytes, number: int, previous: str) -> Entry:
    """Verify one line, given without its newline.

    Parameters
    ----------
    number : int
        The sequence number it must have.
    previous : str
        The hash of the line before it.

    Raises
    ------
    LedgerError
        When it is no JSON, not canonical, does not continue the line before, or holds an event this
        program does not know.
    """
    raw = _parse(line)
    if not isinstance(raw, dict) or set(raw) != _FIELDS or _canonical(raw) != line:
        raise LedgerError("it is not in the form this program writes: it was edited")
    if type(raw["sequence"]) is not int or raw["sequence"] != number or raw["previous"] != previous:
        raise LedgerError(
            "it does not continue the line before it: a line was edited, removed or put in"
        )
    return Entry(number, _time(raw["time"]), read_event(raw["event"]), line_digest(line))


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line.decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _TornLineError from None


def _canonical(content: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        )
    except (ValueError, RecursionError):  # 1e999 parses as infinity and has no JSON
        return b""
    return text.encode("ascii")


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.utcoffset() is None or not value.endswith("Z"):
        raise LedgerError("its time is not a UTC time")
    return time


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
