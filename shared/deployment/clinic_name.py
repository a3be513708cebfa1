"""A clinic's name as it stands in invitations, rosters and the names of files."""

import unicodedata
from typing import Final

from shared.errors import InputError

__all__ = ["check_clinic_name", "clinic_name_field"]

_NOT_IN_FILE_NAMES: Final = frozenset('/\\:*?"<>|')
_LONGEST: Final = 100
_MOST_BYTES: Final = 200
"""File systems allow 255 for a name; ".toml" and the parts of a temporary name come on top."""


def check_clinic_name(name: str) -> str:
    """Return the name in Unicode's composed form (NFC), without spaces around it.

    Raises
    ------
    InputError
        When it is empty, too long, or holds letters that a file name cannot have or a person
        cannot see.
    """
    composed = unicodedata.normalize("NFC", name).strip()
    if (
        not 1 <= len(composed) <= _LONGEST
        or len(composed.encode(errors="replace")) > _MOST_BYTES
        or not composed.isprintable()
        or composed.startswith(".")
        or composed.endswith(".")
        or _NOT_IN_FILE_NAMES & set(composed)
    ):
        raise InputError(
            f"clinic name {name!r} asked; a name is 1 to {_LONGEST} visible letters, digits, "
            'spaces or signs other than / \\ : * ? " < > |, with no full stop at its ends'
        )
    return composed


def clinic_name_field(name: str) -> str:
    """As :func:`check_clinic_name`, for the fields of documents, which raise ``ValueError``."""
    try:
        return check_clinic_name(name)
    except InputError as error:
        raise ValueError(str(error)) from None
