"""A reviewer's private key: made and used on the reviewer's own computer, never on the server.

The file has OpenSSH's format, so that OpenSSH's and Flower's own tools read it; with a passphrase
it is encrypted with a key that bcrypt derives.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from shared.errors import InputError
from shared.files import write_atomic
from shared.signing.reviewer import Reviewer
from shared.signing.trusted_entities import read_reviewers, write_trusted_entities

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["ENTITY_FILE", "KEY_FILE", "SHORTEST_PASSPHRASE", "ReviewerKey"]

KEY_FILE: Final = "reviewer.key"
ENTITY_FILE: Final = "reviewer.yaml"

SHORTEST_PASSPHRASE: Final = 12
"""Characters."""

_BCRYPT_ROUNDS: Final = 64
"""About half a second a guess; OpenSSH's own default is 24."""


class ReviewerKey:
    """A reviewer's Ed25519 key pair. ``repr`` shows the public half only.

    Attributes
    ----------
    reviewer : Reviewer
    """

    __slots__ = ("_private", "reviewer")

    def __init__(self, private: "Ed25519PrivateKey", name: str) -> None:
        self._private = private
        self.reviewer = Reviewer(name, private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"ReviewerKey({self.reviewer.key_id})"

    @classmethod
    def generate(cls, name: str) -> Self:
        """Draw a new key from the operating system."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate(), name)

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._private.sign(message)

    def write(self, folder: Path, passphrase: str | None = None) -> None:
        """Write ``reviewer.key`` (secret) and ``reviewer.yaml`` (public) into a folder.

        Raises
        ------
        InputError
            When the folder holds a key already, or the passphrase is short.
        """
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            KeySerializationEncryption,
            NoEncryption,
            PrivateFormat,
        )

        if passphrase is not None and len(passphrase) < SHORTEST_PASSPHRASE:
            raise InputError(
                f"a passphrase of {len(passphrase)} characters asked; give "
                f"{SHORTEST_PASSPHRASE} at least, or none"
            )
        for name in (KEY_FILE, ENTITY_FILE):
            if (folder / name).exists():
                raise InputError(
                    f"{folder / name} is there already; a lost key cannot be made again, so "
                    "nothing is overwritten. Give another folder"
                )
        locked: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            locked = (
                PrivateFormat.OpenSSH.encryption_builder()
                .kdf_rounds(_BCRYPT_ROUNDS)
                .build(passphrase.encode("utf-8"))
            )
        secret = self._private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, locked)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            folder.chmod(0o700)
        write_atomic(folder / KEY_FILE, secret)
        write_trusted_entities(folder / ENTITY_FILE, [self.reviewer])

    @classmethod
    def read(cls, path: Path, ask: Callable[[], str]) -> Self:
        """Read a private key, and the reviewer's name from ``reviewer.yaml`` beside it.

        Parameters
        ----------
        path : Path
            The private key.
        ask : callable
            Gives the passphrase; called only when the key has one.

        Raises
        ------
        InputError
            When either file is missing or damaged or they do not belong together, when others may
            read the key, or when the passphrase is wrong.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key

        try:
            open_to_others = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"key {path} cannot be read: {error.strerror or error}") from None
        if os.name == "posix" and open_to_others:
            raise InputError(
                f"other users of this computer may read or change {path}; make it yours alone "
                "(chmod 600) and ask yourself whether it is still a secret"
            )
        try:
            try:
                private = load_ssh_private_key(content, password=None)
            except TypeError:  # it has a passphrase
                private = load_ssh_private_key(content, password=ask().encode("utf-8"))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InputError(
                f"{path} cannot be opened: the passphrase is wrong, or this is no private key "
                "that `fedaffect-server reviewer new` made"
            ) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise InputError(f"{path} is no Ed25519 key; make one with `reviewer new`")
        beside = read_reviewers(path.with_name(ENTITY_FILE))
        key = cls(private, beside[0].name)
        if beside != (key.reviewer,):
            raise InputError(f"{path.with_name(ENTITY_FILE)} does not belong to the key {path}")
        return key
