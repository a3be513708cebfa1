"""Every error a user can meet, in one tree.

    FedaffectError              a person can act on it; the commands print no traceback
    ├── InputError              an option, column, file or row is not what it should be   (exit 2)
    ├── PrivacyError            a release was refused; nothing left the clinic            (exit 3)
    │   └── LedgerError         the privacy ledger is damaged or rolled back, or forbids it
    │       └── BudgetError     a participant's budget does not hold what was asked
    └── FederationError         a clinic is missing, late or answered something invalid   (exit 4)

A message says what was asked, what is there, and what to do next. It never holds a value from a
participant's data.
"""

from collections.abc import Iterable

__all__ = [
    "BudgetError",
    "FedaffectError",
    "FederationError",
    "InputError",
    "LedgerError",
    "PrivacyError",
]


class FedaffectError(Exception):
    """Base of all errors that carry a message for a person."""

    exit_code = 1


class InputError(FedaffectError):
    """An option, a column, a file or a row is not what it should be."""

    exit_code = 2


class PrivacyError(FedaffectError):
    """A release was refused, so nothing left the clinic."""

    exit_code = 3


class LedgerError(PrivacyError):
    """The clinic's privacy ledger is damaged or was rolled back, or it forbids what was asked.

    Attributes
    ----------
    participants : tuple of str
        Whom it is about, for the clinic's own terminal. The message may travel to the server, so it
        never names or counts them.
    """

    def __init__(self, message: str, participants: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.participants = tuple(participants)


class BudgetError(LedgerError):
    """A participant's remaining privacy budget does not hold what was asked."""


class FederationError(FedaffectError):
    """A clinic is missing, late, or answered something that cannot be used."""

    exit_code = 4
