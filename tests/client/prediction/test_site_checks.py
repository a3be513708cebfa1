import pytest
from deployed import MAP
from released import private_model, recorded, write_model

from client.prediction.site_checks import WEIGHTS_UNCHECKED, refuse_withdrawn, site_warnings
from shared.attributes import write_attributes
from shared.errors import InputError, PrivacyError

ASPEN = "Aspen"


@pytest.fixture
def site(deployed):
    return deployed.site(ASPEN)


@pytest.fixture
def approved(deployed, tmp_path):
    study = deployed.approved()
    assert study.feature_map == MAP.digest
    return write_model(tmp_path / "model.json", private_model(study), study)


def child(number=0, **provenance):
    return recorded(f"{ASPEN}-child-{number}", seconds=40, **provenance)


def keep(site, series):
    site.attributes.mkdir(exist_ok=True)
    write_attributes(site.attributes / f"{series.participant}.parquet", series)


def record(site, model_file):
    with site.ledger().locked() as book:
        book.record_model(model_file.study.digest, model_file.sha256)


def test_nothing_is_said_of_a_known_model_and_a_recording_read_alike(site, approved):
    record(site, approved)
    keep(site, child())
    assert site_warnings(site, approved, recorded("stranger", seconds=40)) == []


def test_a_model_of_a_study_not_approved_here_is_told(deployed, site, tmp_path):
    study = deployed.study()
    model_file = write_model(tmp_path / "m.json", private_model(study), study)
    first, second = site_warnings(site, model_file, recorded(seconds=40))
    assert "did not approve" in first
    assert second == WEIGHTS_UNCHECKED


def test_a_model_that_is_not_recorded_is_told(site, approved):
    keep(site, child())
    (said,) = site_warnings(site, approved, recorded(seconds=40))
    assert "record-model" in said


def test_a_child_of_the_study_is_told(site, approved):
    record(site, approved)
    keep(site, child(0))
    (said,) = site_warnings(site, approved, child(1))
    assert "took part in the study" in said


def test_other_weights_are_refused(site, approved):
    keep(site, child())
    with pytest.raises(InputError, match="666666666666") as refused:
        site_warnings(site, approved, recorded(seconds=40, weights_sha256="6" * 64))
    assert "555555555555" in str(refused.value)
    assert "--weights" in str(refused.value)


def test_another_detector_or_other_settings_are_told(site, approved):
    record(site, approved)
    keep(site, child())
    said = site_warnings(site, approved, recorded(seconds=40, detector="e", parameters="{1}"))
    assert ["face detector" in said[0], "settings" in said[1], len(said)] == [True, True, 2]


def test_without_attributes_of_the_studys_children_weights_stay_unchecked(site, approved):
    record(site, approved)
    keep(site, recorded("stranger", seconds=40))
    assert site_warnings(site, approved, recorded(seconds=40)) == [WEIGHTS_UNCHECKED]


def test_a_child_who_withdrew_is_not_read(site, approved):
    refuse_withdrawn(site, f"{ASPEN}-child-0")
    with site.ledger().locked() as book:
        book.withdraw(f"{ASPEN}-child-0")
    with pytest.raises(PrivacyError, match="withdrew"):
        refuse_withdrawn(site, f"{ASPEN}-child-0")
