"""The clinic's privacy ledger: what was released about whom, for ever.

Start at ``events.py`` (what is remembered), then ``chain.py`` (how it is written), ``history.py``
and ``budget.py`` (what it adds up to), ``book.py`` and ``ledger.py`` (how it is used),
``contribution.py`` (the one way to a release), ``counter.py`` and ``recovery.py`` (faults).
"""

from client.ledger.book import Book, LineageEntry, WithdrawalOutcome
from client.ledger.budget import Limit
from client.ledger.contribution import contribute_once, destroy_contributions
from client.ledger.counter import default_state_folder
from client.ledger.events import (
    Event,
    ExcludedParticipant,
    PlannedRelease,
    ReleaseCreated,
    StudyOpened,
)
from client.ledger.files import LedgerFiles
from client.ledger.history import StudyRecord
from client.ledger.ledger import Ledger, create_ledger, open_ledger
from client.ledger.recovery import (
    Recovery,
    adopt_ledger,
    export_ledger,
    repair_ledger,
    restore_ledger,
)
from shared.errors import BudgetError, LedgerError

__all__ = [
    "Book",
    "BudgetError",
    "Event",
    "ExcludedParticipant",
    "Ledger",
    "LedgerError",
    "LedgerFiles",
    "Limit",
    "LineageEntry",
    "PlannedRelease",
    "Recovery",
    "ReleaseCreated",
    "StudyOpened",
    "StudyRecord",
    "WithdrawalOutcome",
    "adopt_ledger",
    "contribute_once",
    "create_ledger",
    "default_state_folder",
    "destroy_contributions",
    "export_ledger",
    "open_ledger",
    "repair_ledger",
    "restore_ledger",
]
