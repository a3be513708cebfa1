"""Pairwise masks: what makes a clinic's message look random until all messages are added.

Every two clinics agree on a vector of 64-bit integers that nobody else can compute (X25519, RFC
7748, from their keys in the study's roster). One of them adds it to its message, the other
subtracts it, so all masks cancel in the sum over the full roster, and the sum of fewer messages
stays uniform as long as two of the clinics are honest (Bonawitz et al., "Practical Secure
Aggregation for Privacy-Preserving Machine Learning", 2017, without their recovery of lost clinics).
A mask depends on the study, the round and the hash of the round's input: clinics that were shown
different inputs do not cancel.

The keys come from the roster that people signed and approved. Nothing here takes a key from a
message.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from numpy.typing import NDArray

from shared.errors import PrivacyError
from shared.privacy.key_stream import KeyStream

__all__ = ["MaskKey", "fingerprint", "pair_masks"]

_KEY_BYTES: Final = 32
_PUBLIC_KEY: Final = re.compile(r"[0-9a-f]{64}", flags=re.ASCII)
_FIELD_PRIME: Final = 2**255 - 19

_FINGERPRINT_LETTERS: Final = 20
"""Five bits each: finding another key with the same fingerprint takes about 2^100 attempts."""

_GROUP_LETTERS: Final = 4

_CACHED_PAIRS: Final = 2**16
"""A clinic in a study of 1,000 uses 999; a simulation holds all pairs of some 250 clinics."""


class MaskKey:
    """A clinic's private X25519 key, from which its masks follow.

    Whoever knows it and the roster can lift this clinic's masks, so it stays in a file of the
    clinic. It is never shown: ``repr`` gives the public key, and two keys are equal when their
    public keys are.
    """

    __slots__ = ("_private", "_public")

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self._public = private.public_key().public_bytes_raw().hex()

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key from the operating system."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a key that :meth:`to_bytes` gave.

        Raises
        ------
        PrivacyError
            When there are not 32 bytes.
        """
        if len(raw) != _KEY_BYTES:
            raise PrivacyError(
                f"a mask key has {_KEY_BYTES} bytes, {len(raw)} are here; restore the key file "
                "from its backup"
            )
        return cls(X25519PrivateKey.from_private_bytes(raw))

    def to_bytes(self) -> bytes:
        """Return the 32 secret bytes, for the clinic's key file and nothing else."""
        return self._private.private_bytes_raw()

    @property
    def public(self) -> str:
        """Public key for the roster: 64 lower-case hexadecimal characters."""
        return self._public

    def agree(self, public: str) -> bytes:
        """Return the 32 secret bytes shared with the owner of another public key (X25519).

        Raises
        ------
        PrivacyError
            When the other key is malformed, or one whose secret anybody could compute.
        """
        peer = X25519PublicKey.from_public_bytes(_public_bytes(public))
        try:
            return self._private.exchange(peer)
        except ValueError:
            raise PrivacyError(
                f"mask key {public} is a point of low order, with which every shared secret is "
                "zero; the clinic it stands for must make a new key and the study a new roster"
            ) from None

    def __repr__(self) -> str:
        return f"MaskKey(public={self._public!r})"

    def __eq__(self, other: object) -> bool:
        return self._public == other._public if isinstance(other, MaskKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._public)

    def __reduce__(self) -> tuple[object, ...]:
        # Simulated clinics travel to the workers of a Ray cluster with their keys.
        return MaskKey.from_bytes, (self.to_bytes(),)


def fingerprint(public: str) -> str:
    """Short form of a public key that two people can compare over the telephone.

    Parameters
    ----------
    public : str
        Public mask key as it stands in a roster.

    Returns
    -------
    str
        Five groups of four letters or digits (A-Z, 2-7), 100 bits of a SHA-256.

    Raises
    ------
    PrivacyError
        When the key is malformed.
    """
    digest = hashlib.sha256(b"fedaffect mask key 1" + _public_bytes(public)).digest()
    letters = base64.b32encode(digest).decode("ascii")[:_FINGERPRINT_LETTERS]
    starts = range(0, _FINGERPRINT_LETTERS, _GROUP_LETTERS)
    return "-".join(letters[start : start + _GROUP_LETTERS] for start in starts)


def pair_masks(
    own: MaskKey,
    roster: Sequence[str],
    *,
    study: str,
    round_number: int,
    input_digest: str,
    length: int,
) -> NDArray[np.uint64]:
    """Sum of one clinic's masks with all others of the roster, modulo 2^64.

    Parameters
    ----------
    own : MaskKey
        This clinic's key; its public half must stand in the roster.
    roster : sequence of str
        Public mask keys of all clinics of the study, in any order.
    study : str
        Hash of the study.
    round_number : int
        Round of the study the message is for.
    input_digest : str
        Hash of the round's input as this clinic received it.
    length : int
        Coordinates of the message, >= 1.

    Returns
    -------
    ndarray of uint64, shape (length,)
        Plus the common mask for every clinic whose key sorts after ours, minus it for the others.

    Raises
    ------
    PrivacyError
        When the roster has fewer than two keys, a key twice, a malformed key, one of low order, or
        lacks our own.
    """
    if length < 1:
        raise PrivacyError(f"masks for {length} coordinates asked; a message has at least one")
    _check_roster(own, roster)
    context = (
        study.encode(),
        str(round_number).encode(),
        input_digest.encode(),
        str(length).encode(),
    )
    mine = own.public
    total = np.zeros(length, dtype=np.uint64)
    for peer in roster:
        if peer == mine:
            continue
        pair = (mine, peer) if mine < peer else (peer, mine)
        parts = (*context, *(bytes.fromhex(public) for public in pair))
        stream = KeyStream(_pair_secret(own, peer), b"pairwise mask", parts)
        mask = np.frombuffer(stream.read(8 * length), dtype="<u8")
        if mine < peer:
            total += mask
        else:
            total -= mask
    return total


@functools.lru_cache(maxsize=_CACHED_PAIRS)
def _pair_secret(own: MaskKey, peer: str) -> bytes:
    return own.agree(peer)


def _check_roster(own: MaskKey, roster: Sequence[str]) -> None:
    if len(roster) < 2:
        raise PrivacyError(
            f"a secure sum over {len(roster)} clinics asked; with fewer than two there is nobody "
            "to share a mask with. Add clinics to the study"
        )
    for public in roster:
        _public_bytes(public)
    seen: set[str] = set()
    for public in roster:
        if public in seen:
            raise PrivacyError(
                f"mask key {public} stands twice in the roster; every clinic needs a key of its "
                "own. Ask the coordinator for a corrected study"
            )
        seen.add(public)
    if own.public not in seen:
        raise PrivacyError(
            f"this clinic's mask key {own.public} is not in the roster of {len(roster)} keys; ask "
            "the coordinator for a study with this key, or restore the key file it was made with"
        )


def _public_bytes(public: str) -> bytes:
    """Read a roster's key. One key has one spelling, so that none can stand twice in disguise."""
    if not _PUBLIC_KEY.fullmatch(public):
        raise PrivacyError(
            f"mask key {public!r} is malformed; a public key is 64 characters of 0-9 and a-f, as "
            "the clinic's own command printed it"
        )
    raw = bytes.fromhex(public)
    if int.from_bytes(raw, "little") >= _FIELD_PRIME:
        raise PrivacyError(
            f"mask key {public} is not the usual form of any X25519 key; ask the clinic for the "
            "public key its own command printed"
        )
    return raw
