import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.signing.reviewer import Reviewer
from shared.signing.reviewer_key import ReviewerKey
from shared.signing.trusted_entities import (
    check_trusted_entities,
    read_reviewers,
    write_trusted_entities,
)

LIND, BERG = (ReviewerKey.generate(name).reviewer for name in ("Dr A. Lind", "Ö: Berg #2"))


def test_what_is_written_is_read_and_flower_reads_the_same(tmp_path):
    from flwr.supernode.cli.flower_supernode import (
        _try_obtain_trusted_entities,
        _validate_public_keys_ed25519,
    )

    path = tmp_path / "trusted.yaml"
    write_trusted_entities(path, [LIND, BERG, LIND])
    assert set(check_trusted_entities(path)) == {LIND, BERG}
    assert len(check_trusted_entities(path)) == 2
    trusted = _try_obtain_trusted_entities(path)
    assert trusted == {reviewer.key_id: reviewer.ssh_line for reviewer in (LIND, BERG)}
    _validate_public_keys_ed25519(trusted)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_for_nobody_is_never_written(tmp_path):
    with pytest.raises(InputError, match="no reviewer given"):
        write_trusted_entities(tmp_path / "trusted.yaml", [])
    assert not (tmp_path / "trusted.yaml").exists()


@pytest.mark.parametrize("text", ["", "{}", "\n\n", "# nobody\n", "null\n", "---\n"])
def test_an_empty_trust_file_is_refused_because_flower_would_run_anything(tmp_path, text):
    path = tmp_path / "trusted.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"no trusted reviewers: .* is empty.*approve-code"):
        check_trusted_entities(path)


def test_a_missing_trust_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no trusted reviewers: .* is missing"):
        check_trusted_entities(tmp_path / "trusted.yaml")
    with pytest.raises(InputError, match="not a file"):
        check_trusted_entities(tmp_path)


RSA = rsa.generate_private_key(65537, 2048).public_key()
RSA_LINE = RSA.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "under their identifiers"),
        ("just words", "under their identifiers"),
        ("a: {", "not YAML"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
        (f"{LIND.key_id}: 7", "something else"),
        (f"7: '{LIND.ssh_line}'", "something else"),
        (f"{LIND.key_id}: ssh-ed25519", "another kind of line"),
        (f"{LIND.key_id}: '{RSA_LINE} Lind'", "another kind of line"),
        (f"{LIND.key_id}: 'ssh-ed25519 AAAA Lind'", "damaged"),
        (f"{LIND.key_id}: '{LIND.ssh_line[:-30]} Lind'", "damaged|bytes instead"),
        (f"{LIND.key_id}: '{BERG.ssh_line}'", "edited"),
        (f"fpk_1: '{LIND.ssh_line}'", "edited"),
        ("x" * 70_000, "larger"),
    ],
    ids=range(13),
)
def test_anything_but_reviewers_keys_under_their_own_names_is_refused(tmp_path, text, why):
    path = tmp_path / "trusted.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InputError, match=why):
        check_trusted_entities(path)


def test_not_even_text(tmp_path):
    path = tmp_path / "trusted.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(InputError, match="not YAML"):
        check_trusted_entities(path)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_trust_file_that_others_may_change_is_refused(tmp_path, mode):
    path = tmp_path / "trusted.yaml"
    write_trusted_entities(path, [LIND])
    path.chmod(mode)
    with pytest.raises(InputError, match="other users"):
        check_trusted_entities(path)
    # What a reviewer sends lies wherever the mail program put it.
    assert read_reviewers(path) == (LIND,)


@given(st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=100))
def test_a_reviewer_survives_the_line_in_which_flower_reads_the_key(key, name):
    try:
        reviewer = Reviewer(name, key)
    except InputError:
        assert not name.isprintable() or name != name.strip()
        return
    assert Reviewer.from_ssh_line(reviewer.ssh_line) == reviewer
    parsed = load_ssh_public_key(reviewer.ssh_line.encode())
    assert isinstance(parsed, ed25519.Ed25519PublicKey)
    assert parsed.public_bytes_raw() == key


@pytest.mark.parametrize("name", ["", " A", "A ", "A\nfpk_2: x", "a" * 101, "a\u202eb"])
def test_a_name_that_could_deceive_is_refused(name):
    with pytest.raises(InputError, match="reviewer name"):
        Reviewer(name, LIND.public_key)


def test_identifier_and_fingerprint_follow_from_the_key_alone():
    same = Reviewer("Somebody else", LIND.public_key)
    assert (same.key_id, same.fingerprint) == (LIND.key_id, LIND.fingerprint)
    assert LIND.key_id != BERG.key_id
    assert LIND.fingerprint != BERG.fingerprint
    with pytest.raises(InputError, match="31 bytes"):
        Reviewer("A", LIND.public_key[1:])
