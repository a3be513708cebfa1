"""The ledger's counter: its length and its head, kept outside the site folder.

A site folder that is copied back from an older copy brings back an older ledger, and with it a
budget that was spent. The counter does not travel with the folder, so it notices.

**Order of writes.** A line is appended to the ledger and synced, then the counter is replaced and
synced, and only then may anything leave. So the counter may lag behind the ledger by what was
being written when the computer stopped, and is then brought up to date; a ledger that lags behind
its counter was rolled back. Whatever lies beyond the counter was never released.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client.ledger.chain import Chain
from shared.errors import LedgerError
from shared.state_folder import default_state_folder

__all__ = ["Counter", "compare", "default_state_folder", "read_counter"]


class Counter(BaseModel):
    """Content of the counter file.

    Attributes
    ----------
    ledger : str
        Id of the ledger it counts.
    clinic, folder : str
        Whose it is and where it was last used, for the person who finds this file, and to notice a
        ledger that was deleted and made anew in the same place.
    events : int
        Number of lines.
    head : str
        Hash of the last of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    ledger: str
    clinic: str
    folder: str
    events: Annotated[int, Field(strict=True, ge=1)]
    head: str

    def to_bytes(self) -> bytes:
        """Content of the file."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def read_counter(path: Path) -> Counter | None:
    """Read a counter file; None when there is none, or none that can be read.

    An unreadable counter proves nothing, so it counts as a missing one: both refuse every release
    until the ledger is adopted.
    """
    try:
        return Counter.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def compare(chain: Chain, counter: Counter | None) -> bool:
    """Whether the counter lags behind the ledger and is to be brought up to date.

    Parameters
    ----------
    chain : Chain
        At least its first line is intact.

    Raises
    ------
    LedgerError
        When there is no counter, or the ledger was rolled back or edited.
    """
    if counter is None:
        raise LedgerError(
            "this computer has no counter for the privacy ledger, as after a move to a new "
            "computer; nothing is released. Get the last ledger head from the coordinator over "
            "the telephone and run `fedaffect-client ledger adopt`"
        )
    if counter.events > len(chain.entries):
        raise LedgerError(
            "the privacy ledger is older than this computer remembers: it was copied back or cut "
            "off; nothing is released. Restore the newest export with `fedaffect-client ledger "
            "restore`"
        )
    if chain.entries[counter.events - 1].digest != counter.head:
        raise LedgerError(
            "the privacy ledger is not the one this computer remembers: a line was edited, or it "
            "was copied back from another computer; nothing is released. Restore the newest "
            "export with `fedaffect-client ledger restore`"
        )
    return counter.events < len(chain.entries)
