import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from set_up_server import DAY, NORTH, NOW, invited, joined, registered, set_up

from server.deployment.clinics import clinic_file, known_clinics
from server.deployment.setting_up import renew_server_certificate
from shared.errors import InputError


@pytest.fixture
def server(tmp_path):
    return set_up(tmp_path / "server")


def test_an_invitation_holds_what_a_clinic_needs_and_no_private_key(tmp_path, server):
    invitation = invited(server, wheel_sha256="ab" * 32)
    invitation.check(NOW)
    assert invitation.clinic == NORTH
    assert invitation.address == "fl.example.org:443"
    assert invitation.expires - invitation.issued == 14 * DAY
    assert invitation.wheel_sha256 == "ab" * 32
    assert invitation.certificate() == server.authority()
    invitation.write(tmp_path / "file")
    text = (tmp_path / "file").read_text()
    assert text.count("BEGIN") == text.count("BEGIN CERTIFICATE") == 1
    for key in (server.ca_key, server.tls_key, server.release_key):
        assert key.read_text().splitlines()[1] not in text


def test_the_server_remembers_whom_it_invited(server):
    invitation = invited(server)
    (known,) = known_clinics(server)
    assert (known.name, known.state, known.secret) == (NORTH, "invited", invitation.secret)
    assert known.invitation == invitation.digest
    assert known.node_key is None
    assert clinic_file(server, NORTH).stat().st_mode & 0o777 == 0o600
    assert known.secret not in repr(known)


def test_every_invitation_has_a_secret_of_its_own(server):
    assert invited(server, "a").secret != invited(server, "b").secret


def test_a_clinic_is_invited_again_only_when_asked_and_loses_the_old_secret(server):
    first = invited(server)
    with pytest.raises(InputError, match=r"was invited on 2027-03-01 .*give --again"):
        invited(server)
    assert known_clinics(server)[0].secret == first.secret
    second = invited(server, again=True)
    assert second.secret != first.secret
    assert known_clinics(server)[0].secret == second.secret


def test_a_registered_clinic_is_not_invited(tmp_path, server):
    registered(server, joined(invited(server), tmp_path / "site"))
    before = clinic_file(server, NORTH).read_bytes()
    for again in (False, True):
        with pytest.raises(InputError, match="is registered already"):
            invited(server, again=again)
    assert clinic_file(server, NORTH).read_bytes() == before


def test_names_that_a_file_system_may_not_tell_apart_are_one(server):
    invited(server, "Zürich")
    with pytest.raises(InputError, match="differ in capitals only"):
        invited(server, "ZÜRICH", again=True)
    with pytest.raises(InputError, match="was invited on"):
        invited(server, "Zu\u0308rich")
    with pytest.raises(InputError, match="visible letters"):
        invited(server, "../ca/ca")


@pytest.mark.parametrize("days", [0, -1, 91])
def test_an_invitation_ends_in_reasonable_time(server, days):
    with pytest.raises(InputError, match="give 1 to 90"):
        invited(server, days=days)
    assert known_clinics(server) == ()


def test_a_host_that_the_certificate_lacks_is_told_before_a_clinic_meets_it(server):
    text = server.settings_file.read_text()
    server.settings_file.write_text(text.replace("fl.example.org", "new.example.org"))
    with pytest.raises(InputError, match=r"not for 'new\.example\.org'.*renew"):
        invited(server)
    renew_server_certificate(server, NOW)
    assert invited(server).address == "new.example.org:443"


def test_a_clinics_file_that_was_damaged_or_renamed_is_told(server):
    invited(server)
    file = clinic_file(server, NORTH)
    text = file.read_text()
    file.rename(clinic_file(server, "Clinic South"))
    with pytest.raises(InputError, match="is the file of clinic 'Clinic North'"):
        known_clinics(server)
    for damaged in (text.replace("invited", "registered", 1), text[:80], ""):
        clinic_file(server, "Clinic South").write_text(damaged)
        with pytest.raises(InputError, match="or move it away and invite the clinic anew"):
            invited(server, "b")


def test_a_state_its_fields_do_not_fit_is_told(server):
    invited(server)
    file = clinic_file(server, NORTH)
    file.write_text(file.read_text().replace('state = "invited"', 'state = "registered"'))
    with pytest.raises(InputError, match="not those of a clinic that is registered"):
        known_clinics(server)


def test_an_authority_that_was_exchanged_invites_nobody(tmp_path, server):
    other = set_up(tmp_path / "other")
    server.ca_certificate.write_bytes(other.authority().public_bytes(Encoding.PEM))
    with pytest.raises(InputError, match="is not the key of its certificate"):
        invited(server)
