"""A reviewer as others know them: a name and an Ed25519 public key (RFC 8032).

The identifier that Flower looks a key up by is derived from the key itself, so nobody can offer
another key under a reviewer's identifier.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final, Self

from shared.deployment.fingerprint import spoken_fingerprint
from shared.errors import InputError

__all__ = ["Reviewer"]

_KEY_TYPE: Final = "ssh-ed25519"
_KEY_BYTES: Final = 32
_SSH_HEAD: Final = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
"""What precedes the 32 key bytes in the SSH wire format (RFC 8709, section 4)."""

_LONGEST_NAME: Final = 100
_ID_DIGITS: Final = 32


@dataclass(frozen=True)
class Reviewer:
    """Somebody who reads the program before clinics run it.

    Attributes
    ----------
    name : str
        As the person wrote it; 1 to 100 printable characters.
    public_key : bytes
        32 bytes.

    Raises
    ------
    InputError
        When the name or the key is not usable.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        name = self.name
        if not 1 <= len(name) <= _LONGEST_NAME or name != name.strip() or not name.isprintable():
            raise InputError(
                f"reviewer name {name!r} asked; give 1 to {_LONGEST_NAME} printable characters "
                "without space at the ends"
            )
        if len(self.public_key) != _KEY_BYTES:
            raise InputError(
                f"the key of reviewer {name} has {len(self.public_key)} bytes instead of "
                f"{_KEY_BYTES}; ask the reviewer for the file again"
            )

    @property
    def key_id(self) -> str:
        """Identifier of the key, derived from it: ``fpk_`` and 32 hexadecimal digits."""
        digest = hashlib.sha256(b"fedaffect reviewer key 1" + self.public_key).hexdigest()
        return f"fpk_{digest[:_ID_DIGITS]}"

    @property
    def fingerprint(self) -> str:
        """Five groups of four letters or digits (A-Z, 2-7), to compare over the telephone."""
        return spoken_fingerprint(self.public_key, purpose="fedaffect reviewer key 1")

    @property
    def ssh_line(self) -> str:
        """The key as OpenSSH and Flower write it: type, base64, name."""
        body = base64.b64encode(_SSH_HEAD + self.public_key).decode("ascii")
        return f"{_KEY_TYPE} {body} {self.name}"

    @classmethod
    def from_ssh_line(cls, line: str) -> Self:
        """Read what :attr:`ssh_line` gives.

        Raises
        ------
        InputError
            When it is no Ed25519 key with a name behind it.
        """
        parts = line.split(" ", 2)
        if len(parts) != 3 or parts[0] != _KEY_TYPE:
            raise InputError(
                f"a reviewer's key reads '{_KEY_TYPE} <key> <name>'; another kind of line is here"
            )
        try:
            wire = base64.b64decode(parts[1], validate=True)
        except (binascii.Error, ValueError):
            wire = b""
        if not wire.startswith(_SSH_HEAD):
            raise InputError("a reviewer's key is damaged; ask the reviewer for the file again")
        return cls(parts[2], wire[len(_SSH_HEAD) :])

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this reviewer's private key made ``signature`` over ``message``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True
