import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from set_up_server import NOW

from shared.deployment.fingerprint import same_fingerprint
from shared.deployment.node_key import node_key_text
from shared.deployment.registration import Registration, prove, read_registration
from shared.errors import InputError
from shared.privacy.masks import MaskKey

SECRET = "5e" * 32
NODE_KEY = node_key_text(ec.generate_private_key(ec.SECP384R1()).public_key())


def registration(**changes) -> Registration:
    fields = {
        "clinic": "Clinic North",
        "invitation": "1a" * 32,
        "authority_sha256": "2b" * 32,
        "node_key": NODE_KEY,
        "mask_key": MaskKey.from_bytes(bytes(range(32))).public,
        "software": "fedaffect 0.1.0",
        "nonce": "3c" * 16,
        "created": NOW,
    }
    return prove(Registration(**(fields | changes)), SECRET)


OTHERS = {
    "clinic": "Clinic South",
    "invitation": "1b" * 32,
    "authority_sha256": "2c" * 32,
    "node_key": node_key_text(ec.generate_private_key(ec.SECP384R1()).public_key()),
    "mask_key": "09" * 32,
    "software": "fedaffect 0.1.1",
    "nonce": "3d" * 16,
    "created": NOW.replace(minute=31),
}


def test_it_is_read_as_it_was_written(tmp_path):
    registration().write(tmp_path / "file")
    read = read_registration(tmp_path / "file")
    assert read == registration()
    assert read.is_proved_by(SECRET)
    assert SECRET not in (tmp_path / "file").read_text()


@pytest.mark.parametrize("field", OTHERS)
def test_proof_and_fingerprint_cover_every_field(field):
    assert set(OTHERS) | {"format", "proof"} == set(Registration.model_fields)
    changed = registration().model_copy(update={field: OTHERS[field]})
    assert not changed.is_proved_by(SECRET)
    assert changed.fingerprint != registration().fingerprint


def test_another_secret_proves_nothing_and_no_proof_is_none():
    assert not registration().is_proved_by("5f" * 32)
    assert not registration().model_copy(update={"proof": ""}).is_proved_by(SECRET)


def test_the_fingerprint_can_be_read_out():
    assert re.fullmatch(r"([A-Z2-7]{4}-){4}[A-Z2-7]{4}", registration().fingerprint)
    spoken = registration().fingerprint
    assert same_fingerprint(spoken.lower().replace("-", " "), spoken)
    assert not same_fingerprint(spoken[:-1], spoken)
    assert not same_fingerprint("", spoken)


def ssh(key) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize(
    "key",
    ["", "none", NODE_KEY[:60], ssh(ec.generate_private_key(ec.SECP256R1())),
     ssh(ed25519.Ed25519PrivateKey.generate()), "é" + NODE_KEY],
    ids=["empty", "a word", "cut short", "another curve", "another kind", "not ASCII"],
)  # fmt: skip
def test_a_node_key_that_flower_would_not_take_is_refused(tmp_path, key):
    file = tmp_path / "file"
    registration().write(file)
    file.write_text(file.read_text().replace(NODE_KEY, key))
    with pytest.raises(InputError, match=r"node_key.*ask the clinic to send it again"):
        read_registration(file)


def test_a_comment_behind_the_key_is_left_out():
    assert registration(node_key=f"{NODE_KEY} me@clinic").node_key == NODE_KEY
