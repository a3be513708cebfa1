"""A node's public Flower key, as it travels in files.

Flower 1.41 authenticates a SuperNode by an ECDSA signature over a timestamp and takes keys on NIST
curves in OpenSSH's format; ours are P-384, its documented choice.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)

__all__ = ["node_key_field", "node_key_text"]


def node_key_text(key: ec.EllipticCurvePublicKey) -> str:
    """OpenSSH text of a public key, without comment: ``ecdsa-sha2-nistp384 AAAA...``."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def node_key_field(text: str) -> str:
    """Return the text of a P-384 public key in one spelling, for the fields of documents.

    Raises
    ------
    ValueError
        When it is not such a key.
    """
    try:
        key = load_ssh_public_key(text.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise ValueError("not a public ECDSA key on the curve P-384 in OpenSSH's format")
    return node_key_text(key)
