"""How a clinic makes each noised sum once and for ever.

A deployed clinic charges its privacy ledger before anything leaves, and gives the same bytes
whenever it is asked again; a simulated one keeps no books. Which of the two applies is decided by
how its side of a study was opened, never by a message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from client.ledger import Ledger, contribute_once
from shared.errors import PrivacyError
from shared.privacy.planner import PlannedRelease

__all__ = ["InLedger", "ReleaseBook", "Unrecorded"]


class ReleaseBook(Protocol):
    """Where a clinic's releases are accounted for."""

    def ready(self, study: str) -> str:
        """Check that the study is open here and return the ledger's head."""
        ...

    def once(
        self,
        study: str,
        release: PlannedRelease,
        input_digest: str,
        create: Callable[[], bytes],
        echoed_head: str,
    ) -> tuple[bytes, str]:
        """Return the release's bytes and the ledger's head, creating them at most once."""
        ...


class Unrecorded:
    """No books: for simulated participants, who have no privacy to lose."""

    def ready(self, study: str) -> str:
        """Nothing to check."""
        return ""

    def once(
        self,
        study: str,
        release: PlannedRelease,
        input_digest: str,
        create: Callable[[], bytes],
        echoed_head: str,
    ) -> tuple[bytes, str]:
        """Create anew at every call."""
        return create(), ""


@dataclass(frozen=True)
class InLedger:
    """Releases charged to the clinic's ledger and kept in its site folder.

    Attributes
    ----------
    ledger : Ledger
    folder : Path
        The site folder.
    """

    ledger: Ledger
    folder: Path

    def ready(self, study: str) -> str:
        """Verify the ledger and that the study is open in it.

        Raises
        ------
        PrivacyError
            When the study was never opened here or has been closed.
        """
        with self.ledger.locked() as book:
            if book.study(study).closed:
                raise PrivacyError(
                    f"study {study[:12]}... was ended at this clinic; nothing more is released "
                    "for it"
                )
            return book.head

    def once(
        self,
        study: str,
        release: PlannedRelease,
        input_digest: str,
        create: Callable[[], bytes],
        echoed_head: str,
    ) -> tuple[bytes, str]:
        """Replay the stored bytes, or charge the ledger and create them."""
        return contribute_once(
            self.ledger,
            self.folder,
            study=study,
            round_number=release.round,
            kind=release.kind,
            sigma=release.sigma,
            input_digest=input_digest,
            create=create,
            echoed_head=echoed_head or None,
        )
