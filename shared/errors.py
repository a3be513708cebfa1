"""Every error a user can meet, in one tree.

    FedaffectError              a person can act on it; the commands print no traceback
    ├── InputError              an option, column, file or row is not what it should be   (exit 2)
    ├── PrivacyError            a release was refused; nothing left the clinic            (exit 3)
    └── FederationError         a clinic is missing, late or answered something invalid   (exit 4)

A message says what was asked, what is there, and what to do next. It never holds a value from a
participant's data.
"""

__all__ = ["FedaffectError", "FederationError", "InputError", "PrivacyError"]


class FedaffectError(Exception):
    """Base of all errors that carry a message for a person."""

    exit_code = 1


class InputError(FedaffectError):
    """An option, a column, a file or a row is not what it should be."""

    exit_code = 2


class PrivacyError(FedaffectError):
    """A release was refused, so nothing left the clinic."""

    exit_code = 3


class FederationError(FedaffectError):
    """A clinic is missing, late, or answered something that cannot be used."""

    exit_code = 4
