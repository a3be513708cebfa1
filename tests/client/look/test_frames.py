import json
import struct

import numpy as np
import pytest

from client.extraction.recording import Recording, open_recording
from client.look import frames as looking
from client.look.frames import upright_frames
from shared.errors import InputError

SHADES = (30, 90, 150, 210)
WHOLE = json.dumps({"frames": 120, "damaged_packets": 0})


def numbered(number, width=96, height=64):
    """A picture that shows its number, to base 4 in four vertical stripes, and noise of its own."""
    picture = np.random.default_rng(number).integers(0, 8, (height, width, 3), np.uint8)
    for place in range(4):
        left = place * width // 4
        picture[:, left : left + width // 4] += np.uint8(SHADES[number // 4**place % 4])
    return picture


def number_of(picture):
    stripes = picture[8:-8].mean(axis=(0, 2)).reshape(4, -1)[:, 4:-4].mean(axis=1)
    digits = [int(np.argmin(np.abs(np.array(SHADES) + 4 - stripe))) for stripe in stripes]
    return sum(digit * 4**place for place, digit in enumerate(digits))


def refused(*_):
    raise AssertionError("this way must not be taken")


@pytest.fixture(scope="module")
def pictures():
    return [numbered(i) for i in range(120)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "30", "bf": "2"}),
        ("a.mp4", "libx264", {"g": "30", "bf": "3", "x264-params": "open-gop=1"}),
        ("a.mp4", "libx264", {"g": "1"}),
        ("a.mp4", "libx264", {"g": "1000", "bf": "3"}),
        ("a.mov", "libx265", {"g": "30", "x265-params": "log-level=none"}),
        ("a.mp4", "mpeg4", {"g": "12", "bf": "2"}),
        ("a.mkv", "libx264", {"g": "30", "bf": "2"}),
    ],
)
def test_any_frame_is_found_without_decoding_all(
    tmp_path, write_video, pictures, monkeypatch, name, codec, options
):
    path = write_video(tmp_path / name, pictures, codec=codec, options=options)
    monkeypatch.setattr(Recording, "frames", refused)
    for wanted in ([0, 119], [118], [3, 4, 5, 29, 30, 31, 61, 100], [59, 60], range(120)):
        found = upright_frames(path, reversed(wanted), {"source": WHOLE})
        assert [(i, number_of(picture)) for i, picture in found] == [(i, i) for i in wanted]


def test_where_seeking_is_coarse_frames_are_still_the_right_ones(tmp_path, write_video, pictures):
    path = write_video(tmp_path / "a.ts", pictures, options={"g": "30", "bf": "2"})
    wanted = [0, 1, 29, 30, 31, 60, 118, 119]
    found = upright_frames(path, wanted, {"source": WHOLE})
    assert [(i, number_of(picture)) for i, picture in found] == [(i, i) for i in wanted]


def test_a_variable_frame_rate_is_no_obstacle(tmp_path, write_video, pictures, monkeypatch):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 120))
    path = write_video(tmp_path / "a.mp4", pictures, times=times, options={"g": "20", "bf": "2"})
    monkeypatch.setattr(Recording, "frames", refused)
    found = upright_frames(path, [7, 77, 117], {"source": WHOLE})
    assert [number_of(picture) for _, picture in found] == [7, 77, 117]


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {"source": "no JSON"},
        {"source": json.dumps({"frames": 119, "damaged_packets": 0})},
        {"source": json.dumps({"frames": 120, "damaged_packets": 1})},
    ],
)
def test_in_doubt_frames_are_counted_from_the_beginning(
    tmp_path, write_video, pictures, monkeypatch, provenance
):
    path = write_video(tmp_path / "a.mp4", pictures, options={"g": "30", "bf": "2"})
    monkeypatch.setattr(looking._FileIndex, "frames", refused)
    found = upright_frames(path, [0, 50, 99], provenance)
    assert [(i, number_of(picture)) for i, picture in found] == [(0, 0), (50, 50), (99, 99)]


def test_avi_has_no_times_and_is_counted(tmp_path, write_video, pictures):
    path = write_video(tmp_path / "a.avi", pictures, codec="mpeg4", options={"bf": "2"})
    with open_recording(path) as recording:
        assert looking._FileIndex.read(recording, 120) is None
        count = sum(1 for _ in recording.frames())
    source = json.dumps({"frames": count, "damaged_packets": 0})
    found = upright_frames(path, [5, 70], {"source": source})
    assert [number_of(picture) for _, picture in found] == [5, 70]


def test_frames_the_decoder_does_not_deliver_are_counted_instead(
    tmp_path, write_video, pictures, monkeypatch
):
    path = write_video(tmp_path / "a.mp4", pictures, options={"g": "30"})
    real = looking._FileIndex._at
    monkeypatch.setattr(
        looking._FileIndex, "_at", lambda self, i: None if i == 60 else real(self, i)
    )
    found = upright_frames(path, [10, 60, 110], {"source": WHOLE})
    assert [(i, number_of(picture)) for i, picture in found] == [(10, 10), (60, 60), (110, 110)]


def test_only_wanted_frames_are_converted_and_progress_is_reported(
    tmp_path, write_video, pictures, monkeypatch
):
    path = write_video(tmp_path / "a.mp4", pictures, options={"g": "30"})
    converted, reported = [], []
    real = looking.crop_rgb
    monkeypatch.setattr(
        looking, "crop_rgb", lambda frame, *rest: converted.append(frame.pts) or real(frame, *rest)
    )
    list(upright_frames(path, [40, 41, 90, 41], {"source": WHOLE}, report=reported.append))
    assert len(converted) == 3
    assert reported == [1, 2, 3]


def test_frames_are_upright(tmp_path, write_video, pictures):
    stored = [np.ascontiguousarray(np.rot90(picture)) for picture in pictures]
    path = write_video(tmp_path / "a.mp4", stored, options={"g": "30"})
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    turned = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    content[place : place + 36] = struct.pack(">9i", *turned)
    path.write_bytes(content)
    ((_, picture),) = upright_frames(path, [33], {"source": WHOLE})
    assert picture.shape == (64, 96, 3)
    assert number_of(picture) == 33


def test_a_frame_that_is_not_there_any_more_is_an_error(tmp_path, write_video, pictures):
    path = write_video(tmp_path / "a.mp4", pictures)
    with pytest.raises(InputError, match=r"a\.mp4: a frame cannot be decoded any more"):
        list(upright_frames(path, [5, 200], {"source": WHOLE}))
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match=r"a\.mp4: the file is text"):
        list(upright_frames(path, [5], {}))


@pytest.mark.parametrize(
    ("name", "frames", "sought"),
    [("single_face.mp4", 72, True), ("face_noface.mov", 169, True), ("no_face.mp4", 95, False)],
)
def test_frames_of_real_recordings_are_those_that_are_counted(
    media, monkeypatch, name, frames, sought
):
    """In the last one, three packets give no frame, so its time stamps tell nothing."""
    wanted = [0, 3, 40, 41, 70]
    counted = list(upright_frames(media / name, wanted, {}))
    monkeypatch.setattr(
        *((Recording, "frames") if sought else (looking._FileIndex, "_at")), refused
    )
    source = json.dumps({"frames": frames, "damaged_packets": 0})
    found = list(upright_frames(media / name, wanted, {"source": source}))
    assert [index for index, _ in found] == [index for index, _ in counted] == wanted
    for (_, one), (_, other) in zip(found, counted, strict=True):
        np.testing.assert_array_equal(one, other)
