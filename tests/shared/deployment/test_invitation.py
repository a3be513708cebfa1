import re
import stat

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from set_up_server import DAY, NOW

from server.deployment.authority import issue_server_certificate, new_authority, new_key
from shared.deployment.invitation import (
    CLOCK_TOLERANCE,
    Invitation,
    read_invitation,
    sign_invitation,
)
from shared.errors import InputError

KEY = new_key()
AUTHORITY = new_authority(KEY, NOW)


def invitation(**changes) -> Invitation:
    fields = {
        "clinic": "Clinic Zürich",
        "address": "fl.example.org:443",
        "software": "fedaffect 0.1.0",
        "issued": NOW,
        "expires": NOW + 14 * DAY,
        "secret": "5e" * 32,
        "authority": AUTHORITY.public_bytes(Encoding.PEM).decode(),
    }
    return sign_invitation(Invitation(**(fields | changes)), KEY)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "invitation.toml"
    invitation().write(path)
    return path


def test_it_is_read_as_it_was_written_by_its_owner_only(file):
    assert read_invitation(file) == invitation().model_copy(
        update={"signature": read_invitation(file).signature}
    )
    read_invitation(file).check(NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE" not in file.read_text()


def test_mail_may_change_line_ends_and_add_a_mark(file):
    sent = file.read_bytes()
    file.write_bytes(b"\xef\xbb\xbf" + sent.replace(b"\n", b"\r\n"))
    read_invitation(file).check(NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Clinic Zürich", "Clinic South"),
        ("fl.example.org", "fl.example.net"),
        (":443", ":444"),
        ("fedaffect 0.1.0", "fedaffect 0.0.1"),
        ('wheel_sha256 = ""', f'wheel_sha256 = "{"ab" * 32}"'),
        ("expires = 2027-03-15", "expires = 2027-04-15"),
        ("5e5e", "5f5e"),
        ('signature = "', 'signature = "AAAA'),
    ],
)
def test_an_edited_one_is_refused(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="was changed after the server wrote it"):
        read_invitation(file).check(NOW)


def test_one_with_another_authority_needs_that_authoritys_signature():
    other = new_key()
    pem = new_authority(other, NOW).public_bytes(Encoding.PEM).decode()
    with pytest.raises(InputError, match="was changed"):
        invitation(authority=pem).check(NOW)
    # Signed anew it is whole: the telephone tells that it is not the coordinator's.
    forged = sign_invitation(invitation(authority=pem), other)
    forged.check(NOW)
    assert forged.digest != invitation().digest


def test_a_certificate_that_is_no_authority_is_refused():
    leaf = issue_server_certificate(AUTHORITY, KEY, KEY.public_key(), ["a.org"], NOW)
    with pytest.raises(InputError, match="not the certificate of a server's authority"):
        invitation(authority=leaf.public_bytes(Encoding.PEM).decode()).check(NOW)
    with pytest.raises(InputError, match="holds no whole certificate"):
        invitation(authority="none").check(NOW)


def test_it_can_be_answered_from_its_first_to_its_last_second():
    second = DAY / 86400
    invitation().check(NOW - CLOCK_TOLERANCE)
    invitation().check(NOW + 14 * DAY - second)
    with pytest.raises(InputError, match=r"issued on 2027-03-01 09:30.*set the clock"):
        invitation().check(NOW - CLOCK_TOLERANCE - second)
    with pytest.raises(InputError, match=r"expired on 2027-03-15.*ask the coordinator"):
        invitation().check(NOW + 14 * DAY)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("format = 1", "format = 2", "format"),
        ("clinic =", "clinics =", "clinics"),
        ("2027-03-01 09:30:00+00:00", "2027-03-01 09:30:00", "issued"),
        ("2027-03-15", "2027-02-15", "expires lies before issued"),
        ('secret = "5e', 'secret = "5', "secret"),
        ("fl.example.org:443", "fl.example.org", "address"),
        ("format = 1", "format 1", "not a TOML file"),
    ],
)
def test_a_damaged_one_is_refused_without_telling_the_secret(file, old, new, told):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match="ask the coordinator for a new invitation") as refused:
        read_invitation(file)
    assert told in str(refused.value)
    assert not re.search("5e5e", str(refused.value))
    assert "5e5e" not in repr(invitation())


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="no invitation at"):
        read_invitation(tmp_path / "none")
    with pytest.raises(InputError, match="no invitation at"):
        read_invitation(tmp_path)
    big = tmp_path / "big"
    big.write_bytes(b"#" * 100_000)
    with pytest.raises(InputError, match="larger than any invitation"):
        read_invitation(big)
    big.write_bytes(b"\xff\xd8 a picture")
    with pytest.raises(InputError, match="not a TOML file"):
        read_invitation(big)
