"""What a clinic is asked to approve: a bundle with its reviewers' signatures.

It comes either as the bundle itself with the signature files beside it, or as a code registration:
one small file with the bundle's facts and all signatures, without the program's bytes. Both are
enough, because the signatures are over the bytes' SHA-256 and the node checks the bytes when they
arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InputError
from shared.files import write_atomic
from shared.signing.bundle import Bundle, BundleFacts, read_bundle
from shared.signing.record import LARGEST_RECORD, SignatureRecord, check_records
from shared.signing.reviewer import Reviewer

__all__ = ["CodeOffer", "read_offer", "signature_path", "write_registration"]

_MOST_SIGNATURES: Final = 50
_SIGNATURE_END: Final = ".signature.json"


@dataclass(frozen=True)
class CodeOffer:
    """A bundle's facts and the signatures under it, all of them genuine.

    Attributes
    ----------
    facts : BundleFacts
    records : tuple of SignatureRecord
        May be empty: an unsigned bundle.
    bundle : Bundle or None
        The program itself, when it came along.
    """

    facts: BundleFacts
    records: tuple[SignatureRecord, ...]
    bundle: Bundle | None

    @property
    def signers(self) -> tuple[Reviewer, ...]:
        """Who signed, in the order of the records."""
        return tuple(record.signer for record in self.records)


class _Registration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["fedaffect code registration 1"] = "fedaffect code registration 1"
    bundle: BundleFacts
    signatures: Annotated[tuple[SignatureRecord, ...], Field(max_length=_MOST_SIGNATURES)]


def signature_path(bundle: Path, reviewer: Reviewer) -> Path:
    """Where a reviewer's signature of a bundle file lies: beside it."""
    return bundle.with_name(f"{bundle.name}.{reviewer.key_id}{_SIGNATURE_END}")


def write_registration(path: Path, facts: BundleFacts, records: Sequence[SignatureRecord]) -> None:
    """Write a bundle's facts and signatures to one small file.

    Raises
    ------
    InputError
        When a signature is not genuine or about another bundle, or there are too many.
    """
    check_records(facts, records)
    if len(records) > _MOST_SIGNATURES:
        raise InputError(f"{len(records)} signatures; a registration holds {_MOST_SIGNATURES}")
    registration = _Registration(bundle=facts, signatures=tuple(records))
    write_atomic(path, registration.model_dump_json(indent=2) + "\n")


def read_offer(path: Path, signatures: Sequence[Path] = ()) -> CodeOffer:
    """Read a bundle (``.fab``) with its signatures, or a registration (``.json``).

    Parameters
    ----------
    path : Path
    signatures : sequence of Path
        Signature files, in addition to those beside the bundle whose names begin with its own.

    Returns
    -------
    CodeOffer
        Every signature in it is genuine and about this bundle; none may be there at all.

    Raises
    ------
    InputError
        When a file is missing or damaged, or any one signature is not genuine or is about another
        bundle.
    """
    bundle: Bundle | None = None
    if path.suffix == ".json":
        registration = _read_registration(path)
        facts, records = registration.bundle, list(registration.signatures)
    else:
        bundle = read_bundle(path)
        facts, records = bundle.facts, []
        beside = [
            file
            for file in sorted(path.parent.iterdir())
            if file.name.startswith(f"{path.name}.") and file.name.endswith(_SIGNATURE_END)
        ]
        given = {file.resolve() for file in signatures}
        records = [SignatureRecord.read(f) for f in beside if f.resolve() not in given]
    records += [SignatureRecord.read(file) for file in signatures]
    check_records(facts, records)
    return CodeOffer(facts, tuple(records), bundle)


def _read_registration(path: Path) -> _Registration:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_RECORD * 2)
    except OSError as error:
        raise InputError(f"registration {path} cannot be read: {error.strerror or error}") from None
    try:
        return _Registration.model_validate_json(content)
    except ValidationError:
        raise InputError(
            f"{path} is no registration of a bundle, or it was edited; ask the coordinator again"
        ) from None
