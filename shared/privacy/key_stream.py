"""Random bytes that whoever holds the same secret can make again, for one purpose only.

Masks must be equal at two clinics, and noise must be equal whenever one clinic repeats an answer.
HKDF-SHA256 (RFC 5869) turns the secret and everything that names the use into a key, and ChaCha20
(RFC 8439) stretches that key. Every part of the name is preceded by its length, so two different
names never read the same, and a key serves one stream, so the nonce can be zero.

The bytes are part of the agreement between clinics. Any change of what they depend on, or of how
noise is sampled from them, needs a new ``DERIVATION``: otherwise an answer repeated after an update
would carry other noise under the same mask.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["DERIVATION", "KeyStream"]

DERIVATION: Final = b"fedaffect 1"
"""Version of the derivation; all clinics of a study must use the same."""

_KEY_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_COUNTER_AND_NONCE: Final = bytes(16)


class KeyStream:
    """The bytes that follow from a secret and from what they are for.

    Parameters
    ----------
    secret : bytes
        At least 32 bytes, known to those who may make the stream.
    purpose : bytes
        Kind of use; streams of two purposes are independent.
    parts : sequence of bytes
        What names this one use. Any difference gives an independent stream.
    """

    def __init__(self, secret: bytes, purpose: bytes, parts: Sequence[bytes]) -> None:
        name = b"".join(
            len(part).to_bytes(_LENGTH_BYTES) + part for part in (DERIVATION, purpose, *parts)
        )
        key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=name).derive(secret)
        self._encryptor = Cipher(ChaCha20(key, _COUNTER_AND_NONCE), mode=None).encryptor()

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        return self._encryptor.update(bytes(size))
