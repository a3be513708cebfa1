import datetime
import threading

import pytest
from set_up_server import DAY, NORTH, NOW, invited, joined, registered, set_up

from server.deployment import server_folder
from server.deployment.clinics import clinic_file, known_clinics
from server.deployment.registering import check_registration, register
from shared.deployment.invitation import CLOCK_TOLERANCE
from shared.deployment.registration import prove
from shared.errors import InputError


@pytest.fixture
def server(tmp_path):
    return set_up(tmp_path / "server")


@pytest.fixture
def invitation(server):
    return invited(server)


@pytest.fixture
def answer(tmp_path, invitation):
    return joined(invitation, tmp_path / "site")


def test_a_clinic_is_registered_with_its_keys_and_its_secret_is_gone(server, invitation, answer):
    clinic = registered(server, answer)
    assert known_clinics(server) == (clinic,)
    assert clinic.state == "registered"
    assert clinic.node_key == answer.registration.node_key
    assert clinic.mask_key == answer.registration.mask_key
    assert clinic.fingerprint == answer.registration.fingerprint
    assert clinic.secret is None
    assert invitation.secret not in clinic_file(server, NORTH).read_text()


def test_looking_at_a_registration_changes_nothing(server, answer):
    before = clinic_file(server, NORTH).read_bytes()
    check_registration(server, answer.registration, NOW)
    assert clinic_file(server, NORTH).read_bytes() == before


def test_the_fingerprint_may_be_typed_as_it_was_heard(server, answer):
    heard = answer.registration.fingerprint.lower().replace("-", " ")
    assert register(server, answer.registration, heard, NOW).state == "registered"


@pytest.mark.parametrize("heard", ["", "AAAA-AAAA-AAAA-AAAA-AAAA"])
def test_another_fingerprint_registers_nobody(server, answer, heard):
    with pytest.raises(InputError, match="nothing was registered"):
        register(server, answer.registration, heard, NOW)
    assert known_clinics(server)[0].state == "invited"


def test_an_invitation_is_good_once(tmp_path, server, invitation, answer):
    registered(server, answer)
    fingerprint = answer.registration.fingerprint
    with pytest.raises(InputError, match=f"already, fingerprint {fingerprint}, by this very"):
        registered(server, answer)
    thief = joined(invitation, tmp_path / "thief")
    with pytest.raises(InputError, match=r"by another registration.*somebody else holds"):
        registered(server, thief)
    assert known_clinics(server)[0].fingerprint == fingerprint


def test_a_replaced_invitation_is_refused(tmp_path, server, answer):
    newer = invited(server, again=True)
    with pytest.raises(InputError, match="an invitation that is not its latest"):
        registered(server, answer)
    assert registered(server, joined(newer, tmp_path / "site")).state == "registered"


def test_an_expired_invitation_is_refused_by_the_servers_clock(server, answer):
    with pytest.raises(InputError, match=r"expired on 2027-03-15.*--again"):
        registered(server, answer, NOW + 14 * DAY)
    assert registered(server, answer, NOW + 13.9 * DAY).state == "registered"


def test_a_clinic_whose_clock_is_fast_is_told(tmp_path, server, invitation):
    answer = joined(invitation, tmp_path / "site", NOW + DAY)
    with pytest.raises(InputError, match=r"2027-03-02 09:30 UTC by the clinic's clock.*Set both"):
        registered(server, answer)
    within = joined(invitation, tmp_path / "site", NOW + CLOCK_TOLERANCE)
    assert registered(server, within).state == "registered"


@pytest.mark.parametrize(
    "change",
    [
        {"mask_key": "09" * 32},
        {"software": "fedaffect 9"},
        {"created": NOW + datetime.timedelta(seconds=1)},
        {"proof": ""},
    ],
)
def test_a_registration_that_was_changed_on_its_way_is_refused(server, answer, change):
    forged = answer.registration.model_copy(update=change)
    with pytest.raises(InputError, match="was changed on its way, or was not made with its"):
        check_registration(server, forged, NOW)


def test_without_the_secret_nobody_registers(server, answer):
    forged = prove(answer.registration.model_copy(update={"proof": ""}), "00" * 32)
    with pytest.raises(InputError, match="was not made with its invitation"):
        check_registration(server, forged, NOW)


def test_a_registration_for_another_server_is_refused(tmp_path, answer):
    other = set_up(tmp_path / "other")
    invited(other)
    with pytest.raises(InputError, match="is for another server"):
        registered(other, answer)


def test_a_clinic_that_was_not_invited_is_refused(tmp_path, server, answer):
    clinic_file(server, NORTH).unlink()
    with pytest.raises(InputError, match="was not invited by this server"):
        registered(server, answer)


def test_two_clinics_with_one_key_are_told(tmp_path, server, answer):
    registered(server, answer)
    south = invited(server, "Clinic South")
    twin = joined(south, tmp_path / "south")
    same_mask = twin.registration.model_copy(update={"mask_key": answer.registration.mask_key})
    same_node = twin.registration.model_copy(update={"node_key": answer.registration.node_key})
    for copied in (same_mask, same_node):
        with pytest.raises(InputError, match="show the same key"):
            check_registration(server, prove(copied, south.secret), NOW)
    assert registered(server, twin).name == "Clinic South"


@pytest.mark.parametrize("weak", ["00" * 32, "01" + "00" * 31, "ff" * 32])
def test_a_mask_key_that_hides_nothing_is_refused(server, invitation, answer, weak):
    forged = prove(answer.registration.model_copy(update={"mask_key": weak}), invitation.secret)
    with pytest.raises(InputError, match="the registration of 'Clinic North'"):
        check_registration(server, forged, NOW)


def test_of_two_registrations_at_once_one_wins(tmp_path, server, invitation, answer):
    rival = joined(invitation, tmp_path / "rival")
    outcomes = []

    def attempt(which):
        try:
            outcomes.append(registered(server, which).fingerprint)
        except InputError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=attempt, args=(which,)) for which in (answer, rival)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("registered already" in outcome for outcome in outcomes) == 1
    assert known_clinics(server)[0].fingerprint in outcomes


def test_a_command_that_waits_for_another_too_long_says_so(server, answer, monkeypatch):
    monkeypatch.setattr(server_folder, "_PATIENCE_S", 0.05)
    with server.locked():
        waiting = []

        def attempt():
            with pytest.raises(InputError, match="another command is changing") as refused:
                registered(server, answer)
            waiting.append(refused)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert waiting
    assert known_clinics(server)[0].state == "invited"
