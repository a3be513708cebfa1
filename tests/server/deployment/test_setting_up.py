import datetime
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.supercore.primitives.asymmetric_ed25519 import load_private_key
from set_up_server import DAY, NOW, set_up

from server.deployment.authority import SERVER_DAYS, certified_hosts
from server.deployment.server_folder import FOLDERS, ServerFolder, open_server_folder
from server.deployment.setting_up import renew_server_certificate
from server.deployment.settings import ServerSettings
from shared.errors import InputError


@pytest.fixture
def server(tmp_path):
    return set_up(tmp_path / "server", "fl.example.org", "10.0.0.7", "2001:db8::1")


def handshake(server: ServerFolder, authority, name: str) -> None:
    """TLS between the server's files and a clinic that trusts ``authority``, without a network."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(server.tls_certificate, server.tls_key)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.load_verify_locations(authority)
    theirs.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        theirs.wrap_bio(to_client, to_server, server_hostname=name),
        ours.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass


@pytest.fixture
def current(tmp_path):
    """A server whose certificate is valid on the day the test runs, which TLS asks for."""
    return set_up(
        tmp_path / "now", "fl.example.org", "10.0.0.7", now=datetime.datetime.now(datetime.UTC)
    )


@pytest.mark.parametrize("name", ["fl.example.org", "10.0.0.7", "localhost", "127.0.0.1"])
def test_a_clinic_that_trusts_the_authority_connects_by_every_name(current, name):
    handshake(current, current.ca_certificate, name)


@pytest.mark.parametrize("name", ["example.org", "www.fl.example.org", "10.0.0.8"])
def test_no_other_name_will_do(current, name):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        handshake(current, current.ca_certificate, name)


def test_another_servers_authority_will_not_do(current, server):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get|signature"):
        handshake(current, server.ca_certificate, "fl.example.org")


def test_an_expired_certificate_will_not_do(tmp_path):
    old = datetime.datetime.now(datetime.UTC) - (SERVER_DAYS + 1) * DAY
    expired = set_up(tmp_path / "old", "fl.example.org", now=old)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(expired, expired.ca_certificate, "fl.example.org")
    renew_server_certificate(expired, datetime.datetime.now(datetime.UTC))
    handshake(expired, expired.ca_certificate, "fl.example.org")


def test_everything_is_for_its_owner_only(server):
    for path in (server.root, *server.root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert {place.name for place in server.root.iterdir()} == {*FOLDERS, "server.toml"}


def test_the_release_key_is_one_that_flower_reads(server):
    public = load_ssh_public_key(server.release_public_key.read_bytes())
    assert load_private_key(server.release_key).public_key() == public


def test_two_servers_share_no_key(tmp_path, server):
    other = set_up(tmp_path / "other")
    for mine, others in (
        (server.ca_key, other.ca_key),
        (server.tls_key, other.tls_key),
        (server.release_key, other.release_key),
        (server.tls_key, server.ca_key),
    ):
        assert mine.read_bytes() != others.read_bytes()
    assert server.authority().subject != other.authority().subject


def test_the_authority_makes_no_further_authority(server):
    constraints = server.authority().extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    leaf = server.server_certificate().extensions.get_extension_for_class(x509.BasicConstraints)
    assert not leaf.value.ca


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, server):
    before = {path: path.read_bytes() for path in server.root.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="is not an empty folder; give another"):
        set_up(server.root)
    assert before == {path: path.read_bytes() for path in server.root.rglob("*") if path.is_file()}
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="is not an empty folder"):
        set_up(file)


def test_an_empty_folder_that_others_could_read_is_closed(tmp_path):
    place = tmp_path / "open"
    place.mkdir(mode=0o755)
    set_up(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_settings_are_what_was_asked_for(tmp_path):
    made = set_up(tmp_path / "s", "a.example.org", "b.example.org", port=8443, listen_port=9443)
    settings = open_server_folder(made.root).settings()
    assert settings == ServerSettings(
        hosts=("a.example.org", "b.example.org"), port=8443, listen_port=9443
    )
    assert (settings.address, settings.bound_port) == ("a.example.org:8443", 9443)
    assert ServerSettings(hosts=("::1",)).address == "[::1]:443"
    assert ServerSettings(hosts=("::1",)).bound_port == 443


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("port = 443", "port = 70000", "port"),
        ("port = 443", "prt = 443", "prt"),
        ('"fl.example.org"', '"https://fl.example.org"', "hosts"),
        ("port = 443", "port =", "not a TOML file"),
    ],
)
def test_settings_that_were_edited_wrongly_are_told(server, old, new, told):
    server.settings_file.write_text(server.settings_file.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match="correct it, or copy it back") as refused:
        open_server_folder(server.root)
    assert told in str(refused.value)


def test_a_folder_without_settings_is_no_server(tmp_path):
    with pytest.raises(InputError, match=r"no server in .*server\.toml is missing"):
        open_server_folder(tmp_path)


def test_renewing_keeps_authority_and_key_and_takes_the_hosts_of_the_settings(server):
    before = server.server_certificate()
    authority, key = server.ca_certificate.read_bytes(), server.tls_key.read_bytes()
    text = server.settings_file.read_text()
    server.settings_file.write_text(text.replace("10.0.0.7", "new.example.org"))
    renewed = renew_server_certificate(server, NOW + 390 * DAY)
    assert server.server_certificate() == renewed
    assert renewed.not_valid_after_utc - before.not_valid_after_utc == 390 * DAY
    assert renewed.serial_number != before.serial_number
    assert "10.0.0.7" in certified_hosts(before)
    assert certified_hosts(renewed) == {
        "fl.example.org", "new.example.org", "2001:db8::1", "localhost", "127.0.0.1"
    }  # fmt: skip
    assert server.ca_certificate.read_bytes() == authority
    assert server.tls_key.read_bytes() == key
    assert "new.example.org" in server.settings_file.read_text()


def test_renewing_with_a_new_key_changes_it(server):
    key = server.tls_key.read_bytes()
    renew_server_certificate(server, NOW, fresh_key=True)
    assert server.tls_key.read_bytes() != key
    server.server_certificate()


def test_files_that_do_not_fit_are_told_and_mended(tmp_path, server):
    other = set_up(tmp_path / "other")
    server.tls_key.write_bytes(other.tls_key.read_bytes())
    with pytest.raises(InputError, match=r"server\.key is not the key of its certificate.*renew"):
        server.server_certificate()
    renew_server_certificate(server, NOW)
    server.server_certificate()
    server.tls_certificate.write_bytes(other.tls_certificate.read_bytes())
    with pytest.raises(InputError, match=r"not from this server's authority.*renew"):
        server.server_certificate()
    server.tls_key.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"server\.key is damaged.*--new-key"):
        renew_server_certificate(server, NOW)
    renew_server_certificate(server, NOW, fresh_key=True)
    server.server_certificate()


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
def test_a_lost_or_damaged_authority_is_told(tmp_path, server, name):
    file = server.root / "ca" / name
    file.write_bytes((set_up(tmp_path / "other").root / "ca" / name).read_bytes())
    with pytest.raises(InputError, match=r"ca\.key is not the key of its certificate.*backup"):
        renew_server_certificate(server, NOW)
    file.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"ca\.(pem holds no whole|key is damaged)"):
        renew_server_certificate(server, NOW)
    file.unlink()
    with pytest.raises(InputError, match=r"is missing; copy it back from a backup"):
        renew_server_certificate(server, NOW)


def test_a_certificate_outlives_its_authority_never(server):
    end = server.authority().not_valid_after_utc
    renewed = renew_server_certificate(server, end - 10 * DAY)
    assert renewed.not_valid_after_utc == end
    for moment in (end, NOW - DAY):
        with pytest.raises(InputError, match="the server's authority is valid from"):
            renew_server_certificate(server, moment)


def test_a_server_warns_of_its_certificates(server):
    assert server.certificate_warnings(NOW) == []
    end = server.server_certificate().not_valid_after_utc
    (warning,) = server.certificate_warnings(end - 20 * DAY)
    assert (warning.name, warning.level) == ("the server's certificate", "now")
