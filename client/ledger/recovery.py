"""Ways back to a usable ledger, each explicit, recorded, and unable to bring budget back.

All three rest on one fact (``counter.py``): whatever lies beyond the counter was never released.
So an unfinished last line may be cut, and an export may replace a damaged ledger, exactly when what
remains still contains the counter's head. Where this computer has no counter, the coordinator's
memory of the last head takes its place. What is taken out of a ledger is kept in a file beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.ledger.book import Book
from client.ledger.chain import Chain, encode_line, line_digest, read_chain
from client.ledger.counter import Counter, compare
from client.ledger.events import (
    Event,
    LedgerAdopted,
    LedgerRepaired,
    LedgerRestored,
    ReleaseCreated,
)
from client.ledger.files import LedgerFiles, disk_refusals
from client.ledger.ledger import Ledger
from shared.errors import InputError, LedgerError

__all__ = ["Recovery", "adopt_ledger", "export_ledger", "repair_ledger", "restore_ledger"]

_SHORTEST_HEAD: Final = 16


@dataclass(frozen=True)
class Recovery:
    """What a repair or a restoration did.

    Attributes
    ----------
    events : int
        Lines of the ledger now.
    head : str
    kept : Path or None
        Where the bytes are that were taken out.
    needs_adoption : bool
        This computer has no counter for the ledger, so it must be adopted before use.
    """

    events: int
    head: str
    kept: Path | None
    needs_adoption: bool


def export_ledger(ledger: Ledger, target: Path) -> str:
    """Copy the verified ledger, byte for byte; return its head.

    The copy holds pseudonyms and stays in the clinic, on another disk than the site folder.

    Raises
    ------
    InputError
        When ``target`` exists.
    LedgerError
        When the ledger is not in order, or the system refuses.
    """
    if target.exists():
        raise InputError(f"{target} exists; name a new file, so that no older export is lost")
    with ledger.locked() as book:
        content = ledger.files.read() or b""
        with disk_refusals(f"the export {target} could not be written"):
            ledger.files.disk.replace(target, content)
        return book.head


def repair_ledger(files: LedgerFiles) -> Recovery | None:
    """Cut an unfinished last line off; None when the ledger has no fault.

    Raises
    ------
    LedgerError
        When the fault is another one, or the line was finished once and counted: then a part of
        the ledger was cut away, and only an export helps.
    """
    with files.site_lock():
        content = files.read() or b""
        chain = files.read_chain()
        if chain.fault is None:
            return None
        if chain.fault.kind != "torn":
            raise LedgerError(f"repair mends an unfinished last line only; here {chain.fault}")
        created = chain.created
        with files.counter_lock(created.ledger):
            counter = files.read_counter(created.ledger)
            if counter is not None:
                compare(chain, counter)
            cut = content[chain.intact_bytes :]
            kept = files.beside(cut, "cut")
            with disk_refusals("the unfinished line could not be kept"):
                files.disk.replace(kept, cut)
            event = LedgerRepaired(cut_bytes=len(cut), cut_digest=line_digest(cut))
            return _replace(files, chain, content[: chain.intact_bytes], event, counter, kept)


def restore_ledger(files: LedgerFiles, export: Path) -> Recovery:
    """Replace a missing, damaged or rolled-back ledger by an export of it.

    Raises
    ------
    InputError
        When the export cannot be read.
    LedgerError
        When the export is damaged, of another ledger, or older than this computer remembers, or
        when the ledger in place is in order.
    """
    try:
        content = export.read_bytes()
    except OSError as error:
        raise InputError(
            f"the export {export} cannot be read ({error.strerror}); name a file made by "
            "`fedaffect-client ledger export`"
        ) from None
    chain = read_chain(content)
    if chain.fault is not None:
        raise LedgerError(f"the export {export} cannot be used: {chain.fault}")
    created = chain.created
    with disk_refusals("the site folder could not be made"):
        files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with files.site_lock():
        files.refuse_second_ledger(created.ledger)
        with files.counter_lock(created.ledger):
            counter = files.read_counter(created.ledger)
            present = files.read()
            if present is not None:
                _refuse_needless_restore(read_chain(present), chain, counter)
            if counter is not None:
                _refuse_old_export(chain, counter)
            kept = None
            if present is not None:
                kept = files.beside(present, "replaced")
                with disk_refusals("the damaged ledger could not be kept"):
                    files.disk.replace(kept, present)
            event = LedgerRestored(replaced_digest=line_digest(present) if present else None)
            return _replace(files, chain, content, event, counter, kept)


def adopt_ledger(files: LedgerFiles, confirmed_head: str | None) -> str:
    """Accept a ledger on a computer that has no counter for it; return its new head.

    Parameters
    ----------
    confirmed_head : str or None
        The last head the coordinator has of this clinic, all of it or its first 16 digits or more;
        None when the coordinator has none.

    Raises
    ------
    InputError
        When the head is too short or no hexadecimal number, or there is nothing to adopt.
    LedgerError
        When the ledger has a fault, was rolled back, or never had the confirmed head.
    """
    with files.site_lock():
        chain = files.read_chain()
        chain.require_intact()
        created = chain.created
        files.refuse_second_ledger(created.ledger)
        with files.counter_lock(created.ledger):
            counter = files.read_counter(created.ledger)
            if counter is not None:
                compare(chain, counter)
                raise InputError(
                    "there is nothing to adopt: this computer has the counter of this ledger, and "
                    "they agree"
                )
            book = Book(chain, files)
            try:
                book.record(LedgerAdopted(confirmed_head=_confirmed(chain, confirmed_head)))
                return book.head
            finally:
                book.end()


def _confirmed(chain: Chain, head: str | None) -> str | None:
    if head is None:
        if any(isinstance(entry.event, ReleaseCreated) for entry in chain.entries):
            raise LedgerError(
                "this ledger holds contributions, so the coordinator has received a head of it; "
                "ask for it again"
            )
        return None
    asked = head.strip().casefold()
    if not _SHORTEST_HEAD <= len(asked) <= 64 or not set(asked) <= set("0123456789abcdef"):
        raise InputError(
            f"a head is a number of 64 hexadecimal digits; give at least its first {_SHORTEST_HEAD}"
        )
    found = [entry.digest for entry in chain.entries if entry.digest.startswith(asked)]
    if not found:
        raise LedgerError(
            "this ledger never had the head that the coordinator remembers: it is an older copy, "
            "or another ledger; nothing is released. Restore a newer export with `fedaffect-client "
            "ledger restore`"
        )
    return found[0]


def _refuse_needless_restore(present: Chain, export: Chain, counter: Counter | None) -> None:
    if not present.entries:
        return
    if present.created.ledger != export.created.ledger:
        raise LedgerError(
            f"the export is of another ledger, of clinic {export.created.clinic!r}; the one here "
            f"is of clinic {present.created.clinic!r}"
        )
    if present.fault is not None:
        return
    if counter is None:
        raise LedgerError(
            "the ledger here has no fault, and this computer has no counter for it; run "
            "`fedaffect-client ledger adopt` instead"
        )
    try:
        compare(present, counter)
    except LedgerError:
        return
    raise LedgerError("the ledger here is in order; there is nothing to restore")


def _refuse_old_export(export: Chain, counter: Counter) -> None:
    try:
        compare(export, counter)
    except LedgerError:
        raise LedgerError(
            f"the export is older than this computer remembers: it has {len(export.entries)} "
            f"events and not the head of event {counter.events}; nothing was changed. Find a newer "
            "export. Without one, the children of this ledger can enter no further study"
        ) from None


def _replace(
    files: LedgerFiles,
    chain: Chain,
    content: bytes,
    event: Event,
    counter: Counter | None,
    kept: Path | None,
) -> Recovery:
    """Write ``content`` and one more line as the ledger, then count it if it is counted here."""
    events = len(chain.entries) + 1
    line = encode_line(events, files.clock(), chain.head, event)
    head = line_digest(line[:-1])
    created = chain.created
    with disk_refusals("the privacy ledger could not be written"):
        files.disk.replace(files.ledger, content + line)
        if counter is not None:
            files.write_counter(events, head, created.ledger, created.clinic)
    return Recovery(events, head, kept, needs_adoption=counter is None)
