from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.extraction.frame_times import FrameTimes
from shared.errors import InputError

MILLISECOND = 0.001


def times_of(stamps, **settings):
    times = FrameTimes(MILLISECOND, 0.04, **settings)
    found = [times.of(SimpleNamespace(pts=stamp, dts=None)) for stamp in stamps]
    times.check()
    return found


def test_the_first_frame_is_at_zero_whatever_its_stamp():
    assert times_of([-500, -460]) == pytest.approx([0, 0.04])
    assert times_of([90_000, 90_040]) == pytest.approx([0, 0.04])


def test_a_missing_stamp_is_one_step_later():
    assert times_of([None, None, None]) == pytest.approx([0, 0.04, 0.08])
    assert times_of([1000, None, 1080]) == pytest.approx([0, 0.04, 0.08])


def test_half_of_the_frames_may_share_their_moment_with_another():
    assert times_of([0, 0, 0, 40])[1:3] == [None, None]


def test_a_repeated_stamp_or_a_small_step_back_is_left_out():
    found = times_of([0, 40, 40, 30, 80])
    assert found[2:4] == [None, None]
    assert [time_s for time_s in found if time_s is not None] == pytest.approx([0, 0.04, 0.08])


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([0, 5000, 3900], "after 5.0 s its time stamps go back by 1.1 s"),
        ([0, 40, 10_100], "after 0.0 s nothing is recorded for 10 s, or its time stamps jump"),
        ([*range(0, 86_401_000, 9_000), 86_401_000], "longer than 24 h"),
        ([0, 0, 0], "2 of its 3 frames have no time of their own"),
    ],
)
def test_times_that_cannot_be_believed_are_refused(stamps, message):
    with pytest.raises(InputError, match=message):
        times_of(stamps)


def test_avi_counts_frames_in_the_order_of_decoding():
    times = FrameTimes(0.04, 0.04, by_order=True)
    frames = [(1, 2), (4, 3), (3, 4), (2, None)]
    found = [times.of(SimpleNamespace(pts=pts, dts=dts)) for pts, dts in frames]
    assert found == pytest.approx([0, 0.04, 0.08, 0.12])


@pytest.mark.parametrize(("stated", "length_s"), [(40, 0.04), (100, 0.1), (0, 0.04), (None, 0.04)])
def test_a_frame_lasts_as_long_as_the_file_says_if_it_does(stated, length_s):
    times = FrameTimes(MILLISECOND, 0.04)
    assert times.length_s(SimpleNamespace(duration=stated)) == pytest.approx(length_s)


def test_a_length_beyond_belief_is_one_step():
    times = FrameTimes(MILLISECOND, 0.04)
    assert times.length_s(SimpleNamespace(duration=20_000)) == 0.04


@given(st.lists(st.none() | st.integers(-(10**7), 10**7), max_size=40))
def test_times_only_grow_whatever_the_stamps(stamps):
    try:
        found = times_of(stamps)
    except InputError:
        return
    kept = [time_s for time_s in found if time_s is not None]
    assert kept == sorted(set(kept))
    assert len(kept) >= len(stamps) / 2
