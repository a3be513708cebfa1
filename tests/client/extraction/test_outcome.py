import dataclasses
import errno

import numpy as np
import pytest

from client.extraction import outcome as outcomes
from client.extraction.outcome import ToExtract, extract_recording, partial_folder
from client.extraction.participant_lock import participant_lock
from client.extraction.tracking import TrackingSettings
from shared.attributes import read_attributes, write_attributes


@pytest.fixture
def video(tmp_path, write_video, scene):
    """Half a second; the face is there in the first nine frames."""
    box = (40, 20, 80, 80)
    folder = tmp_path / "videos"
    folder.mkdir()
    return write_video(folder / "P01.mp4", [scene(box if i < 9 else None) for i in range(12)])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def extract(video, out, extractor):
    def call(file=video, participant="P01", by=extractor, **options):
        return extract_recording(ToExtract(participant, file), out, by, **options)

    return call


def test_the_outcome_says_what_was_found_and_how_long_it_took(extract, out, video):
    found = extract()
    assert (found.status, found.participant, found.video) == ("extracted", "P01", video)
    assert found.text == "face in 0.4 of 0.5 s (75%)"
    assert found.frames == 12
    assert 0 < found.seconds < 60
    assert [file.name for file in out.iterdir()] == ["P01.parquet"]
    assert out.stat().st_mode & 0o077 == 0


def test_a_recording_can_belong_to_a_participant_of_another_name(extract, out):
    assert extract(participant="Q7").participant == "Q7"
    assert read_attributes(out / "Q7.parquet").participant == "Q7"


def test_a_recording_without_a_face_gives_an_explained_result(
    extract, out, tmp_path, write_video, scene
):
    found = extract(write_video(tmp_path / "P02.mp4", [scene(None)] * 24), "P02")
    assert found.status == "no face"
    assert "no face in any of its 1.0 s" in found.text
    series = read_attributes(out / "P02.parquet")
    assert len(series.time_s) == 24
    assert not series.face_found.any()
    assert np.isnan(series.values).all()


def test_the_same_recording_is_not_extracted_twice(extract, detector, out):
    assert extract().status == "extracted"
    looks, content = detector.looks, (out / "P01.parquet").read_bytes()
    assert extract().status == "skipped"
    assert detector.looks == looks
    (out / "P01.parquet").unlink()
    extract()
    assert (out / "P01.parquet").read_bytes() == content


@pytest.mark.parametrize("changed", ["video", "software", "settings", "file", "measurements"])
def test_a_change_of_anything_that_matters_extracts_again(
    extract, extractor, out, video, write_video, scene, changed
):
    extract()
    target = out / "P01.parquet"
    if changed == "video":
        write_video(video, [scene()] * 12)
    elif changed == "software":
        extractor = dataclasses.replace(extractor, software="fedaffect next")
    elif changed == "settings":
        extractor = dataclasses.replace(extractor, settings=TrackingSettings(detect_every=3))
    elif changed == "measurements":
        write_attributes(target, dataclasses.replace(read_attributes(target), pictures=None))
    else:
        target.write_bytes(b"damaged")
    assert extract(by=extractor).status == "extracted"
    assert read_attributes(target).pictures is not None


def test_bad_recordings_are_outcomes_and_leave_nothing(extract, out, video):
    empty, text = video.with_name("P02.mp4"), video.with_name("P03.mp4")
    empty.write_bytes(b"")
    text.write_text("hello")
    missing = video.with_name("P04.mp4")
    found = [extract(file, file.stem) for file in (empty, text, missing)]
    assert [item.status for item in found] == ["failed"] * 3
    assert "0 bytes" in found[0].text
    assert "not a video" in found[1].text
    assert "no such file" in found[2].text
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk for the attribute files is f"),
        (OSError(errno.EACCES, "Permission denied", "x/P01"), "says: Permission denied: x/P01"),
        (OSError("odd"), "the system says: OSError"),
        (MemoryError(), "memory ran out; close other programs"),
        (ValueError("0.731 of child 7"), "a fault of this program (ValueError in test_outcome.py"),
    ],
)
def test_whatever_the_system_refuses_is_an_outcome(extract, out, monkeypatch, error, text):
    def refuse(path, series):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "write_attributes", refuse)
        found = extract()
    assert found.status == "failed"
    assert text in found.text
    assert "0.731" not in found.text
    assert extract().status == "extracted"


def test_a_folder_that_cannot_be_made_is_an_outcome(extract, out):
    out.write_text("a file where the folder should be")
    found = extract()
    assert found.status == "failed"
    assert found.text.startswith("the system says: File exists")


def test_a_participant_whom_another_run_reads_is_left_to_it(extract, out):
    with participant_lock(out, "P01"):
        found = extract()
        assert found.status == "failed"
        assert found.text.startswith("being read by another run")
    assert extract().status == "extracted"


def test_finished_stretches_go_only_when_the_whole_is_stored(extract, extractor, out, monkeypatch):
    partial = partial_folder(out, "P01")
    partial.mkdir(parents=True)
    (partial / "old").touch()

    def full(path, series):
        assert path == out / "P01.parquet"
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "write_attributes", full)
        assert extract().status == "failed"
    assert partial.exists()
    assert extract().status == "extracted"
    assert not partial.exists()
    partial.mkdir()
    assert extract().status == "skipped"
    assert not partial.exists()


def test_nothing_but_the_attribute_file_is_written(extract, out, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("TMPDIR", str(work))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    extract()
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert after - before == {out / "P01.parquet"}


def test_progress_is_reported(extract):
    states = []
    extract(report=states.append)
    assert states[-1].frames == 12
