import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.look.moments import (
    evenly_spaced,
    named_channel,
    named_moments,
    peaks,
    seconds_of,
    stretch,
    time_code,
)
from shared.channels import CHANNELS
from shared.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("83", 83),
        ("83.5", 83.5),
        ("1:23", 83),
        (" 1:23,5 ", 83.5),
        ("01:02:03.25", 3723.25),
        ("90:00", 5400),
        ("0", 0),
    ],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "-1", "1:60", "1:75:00", "1:2:3:4", "1m23s", "nan", "1e3", "1:-2", "٣", "1:", ":5"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InputError, match="write minutes and seconds such as 1:23"):
        seconds_of(text)


@given(st.integers(0, 359_999))
def test_a_time_code_is_read_again_as_it_was(tenths):
    assert seconds_of(time_code(tenths / 10)) == pytest.approx(tenths / 10)


def test_time_codes_round_up_to_the_next_minute():
    assert time_code(59.96) == "1:00.0"
    assert time_code(3599.99) == "1:00:00.0"
    assert time_code(83.44) == "1:23.4"


def test_even_moments_are_the_middles_of_equal_stretches(series_of):
    series = series_of([None] * 240)
    assert [moment.tick for moment in evenly_spaced(series, 4)] == [30, 90, 150, 210]
    assert [moment.tick for moment in evenly_spaced(series_of([None] * 3), 12)] == [0, 1, 2]


def test_named_moments_are_in_order_and_once(series_of):
    series = series_of([None] * 240)
    assert [m.tick for m in named_moments(series, ["0:05", "1.5", "5"])] == [36, 120]
    assert named_moments(series, ["0:10"])[0].tick == 239


def test_a_time_outside_the_recording_is_refused(series_of):
    with pytest.raises(InputError, match=r"time 0:11 asked; the recording is 0:10\.0 long"):
        named_moments(series_of([None] * 240), ["0:11"])


@pytest.mark.parametrize(
    ("name", "channel"),
    [("au12", "au12"), ("AU 12", "au12"), ("Joy", "expression_joy"), ("valence", "valence")]
    + [(name, name) for name in CHANNELS],
)
def test_channels_are_named_as_people_write_them(name, channel):
    assert CHANNELS[named_channel(name)] == channel


def test_an_unknown_channel_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"'au7' asked; one of neutral, joy, .* au43 is possible"):
        named_channel("au7")


def test_peaks_are_the_highest_moments_two_seconds_apart(series_of):
    values = np.zeros((480, len(CHANNELS)), np.float32)
    au12 = named_channel("au12")
    values[:, au12] = 0.1
    values[[100, 101, 147, 148, 300, 400], au12] = [0.9, 0.8, 0.7, 0.6, 0.5, 0.95]
    boxes = [(10, 10, 20, 20)] * 480
    boxes[360:] = [None] * 120  # the highest value of all would stand where the face is lost
    found = peaks(series_of(boxes, values=values), au12, 3)
    assert [moment.tick for moment in found] == [100, 148, 300]
    assert found[0].reason == "peak of AU 12 lip corner pulled, 0.90"
    assert all(moment.tick < 360 for moment in peaks(series_of(boxes, values=values), au12, 60))
    assert peaks(series_of(boxes, values=values), 1, 1)[0].reason == "peak of joy, 0.00"


def test_a_recording_without_a_face_has_no_peaks(series_of):
    with pytest.raises(InputError, match="no face was found in this recording"):
        peaks(series_of([None] * 48), 1, 3)


def test_a_stretch_ends_before_its_second_time(series_of):
    series = series_of([None] * 240)
    assert stretch(series, "1", "0:02") == range(24, 48)
    assert stretch(series, "9", "10") == range(216, 240)


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ("3", "2", "must end after it begins"),
        ("2", "2", "must end after it begins"),
        ("9", "0:11", "time 0:11 asked; the recording is"),
        ("11", "12", "time 11 asked; the recording is"),
    ],
)
def test_a_stretch_that_makes_no_sense_is_refused(series_of, start, stop, message):
    with pytest.raises(InputError, match=message):
        stretch(series_of([None] * 240), start, stop)


def test_a_clip_has_at_most_a_minute(series_of):
    series = series_of([None] * 1500)
    assert len(stretch(series, "1", "1:01")) == 1440
    with pytest.raises(InputError, match="a clip of 61 s asked; at most 60 s"):
        stretch(series, "1", "1:02")
