"""The registration: a clinic's answer to its invitation, with the public halves of its keys.

It proves knowledge of the invitation's one-time secret (HMAC-SHA256, RFC 2104) without holding it,
so it may travel by mail. Who intercepts invitation *and* registration could still replace both;
therefore :attr:`Registration.fingerprint` covers all of it (the keys, and by the invitation's
digest the authority and the address), and two people compare it by telephone. A registration holds
a number that the clinic draws after the invitation is there, so an interceptor cannot prepare both
files together (a collision, 2^50 attempts) but needs a second preimage (2^100).
"""

import hashlib
import hmac
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.deployment.clinic_name import clinic_name_field
from shared.deployment.document import Moment, canonical, read_document, write_document
from shared.deployment.fingerprint import spoken_fingerprint
from shared.deployment.node_key import node_key_field

__all__ = ["Registration", "prove", "read_registration"]

_PURPOSE: Final = "fedaffect registration 1"
_HEADING: Final = """\
Registration of a clinic's node, for `fedaffect-server register`. It holds public keys only.
The coordinator compares its fingerprint with the clinic by telephone."""


class Registration(BaseModel):
    """What a clinic tells the server that invited it.

    Attributes
    ----------
    format : int
        1.
    clinic : str
        As in the invitation.
    invitation : str
        Digest of the invitation it answers.
    authority_sha256 : str
        SHA-256 of the certificate the node will trust.
    node_key : str
        Public Flower key, OpenSSH text.
    mask_key : str
        Public X25519 key of the clinic's masks, hexadecimal.
    software : str
        Program and version at the clinic.
    nonce : str
        128 bits from the clinic's operating system, hexadecimal, new in each registration.
    created : datetime
        By the clinic's clock; UTC, to the second.
    proof : str
        HMAC-SHA256 over all other fields under the invitation's secret, hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    clinic: Annotated[str, AfterValidator(clinic_name_field)]
    invitation: str = Field(pattern=r"^[0-9a-f]{64}$")
    authority_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    node_key: Annotated[str, Field(max_length=400), AfterValidator(node_key_field)]
    mask_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    software: str = Field(min_length=1, max_length=100)
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")
    created: Moment
    proof: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @property
    def fingerprint(self) -> str:
        """What clinic and coordinator read to each other: five groups of four."""
        return spoken_fingerprint(canonical(self, without="proof"), purpose=_PURPOSE)

    def is_proved_by(self, secret: str) -> bool:
        """Whether the proof was made with this secret (hexadecimal), for exactly these fields."""
        return hmac.compare_digest(self.proof, _proof(self, secret))

    def write(self, path: Path) -> None:
        """Write the file that goes to the coordinator."""
        write_document(path, self, _HEADING)


def prove(registration: Registration, secret: str) -> Registration:
    """The same registration with the proof made with the invitation's secret (hexadecimal)."""
    return registration.model_copy(update={"proof": _proof(registration, secret)})


def read_registration(path: Path) -> Registration:
    """Read a registration; the server decides whether to believe it.

    Raises
    ------
    InputError
        When the file is missing or damaged.
    """
    remedy = "ask the clinic to send it again (`fedaffect-client join` writes it anew)"
    return read_document(path, Registration, "registration", remedy)


def _proof(registration: Registration, secret: str) -> str:
    content = _PURPOSE.encode() + b"\0" + canonical(registration, without="proof")
    return hmac.new(bytes.fromhex(secret), content, hashlib.sha256).hexdigest()
