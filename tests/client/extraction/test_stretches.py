import copy
import dataclasses

import numpy as np
import pytest

from client.extraction.extract import Extractor
from client.extraction.rows import join_series
from client.extraction.stretches import FinishedStretches
from client.extraction.tracking import TrackingSettings
from shared.attributes import write_attributes
from shared.errors import InputError


@pytest.fixture
def short_stretches(monkeypatch):
    from client.extraction import extract

    monkeypatch.setattr(extract, "_STRETCH_FRAMES", 24)


@pytest.fixture(scope="module")
def video(tmp_path_factory, write_video, scene):
    """Five seconds; the face drifts, goes at a cut, comes back elsewhere."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(120):
        box = None if 50 <= i < 63 else (20 + i // 2, 20 + (i > 62) * 15, 60, 60)
        picture = scene(box)
        if box:
            x, y, w, h = box
            picture[y : y + h, x : x + w] = rng.integers(215, 256, (h, w, 3), np.uint8)
        pictures.append(picture)
    return write_video(tmp_path_factory.mktemp("videos") / "P01.mp4", pictures)


class Killed(Exception):
    pass


def killed_after(frames):
    def report(progress):
        if progress.frames == frames:
            raise Killed

    return report


def assert_equal(a, b, folder):
    write_attributes(folder / "a.parquet", a)
    write_attributes(folder / "b.parquet", b)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


@pytest.mark.usefixtures("short_stretches")
@pytest.mark.parametrize("killed_at", [1, 23, 24, 25, 31, 50, 57, 64, 96, 119, 120])
def test_an_interrupted_extraction_goes_on_and_gives_the_same(
    video, extractor, detector, tmp_path, killed_at
):
    whole = extractor.extract(video, "P01")
    looks_of_whole, detector.looks = detector.looks, 0
    partial = tmp_path / "partial"
    with pytest.raises(Killed):
        extractor.extract(video, "P01", partial=partial, report=killed_after(killed_at))
    looks_before, detector.looks = detector.looks, 0
    states = []
    resumed = extractor.extract(video, "P01", partial=partial, report=states.append)
    assert_equal(resumed.series, whole.series, tmp_path)
    assert resumed.source_frames == whole.source_frames == 120
    assert [state.frames for state in states] == list(range(1, 121))
    finished = states[-1].resumed_frames
    assert killed_at - 36 < finished <= killed_at
    assert resumed.resumed_s == pytest.approx(finished / 24)
    # What was finished was not looked at again.
    assert looks_before + detector.looks <= looks_of_whole + 24
    if finished >= 24:
        assert detector.looks < looks_of_whole


@pytest.mark.usefixtures("short_stretches")
def test_with_and_without_a_folder_the_result_is_the_same(video, extractor, tmp_path):
    kept = extractor.extract(video, "P01", partial=tmp_path / "partial")
    assert_equal(kept.series, extractor.extract(video, "P01").series, tmp_path)
    assert kept.resumed_s == 0
    assert len(list((tmp_path / "partial").iterdir())) >= 4


@pytest.mark.usefixtures("short_stretches")
@pytest.mark.parametrize("changed", ["software", "settings", "participant", "video", "backend"])
def test_stretches_of_another_extraction_are_thrown_away(
    video, extractor, tmp_path, write_video, scene, changed
):
    partial = tmp_path / "partial"
    extractor.extract(video, "P01", partial=partial)
    name = "P01"
    if changed == "software":
        extractor = dataclasses.replace(extractor, software="fedaffect next")
    elif changed == "settings":
        extractor = dataclasses.replace(extractor, settings=TrackingSettings(detect_every=3))
    elif changed == "participant":
        name = "P02"
    elif changed == "backend":
        other = copy.copy(extractor.reader)
        other.backend = "another"
        extractor = dataclasses.replace(extractor, reader=other)
    else:
        video = write_video(tmp_path / "other.mp4", [scene()] * 30)
    again = extractor.extract(video, name, partial=partial)
    assert again.resumed_s == 0
    assert_equal(again.series, extractor.extract(video, name).series, tmp_path)


@pytest.mark.usefixtures("short_stretches")
def test_damage_costs_only_what_follows_it(video, extractor, tmp_path):
    partial = tmp_path / "partial"
    whole = extractor.extract(video, "P01", partial=partial)
    files = sorted(partial.iterdir())
    files[2].write_bytes(files[2].read_bytes()[:-7])
    again = extractor.extract(video, "P01", partial=partial)
    assert_equal(again.series, whole.series, tmp_path)
    assert 1.9 < again.resumed_s < 3.5


def test_only_the_owner_can_look_into_the_folder(video, extractor, tmp_path):
    extractor.extract(video, "P01", partial=tmp_path / "partial")
    assert (tmp_path / "partial").stat().st_mode & 0o077 == 0
    for file in (tmp_path / "partial").iterdir():
        assert file.stat().st_mode & 0o077 == 0


def test_a_faulty_recording_leaves_nothing(video, extractor, tmp_path, monkeypatch):
    partial = tmp_path / "partial"
    extractor.extract(video, "P01", partial=partial)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:5000])
    with pytest.raises(InputError):
        extractor.extract(broken, "P01", partial=partial)
    assert not partial.exists()


def test_a_recording_that_changes_meanwhile_is_refused(extractor, tmp_path, write_video, scene):
    path = write_video(tmp_path / "P01.mp4", [scene()] * 60)

    def touch(progress):
        if progress.frames == 30:
            path.touch()

    with pytest.raises(InputError, match="changed while it was read"):
        extractor.extract(path, "P01", report=touch, partial=tmp_path / "partial")


@pytest.mark.usefixtures("short_stretches")
def test_work_is_kept_while_the_recording_s_disk_is_away(video, extractor, tmp_path):
    partial = tmp_path / "partial"
    with pytest.raises(Killed):
        extractor.extract(video, "P01", partial=partial, report=killed_after(70))
    away = video.rename(video.with_suffix(".away"))
    try:
        with pytest.raises(InputError):
            extractor.extract(video, "P01", partial=partial)
    finally:
        away.rename(video)
    assert extractor.extract(video, "P01", partial=partial).resumed_s > 1


def test_nothing_can_be_joined_too():
    series = join_series([], "P01", {"a": "b"})
    assert len(series.time_s) == 0
    assert series.provenance == {"a": "b"}


def test_removing_what_is_not_there_is_no_error(tmp_path):
    FinishedStretches(tmp_path / "none", "P01", {}).remove()


def test_the_reader_s_error_is_not_lost(video, detector, reader):
    class Broken:
        preprocessing, sha256, precision = reader.preprocessing, reader.sha256, "f32"
        backend = "none"

        def read(self, crops):
            raise ValueError("network broke")

    extractor = Extractor(Broken(), detector, TrackingSettings(), "test")
    with pytest.raises(ValueError, match="network broke"):
        extractor.extract(video, "P01")
