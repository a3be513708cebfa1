"""The invitation: one file by which a clinic finds its server, and the server knows the clinic.

It holds the server's certificate authority, so that the clinic's node will speak to no other
server, and a one-time secret, by which the server recognises the answer. It holds no private key.
The authority signs it: a file that was edited, by whoever, is refused. What cannot be told from the
file is whether the authority itself is the right one; the fingerprint that clinic and coordinator
compare by telephone covers it (see ``registration.py``).
"""

import base64
import datetime
import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.deployment.address import check_address
from shared.deployment.certificates import check_authority, parse_certificate
from shared.deployment.clinic_name import clinic_name_field
from shared.deployment.document import Moment, canonical, read_document, write_document
from shared.errors import InputError

__all__ = ["CLOCK_TOLERANCE", "Invitation", "read_invitation", "sign_invitation"]

CLOCK_TOLERANCE: Final = datetime.timedelta(minutes=5)
"""How far two clocks may differ before a file of the other side counts as from the future.

Flower refuses a node whose clock is more than 5 s fast or 5 min slow; files travel for longer.
"""

_ASK_AGAIN: Final = "ask the coordinator for a new invitation"
_SIGNED_AS: Final = b"fedaffect invitation 1\0"
_HEADING: Final = """\
Invitation of one clinic to a federation, for `fedaffect-client join`.
Keep it to yourselves: until the clinic has answered, whoever holds it could answer in its name.
Do not edit it: it is signed."""


class Invitation(BaseModel):
    """What a server tells the clinic it invites.

    Attributes
    ----------
    format : int
        1.
    clinic : str
        Name the clinic will have in rosters.
    address : str
        ``host:port`` the node connects to.
    software : str
        Program and version that the server runs and the clinic needs, as ``software()`` gives it.
    wheel_sha256 : str
        SHA-256 of the wheel to install, hexadecimal; empty when the coordinator named none.
    issued, expires : datetime
        UTC, to the second.
    secret : str
        256 bits from the operating system, hexadecimal; good for one registration.
    authority : str
        The server's CA certificate, PEM.
    signature : str
        ECDSA with SHA-256 of the authority over all other fields, base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    clinic: Annotated[str, AfterValidator(clinic_name_field)]
    address: Annotated[str, AfterValidator(check_address)]
    software: str = Field(min_length=1, max_length=100)
    wheel_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    issued: Moment
    expires: Moment
    secret: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    authority: str = Field(max_length=20_000)
    signature: str = Field(default="", pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=200)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.expires <= self.issued:
            raise ValueError("expires lies before issued")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the signature; names the invitation."""
        return hashlib.sha256(_signed_bytes(self)).hexdigest()

    def certificate(self) -> x509.Certificate:
        """The authority's certificate.

        Raises
        ------
        InputError
            When it is damaged.
        """
        return parse_certificate(self.authority, "the invitation")

    def check(self, now: datetime.datetime) -> None:
        """Refuse an invitation that was edited, has expired, or comes from the future.

        Parameters
        ----------
        now : datetime
            This computer's time, with a time zone.

        Raises
        ------
        InputError
        """
        key = check_authority(self.certificate(), "the invitation's authority")
        try:
            signature = base64.b64decode(self.signature, validate=True)
            key.verify(signature, _signed_bytes(self), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            raise InputError(
                f"the invitation of {self.clinic!r} was changed after the server wrote it; "
                f"{_ASK_AGAIN}"
            ) from None
        here = now.astimezone(datetime.UTC)
        if self.issued > here + CLOCK_TOLERANCE:
            raise InputError(
                f"the invitation was issued on {self.issued:%Y-%m-%d %H:%M} UTC, and on this "
                f"computer it is {here:%Y-%m-%d %H:%M} UTC; set the clock and join again"
            )
        if self.expires <= here:
            raise InputError(
                f"the invitation expired on {self.expires:%Y-%m-%d %H:%M} UTC, and on this "
                f"computer it is {here:%Y-%m-%d %H:%M} UTC; {_ASK_AGAIN}, or set the clock"
            )

    def write(self, path: Path) -> None:
        """Write the file that goes to the clinic, readable by its owner only."""
        write_document(path, self, _HEADING)


def read_invitation(path: Path) -> Invitation:
    """Read an invitation; :meth:`Invitation.check` tells whether it is to be believed.

    Raises
    ------
    InputError
        When the file is missing or damaged.
    """
    return read_document(path, Invitation, "invitation", _ASK_AGAIN)


def sign_invitation(invitation: Invitation, key: ec.EllipticCurvePrivateKey) -> Invitation:
    """The same invitation with the signature of the authority's private key.

    What is signed begins with words that no certificate begins with, so that neither can be passed
    off as the other.
    """
    signature = key.sign(_signed_bytes(invitation), ec.ECDSA(hashes.SHA256()))
    return invitation.model_copy(update={"signature": base64.b64encode(signature).decode()})


def _signed_bytes(invitation: Invitation) -> bytes:
    return _SIGNED_AS + canonical(invitation, without="signature")
