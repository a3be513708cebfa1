"""One reviewer's signature over one bundle.

Two Ed25519 signatures by the same key. Flower's own, over ``int64_be(signed_at)`` followed by the
bundle's SHA-256 (40 bytes), is what a SuperNode checks before it runs anything; it says nothing of
version, needs or names. The second, over a statement of all of these and of the first signature, is
what ``approve-code`` shows to a person. The statement begins with a line of its own and is longer
than 40 bytes, so neither signature can be passed off as the other.
"""

import base64
import binascii
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InputError
from shared.files import write_atomic
from shared.signing.bundle import BundleFacts, Sha256
from shared.signing.reviewer import Reviewer

if TYPE_CHECKING:
    from shared.signing.reviewer_key import ReviewerKey

__all__ = ["LARGEST_RECORD", "SignatureRecord", "check_records", "sign_bundle"]

LARGEST_RECORD: Final = 2**18
"""Bytes of the largest file of signatures that is read."""

_STATEMENT_HEAD: Final = b"fedaffect code signature 1\n"
_SIGNATURE_BYTES: Final = 64

_Signature = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{86}$")]


class SignatureRecord(BaseModel):
    """A signature with everything it covers; as a file, JSON.

    Attributes
    ----------
    bundle : BundleFacts
    reviewer : str
        The reviewer's key and name, ``ssh-ed25519 <key> <name>``.
    signed_at : int
        Seconds since 1970 (UTC), as the reviewer's computer had it.
    signature : str
        Flower's signature, base64url without padding.
    statement_signature : str
        The signature over all of the above, base64url without padding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["fedaffect code signature 1"] = "fedaffect code signature 1"
    bundle: BundleFacts
    reviewer: Annotated[str, Field(max_length=500)]
    signed_at: Annotated[int, Field(ge=0, lt=2**40)]
    signature: _Signature
    statement_signature: _Signature

    @property
    def signer(self) -> Reviewer:
        """Who says to have signed; believe it after :meth:`verify` only."""
        return Reviewer.from_ssh_line(self.reviewer)

    @property
    def signed_on(self) -> str:
        """Day of the signature (UTC), ``2026-11-30``."""
        return datetime.fromtimestamp(self.signed_at, tz=UTC).date().isoformat()

    @property
    def flower_verification(self) -> dict[str, str | int]:
        """The record in the form that Flower passes on to SuperNodes."""
        return {
            "public_key_id": self.signer.key_id,
            "signed_at": self.signed_at,
            "signature": self.signature,
        }

    def verify(self) -> Reviewer:
        """Check both signatures.

        Returns
        -------
        Reviewer
            Who signed. Whether this reviewer is to be trusted is another question.

        Raises
        ------
        InputError
            When either signature is not by that key over exactly this content.
        """
        signer = self.signer
        genuine = signer.verifies(
            _decoded(self.signature), _flower_message(self.bundle.sha256, self.signed_at)
        ) and signer.verifies(_decoded(self.statement_signature), self._statement())
        if not genuine:
            raise InputError(
                f"the signature under the name {signer.name!r} ({signer.key_id}) is not genuine: "
                "it was made with another key, for another bundle, or its file was edited. Do not "
                "use it; ask the reviewer"
            )
        return signer

    def write(self, path: Path) -> None:
        """Write the record to a file of its own."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record's file, without checking its signatures.

        Raises
        ------
        InputError
            When it is missing or no signature record.
        """
        try:
            with path.open("rb") as stream:
                return cls.model_validate_json(stream.read(LARGEST_RECORD))
        except OSError as error:
            raise InputError(
                f"signature {path} cannot be read: {error.strerror or error}"
            ) from None
        except ValidationError:
            raise InputError(
                f"{path} is no signature of a bundle, or it was edited; ask the reviewer again"
            ) from None

    def _statement(self) -> bytes:
        said = self.model_dump(mode="json", exclude={"statement_signature"})
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return _STATEMENT_HEAD + text.encode("utf-8")


def sign_bundle(facts: BundleFacts, key: "ReviewerKey", *, signed_at: int) -> SignatureRecord:
    """Sign a bundle.

    Parameters
    ----------
    facts : BundleFacts
        Of the bundle that the reviewer read.
    key : ReviewerKey
    signed_at : int
        Seconds since 1970 (UTC).

    Returns
    -------
    SignatureRecord
    """
    record = SignatureRecord(
        bundle=facts,
        reviewer=key.reviewer.ssh_line,
        signed_at=signed_at,
        signature=_encoded(key.sign(_flower_message(facts.sha256, signed_at))),
        statement_signature=_encoded(bytes(_SIGNATURE_BYTES)),
    )
    statement = _encoded(key.sign(record._statement()))
    return record.model_copy(update={"statement_signature": statement})


def check_records(facts: BundleFacts, records: Sequence[SignatureRecord]) -> tuple[Reviewer, ...]:
    """Check that every record is genuine and is about exactly this bundle.

    Returns
    -------
    tuple of Reviewer
        One a record, in their order.

    Raises
    ------
    InputError
        At the first record that is not, and when one reviewer stands there twice.
    """
    signers = []
    for record in records:
        signer = record.verify()
        if record.bundle != facts:
            raise InputError(
                f"{signer.name!r} signed version {record.bundle.version} with SHA-256 "
                f"{record.bundle.sha256[:16]}...; this bundle is version {facts.version} with "
                f"SHA-256 {facts.sha256[:16]}... . The bytes were swapped or the signature belongs "
                "to another bundle; get both again"
            )
        signers.append(signer)
    if len({signer.key_id for signer in signers}) != len(signers):
        raise InputError("one reviewer's signature is there twice; keep one of them")
    return tuple(signers)


def _flower_message(digest: Sha256, signed_at: int) -> bytes:
    return struct.pack(">q", signed_at) + bytes.fromhex(digest)


def _encoded(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode("ascii")


def _decoded(signature: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (binascii.Error, ValueError):
        return b""
    return raw if _encoded(raw) == signature else b""  # one signature has one spelling
