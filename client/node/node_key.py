"""The node's private Flower key: made at the clinic, never sent anywhere.

An ECDSA key on P-384 in OpenSSH's private format without a password, which is what Flower 1.41's
``--auth-supernode-private-key`` reads. The file is readable by its owner only.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from shared.deployment.node_key import node_key_text
from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["create_node_key", "read_node_key"]


def create_node_key(path: Path) -> str:
    """Draw a key from the operating system, keep it in ``path``, return its public half."""
    key = ec.generate_private_key(ec.SECP384R1())
    write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return node_key_text(key.public_key())


def read_node_key(path: Path) -> str:
    """Public half of the private key in ``path``: ``ecdsa-sha2-nistp384 AAAA...``.

    Raises
    ------
    InputError
        When the file is missing or damaged.
    """
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing; copy it back from a backup. Without it the server does not know "
            "this node"
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP384R1):
        raise InputError(f"{path} is damaged; copy it back from a backup")
    return node_key_text(key.public_key())
