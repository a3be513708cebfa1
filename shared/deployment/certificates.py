"""Read X.509 certificates, and tell in time that one of them will expire.

An expired certificate stops a federation on a day nobody expects, so :func:`certificate_warnings`
speaks 60, 30 and 7 days ahead; server and clinic ask the same function.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import InputError

__all__ = [
    "CertificateWarning",
    "certificate_sha256",
    "certificate_warnings",
    "check_authority",
    "parse_certificate",
    "read_certificate",
]

_STEPS: Final[tuple[tuple[int, Literal["soon", "now", "last"]], ...]] = (
    (7, "last"),
    (30, "now"),
    (60, "soon"),
)
"""Days that are left, and how loudly to say so."""

_DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True)
class CertificateWarning:
    """One certificate that needs a person.

    Attributes
    ----------
    name : str
        Which certificate.
    level : str
        ``soon`` (60 days or fewer), ``now`` (30), ``last`` (7), ``expired``, ``early`` (not valid
        yet: a clock is wrong).
    days_left : int
        Whole days until it expires, rounded down; negative when it has expired.
    text : str
        What to tell the person.
    """

    name: str
    level: Literal["soon", "now", "last", "expired", "early"]
    days_left: int
    text: str


def certificate_warnings(
    certificates: Mapping[str, x509.Certificate], now: datetime.datetime
) -> list[CertificateWarning]:
    """Which certificates expire within 60 days, or are not valid now, the most urgent first.

    Parameters
    ----------
    certificates : mapping of str to Certificate
        By the name a person knows them under, such as "the server's certificate".
    now : datetime
        With a time zone.

    Returns
    -------
    list of CertificateWarning
        Empty when nothing needs to be done.
    """
    found = []
    for name, certificate in certificates.items():
        end, start = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        left = end - now
        days = left // _DAY
        if now < start:
            found.append(
                CertificateWarning(
                    name,
                    "early",
                    days,
                    f"{name} is valid from {start:%Y-%m-%d %H:%M} UTC, and here it is "
                    f"{now.astimezone(datetime.UTC):%Y-%m-%d %H:%M}; set this computer's clock",
                )
            )
        elif left < datetime.timedelta(0):
            found.append(
                CertificateWarning(name, "expired", days, f"{name} expired on {end:%Y-%m-%d}")
            )
        else:
            level = next((level for most, level in _STEPS if left <= most * _DAY), None)
            if level is not None:
                text = f"{name} expires on {end:%Y-%m-%d}, in {days} days"
                found.append(CertificateWarning(name, level, days, text))
    return sorted(found, key=lambda warning: (warning.level != "early", warning.days_left))


def parse_certificate(pem: str, where: str) -> x509.Certificate:
    """The one certificate of a PEM text.

    Raises
    ------
    InputError
        When there is not exactly one, or it is damaged.
    """
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:  # damaged, none, several, or no ASCII
        raise InputError(f"{where} holds no whole certificate; get the file anew") from None
    return certificate


def read_certificate(path: Path) -> x509.Certificate:
    """The certificate of a PEM file.

    Raises
    ------
    InputError
        When the file is missing or damaged.
    """
    try:
        pem = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; copy it back from a backup") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is damaged; copy it back from a backup") from None
    return parse_certificate(pem, str(path))


def certificate_sha256(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER bytes, hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def check_authority(certificate: x509.Certificate, where: str) -> ec.EllipticCurvePublicKey:
    """Public key of a certificate authority that signed itself.

    Raises
    ------
    InputError
        When it is not a certificate authority with an elliptic-curve key, or not signed by itself.
    """
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        key = certificate.public_key()
        certificate.verify_directly_issued_by(certificate)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        constraints, key = None, None
    if (
        constraints is None
        or not constraints.value.ca
        or not isinstance(key, ec.EllipticCurvePublicKey)
    ):
        raise InputError(f"{where} is not the certificate of a server's authority; get it anew")
    return key
