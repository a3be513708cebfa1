import datetime
import stat

import pytest
from set_up_server import DAY, NORTH, NOW, invited, joined, set_up

from client.node.connection import NodeFiles, open_connection
from client.node.node_key import read_node_key
from client.site_folder import SiteFolder, create_site_folder
from shared.deployment.certificates import certificate_sha256
from shared.errors import InputError


@pytest.fixture
def server(tmp_path):
    return set_up(tmp_path / "server")


@pytest.fixture
def invitation(server):
    return invited(server)


@pytest.fixture
def site(tmp_path):
    return create_site_folder(tmp_path / "site", NORTH, epsilon=3.0).root


def private_files(site):
    return {path: path.read_bytes() for path in (site / "secrets").iterdir()}


def test_a_clinic_answers_with_public_keys_only(server, invitation, site):
    answer = joined(invitation, site)
    files, registration = NodeFiles(site), answer.registration
    assert (answer.new_site, answer.new_key) == (False, True)
    assert registration.node_key == read_node_key(files.key)
    assert registration.mask_key == SiteFolder(site).mask_key().public
    assert registration.is_proved_by(invitation.secret)
    assert registration.authority_sha256 == certificate_sha256(server.authority())
    assert SiteFolder(site).policy().epsilon == 3.0


def test_the_site_keeps_what_its_node_needs_and_no_secret_of_the_invitation(invitation, site):
    joined(invitation, site)
    connection = open_connection(site)
    assert connection.clinic == NORTH
    assert connection.address == "fl.example.org:443"
    assert connection.invitation == invitation.digest
    for path in site.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or invitation.secret not in path.read_text()


def test_without_a_site_folder_one_is_made(tmp_path, invitation):
    answer = joined(invitation, tmp_path / "new")
    assert (answer.new_site, answer.new_key) == (True, True)
    assert SiteFolder(tmp_path / "new").policy().name == NORTH
    assert SiteFolder(tmp_path / "new").ledger()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, invitation):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="is not an empty folder"):
        joined(invitation, tmp_path)
    assert not (tmp_path / "secrets").exists()


def test_joining_again_keeps_the_keys_and_answers_anew(invitation, site):
    first = joined(invitation, site)
    before = private_files(site)
    again = joined(invitation, site)
    assert not again.new_key
    assert private_files(site) == before
    assert again.registration.node_key == first.registration.node_key
    assert again.registration.is_proved_by(invitation.secret)
    # New each time, so that nobody can look for two files with one fingerprint beforehand.
    assert again.registration.fingerprint != first.registration.fingerprint


def test_a_newer_invitation_of_the_same_server_is_taken(server, invitation, site):
    first = joined(invitation, site)
    newer = invited(server, again=True)
    again = joined(newer, site)
    assert again.registration.node_key == first.registration.node_key
    assert again.registration.is_proved_by(newer.secret)
    assert open_connection(site).invitation == newer.digest


def test_an_attempt_that_was_cut_off_is_begun_anew(invitation, site):
    joined(invitation, site)
    NodeFiles(site).connection.unlink()
    left = NodeFiles(site).key.read_bytes()
    assert joined(invitation, site).new_key
    assert NodeFiles(site).key.read_bytes() != left
    open_connection(site)


def test_another_server_is_refused_and_changes_nothing(tmp_path, invitation, site):
    joined(invitation, site)
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    other = invited(set_up(tmp_path / "other", "other.example.org"))
    with pytest.raises(
        InputError, match=r"belongs to the server at fl\.example\.org:443.*other\.example\.org:443"
    ):
        joined(other, site)
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_another_clinics_invitation_is_refused(server, site):
    with pytest.raises(
        InputError, match=r"is for clinic 'Clinic South'.*the site of 'Clinic North'"
    ):
        joined(invited(server, "Clinic South"), site)
    assert not NodeFiles(site).key.exists()


@pytest.mark.parametrize(
    ("shift", "told"), [(-DAY, "set the clock"), (14 * DAY, "expired on 2027-03-15")]
)
def test_out_of_its_time_an_invitation_makes_nothing(tmp_path, invitation, shift, told):
    with pytest.raises(InputError, match=told):
        joined(invitation, tmp_path / "new", NOW + shift)
    assert not (tmp_path / "new").exists()


def test_an_edited_invitation_makes_nothing(tmp_path, invitation):
    edited = invitation.model_copy(update={"address": "evil.example.org:443"})
    with pytest.raises(InputError, match="was changed after the server wrote it"):
        joined(edited, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("secrets/node.key", "copy it back from a backup"),
        ("secrets/mask.key", "copy it back from a backup"),
        ("node/ca.pem", "get the file anew"),
        ("node/connection.toml", "copy it back from a backup"),
    ],
)
def test_damaged_files_are_told_when_joining_again(invitation, site, name, told):
    joined(invitation, site)
    (site / name).write_text("damaged")
    with pytest.raises(InputError, match=told):
        joined(invitation, site)
    if name != "secrets/mask.key":
        with pytest.raises(InputError, match=told):
            open_connection(site)


def test_a_certificate_that_was_exchanged_is_told(tmp_path, invitation, site):
    joined(invitation, site)
    other = set_up(tmp_path / "other")
    NodeFiles(site).authority.write_bytes(other.ca_certificate.read_bytes())
    for use in (lambda: open_connection(site), lambda: joined(invitation, site)):
        with pytest.raises(InputError, match="is not the certificate this clinic joined with"):
            use()


def test_a_site_that_has_not_joined_is_told(site):
    with pytest.raises(InputError, match=r"no connection to a server.*fedaffect-client join"):
        open_connection(site)


def test_times_are_kept_in_utc_whatever_the_clocks_zone(invitation, site):
    zone = datetime.timezone(datetime.timedelta(hours=9))
    answer = joined(invitation, site, NOW.astimezone(zone))
    assert answer.registration.created == NOW
    assert answer.registration.created.tzinfo == datetime.UTC
