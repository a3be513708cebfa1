import math

import pytest
from ledger_cases import digest, opening
from pydantic import ValidationError

from client.ledger import PlannedRelease, ReleaseCreated
from client.ledger.events import UnknownEventError, participant_key, read_event
from shared.errors import LedgerError

RELEASE = {
    "type": "release.created",
    "version": 1,
    "study": digest("study"),
    "round": 1,
    "kind": "gradient",
    "input_digest": digest("in"),
    "contribution_digest": digest("out"),
    "sensitivity": 1.0,
    "sigma": 2.5,
}


@pytest.mark.parametrize("name", ["sigma", "sensitivity"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.0])
def test_impossible_noise_and_sensitivity_are_refused_by_name(name, value):
    with pytest.raises(LedgerError, match=f"{name} {value} asked; it must be a finite number > 0"):
        read_event({**RELEASE, name: value})
    with pytest.raises(LedgerError, match=name):
        PlannedRelease(**{"round": 1, "kind": "gradient", "sigma": 1.0, name: value})


def test_an_event_does_not_change():
    event = ReleaseCreated.model_validate(RELEASE)
    with pytest.raises(ValidationError, match="frozen"):
        event.sigma = 9.0
    assert read_event(event.model_dump(mode="json")) == event


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "release.refunded"},
        {"version": 2},
        {"noise_source": "os"},
    ],
)
def test_what_a_newer_program_wrote_is_refused_as_such(changed):
    with pytest.raises(UnknownEventError):
        read_event({**RELEASE, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"type": None},
        {"version": True},
        {"version": "1"},
        {"round": 0},
        {"round": "1"},
        {"round": 1.0},
        {"sigma": "2.5"},
        {"sigma": None},
        {"study": digest("study")[:-1]},
        {"study": digest("study").upper()},
        {"study": digest("study") + "\n"},
        {"kind": ""},
    ],
)
def test_a_wrong_field_is_refused(changed):
    with pytest.raises(LedgerError):
        read_event({**RELEASE, **changed})


@pytest.mark.parametrize("raw", [None, [], "x", {}, 3])
def test_no_event_at_all(raw):
    with pytest.raises(LedgerError):
        read_event(raw)


def test_a_refused_field_is_named_and_its_content_is_not_quoted():
    raw = opening().model_dump(mode="json")
    raw["participants"] = ["P01", {"Anna": "Miller"}]
    with pytest.raises(LedgerError, match=r"participants\.1") as refused:
        read_event(raw)
    assert "Anna" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"roster": ("north", "south")}, "3 clinics and a roster of 2"),
        ({"roster": ("north", "south", "north")}, "3 clinics and a roster of 2"),
        ({"collusion_margin": 3}, "collusion margin 3 asked of 3 clinics"),
        ({"releases": opening().releases[1:]}, "without gaps"),
        ({"releases": opening().releases[::-1]}, "without gaps"),
    ],
)
def test_an_opening_must_be_consistent(changed, message):
    with pytest.raises(LedgerError, match=message):
        opening(**changed)


def test_spellings_of_one_child_are_one_child():
    assert len({participant_key(name) for name in ("Zoë", "ZOË", "Zoe\u0308", " zoë ")}) == 1
    assert participant_key("P1") != participant_key("P01")
