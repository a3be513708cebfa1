import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from server.deployment.authority import issue_server_certificate, new_authority, new_key
from shared.deployment.certificates import (
    certificate_warnings,
    check_authority,
    parse_certificate,
    read_certificate,
)
from shared.errors import InputError

NOW = datetime.datetime(2027, 3, 1, 9, 30, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
KEY = new_key()
AUTHORITY = new_authority(KEY, NOW)
SERVER = issue_server_certificate(AUTHORITY, KEY, new_key().public_key(), ["fl.example.org"], NOW)
END = SERVER.not_valid_after_utc


@pytest.mark.parametrize(
    ("before_the_end", "level", "days"),
    [
        (60 * DAY, "soon", 60),
        (31 * DAY, "soon", 31),
        (30 * DAY, "now", 30),
        (7.5 * DAY, "now", 7),
        (7 * DAY, "last", 7),
        (0 * DAY, "last", 0),
        (-0.5 * DAY, "expired", -1),
        (-9 * DAY, "expired", -9),
    ],
)
def test_a_certificate_is_spoken_of_60_30_and_7_days_ahead(before_the_end, level, days):
    (warning,) = certificate_warnings({"it": SERVER}, END - before_the_end)
    assert (warning.name, warning.level, warning.days_left) == ("it", level, days)
    assert warning.text.startswith("it expire")
    assert "2028-04-01" in warning.text


def test_before_that_there_is_nothing_to_say():
    assert certificate_warnings({"it": SERVER}, END - 60 * DAY - DAY / 86400) == []


def test_a_clock_that_is_slow_is_told_first():
    late = new_authority(KEY, NOW + 2 * DAY)
    warnings = certificate_warnings({"a": SERVER, "b": late}, NOW)
    assert [(warning.name, warning.level) for warning in warnings] == [("b", "early")]
    assert "set this computer's clock" in warnings[0].text
    both = certificate_warnings({"a": SERVER, "b": new_authority(KEY, END)}, END - 3 * DAY)
    assert [warning.name for warning in both] == ["b", "a"]


@given(st.lists(st.integers(-500, 500), min_size=2, max_size=5))
def test_the_most_urgent_comes_first(shifts):
    named = {
        f"{number} {shift}": issue_server_certificate(
            AUTHORITY, KEY, KEY.public_key(), ["a.org"], NOW + abs(shift) * DAY
        )
        for number, shift in enumerate(shifts)
    }
    left = [warning.days_left for warning in certificate_warnings(named, END + 250 * DAY)]
    assert left == sorted(left)


def test_a_damaged_certificate_is_refused(tmp_path):
    pem = AUTHORITY.public_bytes(Encoding.PEM).decode()
    assert parse_certificate(pem, "it") == AUTHORITY
    for damaged in ("", pem[:200], pem + pem, pem.replace("M", "é"), "-----BEGIN"):
        with pytest.raises(InputError, match="it holds no whole certificate"):
            parse_certificate(damaged, "it")
    file = tmp_path / "ca.pem"
    with pytest.raises(InputError, match=r"ca\.pem is missing"):
        read_certificate(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"ca\.pem is damaged"):
        read_certificate(file)


def test_a_server_certificate_is_no_authority():
    assert check_authority(AUTHORITY, "it") == KEY.public_key()
    with pytest.raises(InputError, match="not the certificate of a server's authority"):
        check_authority(SERVER, "it")


def test_a_certificate_that_signed_itself_but_may_sign_no_other_is_no_authority():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "it")])
    alone = (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1, NOW, NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    with pytest.raises(InputError, match="not the certificate of a server's authority"):
        check_authority(alone, "it")


def test_an_authority_whose_signature_is_not_its_own_is_refused():
    der = bytearray(AUTHORITY.public_bytes(Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(InputError, match="not the certificate of a server's authority"):
        check_authority(x509.load_der_x509_certificate(bytes(der)), "it")
