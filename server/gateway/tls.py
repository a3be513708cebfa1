"""TLS on both legs: the server's certificate towards the clinics, the CA towards the SuperLink.

TLS 1.3 only: every Python that fedaffect runs on speaks it, and nothing else is meant to call.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from shared.errors import InputError

__all__ = ["client_context", "server_context"]


def server_context(certificate: Path, key: Path, *, now: datetime | None = None) -> ssl.SSLContext:
    """TLS as the server that ``certificate`` names.

    Parameters
    ----------
    certificate, key : Path
        PEM; the certificate is followed by intermediate ones, if there are any.
    now : datetime, optional
        Time of day, with its zone.

    Raises
    ------
    InputError
        When a file is missing or unreadable, the two do not belong together, or the certificate
        is expired or not yet valid.
    """
    for what, path in (("certificate", certificate), ("key", key)):
        _readable(path, f"the server's {what}")
    try:
        first = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError as error:
        raise InputError(
            f"{certificate} is no PEM certificate; give the file that the server's CA wrote"
        ) from error
    _valid_at(first, certificate, now or datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    try:
        # The function keeps OpenSSL from asking for a pass phrase on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise InputError(
            f"{key} is not the key of {certificate}, is protected by a pass phrase, or is no PEM "
            "file; give the two files that were written together"
        ) from error
    return context


def client_context(ca: Path) -> ssl.SSLContext:
    """TLS as a client that trusts one CA and no other.

    Raises
    ------
    InputError
        When the file is missing or holds no certificate.
    """
    _readable(ca, "the CA certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise InputError(
            f"{ca} holds no PEM certificate; give the one of the CA that signed the server's"
        ) from error
    return context


def _readable(path: Path, what: str) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(
            f"{what}, {path}, cannot be read ({error.strerror}); make it with fedaffect-server "
            "init, or give the right file"
        ) from error


def _valid_at(certificate: x509.Certificate, path: Path, now: datetime) -> None:
    if now > certificate.not_valid_after_utc:
        raise InputError(
            f"the certificate {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
            "clinics would refuse it. Renew it with fedaffect-server renew"
        )
    if now < certificate.not_valid_before_utc:
        raise InputError(
            f"the certificate {path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} on, "
            "which this machine's clock has not reached; set the clock"
        )
