import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import InputError
from shared.signing.reviewer_key import ENTITY_FILE, KEY_FILE, ReviewerKey
from shared.signing.trusted_entities import read_reviewers, write_trusted_entities

PASSPHRASE = "twelve letters, Ü"


def unasked():
    raise AssertionError("a passphrase was asked for")


def test_a_key_without_a_passphrase_is_written_and_read_also_by_flower(tmp_path):
    from flwr.supercore.primitives.asymmetric_ed25519 import load_private_key

    key = ReviewerKey.generate("A. Lind")
    folder = tmp_path / "review"
    key.write(folder)
    again = ReviewerKey.read(folder / KEY_FILE, unasked)
    assert again.reviewer == key.reviewer
    assert again.sign(b"x") == key.sign(b"x")
    assert load_private_key(folder / KEY_FILE).sign(b"x") == key.sign(b"x")
    assert key.reviewer.verifies(key.sign(b"x"), b"x")
    assert not key.reviewer.verifies(key.sign(b"x"), b"y")
    assert read_reviewers(folder / ENTITY_FILE) == (key.reviewer,)
    if os.name == "posix":
        assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_passphrase_is_needed_to_use_the_key(tmp_path):
    key = ReviewerKey.generate("A. Lind")
    key.write(tmp_path, PASSPHRASE)
    assert ReviewerKey.read(tmp_path / KEY_FILE, lambda: PASSPHRASE).reviewer == key.reviewer
    for wrong in ("", "twelve letters, U"):
        with pytest.raises(InputError, match="passphrase is wrong"):
            ReviewerKey.read(tmp_path / KEY_FILE, lambda wrong=wrong: wrong)


def test_a_short_passphrase_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="3 characters"):
        ReviewerKey.generate("A").write(tmp_path / "new", "abc")
    assert not (tmp_path / "new").exists()


def test_no_key_is_overwritten(tmp_path):
    ReviewerKey.generate("A").write(tmp_path)
    before = (tmp_path / KEY_FILE).read_bytes()
    with pytest.raises(InputError, match="nothing is overwritten"):
        ReviewerKey.generate("B").write(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == before


def test_a_key_is_never_shown(tmp_path):
    key = ReviewerKey.generate("A")
    assert repr(key) == f"ReviewerKey({key.reviewer.key_id})"


def test_other_peoples_entity_file_does_not_go_with_a_key(tmp_path):
    ReviewerKey.generate("A").write(tmp_path)
    write_trusted_entities(tmp_path / ENTITY_FILE, [ReviewerKey.generate("A").reviewer])
    with pytest.raises(InputError, match="does not belong"):
        ReviewerKey.read(tmp_path / KEY_FILE, unasked)
    (tmp_path / ENTITY_FILE).unlink()
    with pytest.raises(InputError, match="missing"):
        ReviewerKey.read(tmp_path / KEY_FILE, unasked)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_key_that_others_may_read_is_refused(tmp_path):
    ReviewerKey.generate("A").write(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(InputError, match="other users"):
        ReviewerKey.read(tmp_path / KEY_FILE, unasked)


def test_other_files_are_no_key(tmp_path):
    path = tmp_path / KEY_FILE
    with pytest.raises(InputError, match="cannot be read"):
        ReviewerKey.read(path, unasked)
    path.write_bytes(b"words")
    path.chmod(0o600)
    with pytest.raises(InputError, match="no private key"):
        ReviewerKey.read(path, unasked)
    other = generate_private_key(SECP384R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    with pytest.raises(InputError, match="no Ed25519 key"):
        ReviewerKey.read(path, unasked)
