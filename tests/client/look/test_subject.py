import dataclasses

import pytest

from client.look import subject as looking
from client.look.subject import subject_of_files, subject_of_site
from client.site_folder import create_site_folder
from client.site_participants import store_site_participants
from shared.attributes import write_attributes
from shared.errors import InputError
from shared.files import sha256_of
from shared.participants import ParticipantRow


@pytest.fixture
def folder(tmp_path):
    return create_site_folder(tmp_path / "site", "Clinic North")


@pytest.fixture
def video(tmp_path, folder):
    recordings = tmp_path / "rec"
    recordings.mkdir()
    (recordings / "a.mp4").write_bytes(b"a recording")
    rows = (
        ParticipantRow("P1", True, True, True, "a.mp4"),
        ParticipantRow("P2", False, False, True, "b.mp4"),
        ParticipantRow("P3", False, True, False, "c.mp4"),
        ParticipantRow("P4", False, True, True, "gone.mp4"),
    )
    store_site_participants(folder, rows, recordings)
    return recordings / "a.mp4"


@pytest.fixture
def extracted(folder, video, series_of):
    """Write the attribute file of a child, as if read from ``video``."""

    def write(name="P1", **changes):
        series = series_of([None] * 24, provenance={"video_sha256": sha256_of(video)})
        series = dataclasses.replace(series, participant=name, **changes)
        write_attributes(folder.attributes / f"{name}.parquet", series)
        return series

    return write


def test_a_usable_child_has_series_and_recording(folder, video, extracted):
    extracted()
    subject = subject_of_site(folder, "P1")
    assert (subject.participant, subject.video) == ("P1", video)
    assert len(subject.series.time_s) == 24


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("P9", "P9 is not among the imported children; check the spelling"),
        ("p1", "p1 is not among"),
        ("../P1", "is not among"),
        ("P2", "P2 has no consent; the recording is not opened"),
        ("P3", "P3 did not finish; the recording is not opened"),
    ],
)
def test_a_child_who_may_not_be_used_is_refused_before_anything_is_opened(
    folder, video, extracted, monkeypatch, name, message
):
    for other in ("P1", "P2", "P3"):
        extracted(other)
    monkeypatch.setattr(looking, "read_attributes", None)
    monkeypatch.setattr(looking, "sha256_of", None)
    with pytest.raises(InputError, match=message):
        subject_of_site(folder, name)


def test_a_withdrawn_child_is_refused_and_older_pictures_are_named(folder, video, extracted):
    extracted()
    with folder.ledger().locked() as book:
        book.withdraw("P1")
    with pytest.raises(InputError, match=r"P1 was withdrawn; the recording is not opened$"):
        subject_of_site(folder, "P1")
    folder.looks.mkdir()
    (folder.looks / "P1-sheet.png").touch()
    with pytest.raises(InputError, match="looks still has pictures of this child: delete them"):
        subject_of_site(folder, "P1")


def test_extraction_comes_first(folder, video):
    with pytest.raises(InputError, match="P1 was not extracted yet; run `fedaffect-client extract"):
        subject_of_site(folder, "P1")


def test_a_missing_recording_is_refused(folder, video, extracted):
    extracted("P4")
    with pytest.raises(InputError, match=r"the recording of P4: .*names no file"):
        subject_of_site(folder, "P4")
    extracted("P1")
    video.unlink()
    with pytest.raises(InputError, match=r"the recording of P1: .*names no file"):
        subject_of_site(folder, "P1")


def test_a_recording_that_changed_is_refused(folder, video, extracted):
    extracted()
    video.write_bytes(b"a Recording")
    with pytest.raises(InputError, match=r"not the recording that .* was read from, or"):
        subject_of_site(folder, "P1")


def test_attributes_without_the_name_of_their_recording_are_refused(folder, video, extracted):
    extracted(provenance={})
    with pytest.raises(InputError, match="not the recording"):
        subject_of_site(folder, "P1")


def test_attributes_of_another_child_are_refused(folder, video, extracted):
    extracted("P4")
    (folder.attributes / "P4.parquet").rename(folder.attributes / "P1.parquet")
    with pytest.raises(InputError, match="belongs to another child"):
        subject_of_site(folder, "P1")


def test_loose_files_need_no_site(tmp_path, subject):
    attributes = tmp_path / "a.parquet"
    write_attributes(attributes, subject.series)
    assert subject_of_files(attributes, subject.video).participant == "P01"
    assert subject_of_files(attributes, subject.video, "P01").video == subject.video
    with pytest.raises(InputError, match="belongs to another child"):
        subject_of_files(attributes, subject.video, "P02")
    with pytest.raises(InputError, match="no such recording"):
        subject_of_files(attributes, tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no such file"):
        subject_of_files(tmp_path / "none.parquet", subject.video)


def test_an_empty_series_is_refused(tmp_path, subject, series_of):
    write_attributes(tmp_path / "a.parquet", series_of([]))
    with pytest.raises(InputError, match="has no row"):
        subject_of_files(tmp_path / "a.parquet", subject.video)
