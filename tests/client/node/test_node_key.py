import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from flwr.cli.supernode.register import try_load_public_key
from flwr.supernode.cli.flower_supernode import _try_setup_client_authentication

from client.node.node_key import create_node_key, read_node_key
from shared.errors import InputError


def test_flower_reads_both_halves(tmp_path):
    from argparse import Namespace

    public = create_node_key(tmp_path / "node.key")
    assert read_node_key(tmp_path / "node.key") == public
    arguments = Namespace(
        auth_supernode_private_key=str(tmp_path / "node.key"), auth_supernode_public_key=None
    )
    private, derived = _try_setup_client_authentication(arguments)
    assert private.public_key() == derived
    (tmp_path / "node.pub").write_text(public)
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes

    assert try_load_public_key(tmp_path / "node.pub") == public_key_to_bytes(derived)


def test_it_is_new_each_time_and_its_owners_only(tmp_path):
    old_mask = os.umask(0)
    try:
        first = create_node_key(tmp_path / "a")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert create_node_key(tmp_path / "b") != first


def openssh(key, encryption=None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption or NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"none",
        openssh(ec.generate_private_key(ec.SECP384R1()))[:200],
        openssh(ec.generate_private_key(ec.SECP256R1())),
        openssh(ed25519.Ed25519PrivateKey.generate()),
        openssh(ec.generate_private_key(ec.SECP384R1()), BestAvailableEncryption(b"password")),
    ],
)
def test_a_file_flower_could_not_use_is_told(tmp_path, content):
    (tmp_path / "node.key").write_bytes(content)
    with pytest.raises(InputError, match=r"node\.key is damaged; copy it back"):
        read_node_key(tmp_path / "node.key")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"node\.key is missing; copy it back"):
        read_node_key(tmp_path / "node.key")
