"""Short form of a document that two people can compare over the telephone."""

import base64
import hashlib
from typing import Final

__all__ = ["same_fingerprint", "spoken_fingerprint"]

_LETTERS: Final = 20
"""Five bits each: making another document with the same fingerprint takes about 2^100 attempts."""

_GROUP: Final = 4


def spoken_fingerprint(content: bytes, *, purpose: str) -> str:
    """Five groups of four letters or digits (A-Z, 2-7), 100 bits of a SHA-256.

    Parameters
    ----------
    content : bytes
    purpose : str
        Keeps a fingerprint of one kind of document from being passed off as one of another.
    """
    digest = hashlib.sha256(purpose.encode() + b"\0" + content).digest()
    letters = base64.b32encode(digest).decode("ascii")[:_LETTERS]
    return "-".join(letters[start : start + _GROUP] for start in range(0, _LETTERS, _GROUP))


def same_fingerprint(one: str, other: str) -> bool:
    """Whether two fingerprints agree, however they were typed (case, spaces, hyphens)."""
    return _bare(one) == _bare(other)


def _bare(fingerprint: str) -> str:
    return "".join(letter for letter in fingerprint.upper() if letter.isalnum())
