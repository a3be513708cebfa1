"""The server's own certificate authority, and the TLS certificate it signs.

Clinics trust this authority and no other for their server, so no public authority, and no
inspecting proxy with a certificate of its own, can stand between. Certificates follow RFC 5280
strictly, as Python 3.13 asks by default.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = [
    "AUTHORITY_DAYS",
    "SERVER_DAYS",
    "certified_hosts",
    "issue_server_certificate",
    "new_authority",
    "new_key",
]

AUTHORITY_DAYS: Final = 7305
"""Twenty years: a new authority means inviting every clinic anew."""

SERVER_DAYS: Final = 397
"""Thirteen months, the longest that programs in general accept."""

_BEFORE: Final = datetime.timedelta(hours=1)
"""Valid a little earlier, so that a clinic's slow clock does not show as a broken certificate."""

_LOOPBACK: Final = ("localhost", "127.0.0.1")
"""The gateway and the coordinator's own commands reach Flower by these, over TLS as well."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """Draw a P-256 key from the operating system."""
    return ec.generate_private_key(ec.SECP256R1())


def new_authority(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    """A certificate by which ``key`` is an authority for servers, and for no further authority.

    Parameters
    ----------
    key : EllipticCurvePrivateKey
    now : datetime
        With a time zone; it is valid from an hour earlier, for 20 years.
    """
    serial = x509.random_serial_number()
    # The serial makes names of authorities differ, as RFC 5280 section 4.1.2.4 wants.
    name = _name(f"fedaffect authority {serial % 16**8:08x}")
    days = datetime.timedelta(days=AUTHORITY_DAYS)
    return (
        x509.CertificateBuilder(serial_number=serial)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def issue_server_certificate(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    hosts: Sequence[str],
    now: datetime.datetime,
) -> x509.Certificate:
    """A server certificate for these hosts and for this machine's loopback.

    Parameters
    ----------
    authority, authority_key
        Who signs.
    key : EllipticCurvePublicKey
        The server's.
    hosts : sequence of str
        Names and IP addresses clinics connect to (subject alternative names), checked before.
    now : datetime
        With a time zone; it is valid from an hour earlier, for 397 days, but no longer than the
        authority.
    """
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys([*hosts, *_LOOPBACK]):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    end = min(now + datetime.timedelta(days=SERVER_DAYS), authority.not_valid_after_utc)
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(_name("fedaffect server"))
        .issuer_name(authority.subject)
        .public_key(key)
        .not_valid_before(max(now - _BEFORE, authority.not_valid_before_utc))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )


def certified_hosts(certificate: x509.Certificate) -> frozenset[str]:
    """Names and IP addresses a server certificate is for, loopback included."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return frozenset(str(name.value) for name in names)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,  # of invitations, by an authority
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
