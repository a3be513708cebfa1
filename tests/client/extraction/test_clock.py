from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.extraction.clock import on_clock
from client.extraction.recording import SourceFrame


def placed(times, end_s):
    frames = [SourceFrame(index, time_s, None) for index, time_s in enumerate(times)]
    shown = on_clock(SimpleNamespace(end_s=end_s), frames)
    return [(item.frame.index, item.ticks) for item in shown]


@pytest.mark.parametrize("rate", [23.7, 23.976, 24, 25, 26.4, 29.97, 30, 50, 60])
def test_a_steady_rate_covers_its_length_without_drift(rate):
    n = round(20 * rate)
    times = np.arange(n) / rate
    items = placed(times, n / rate)
    frames = np.repeat([i for i, _ in items], [t for _, t in items])
    assert abs(len(frames) - 24 * n / rate) <= 1
    ticks = np.arange(len(frames)) / 24
    late = ticks - times[frames]
    assert late.min() >= -0.0011
    assert late.max() < 1 / rate + 1e-9


def test_at_24_frames_a_second_every_frame_has_one_tick():
    assert placed(np.arange(48) / 24, 2.0) == [(i, 1) for i in range(48)]


def test_time_stamps_rounded_to_a_millisecond_move_no_frame():
    times = np.round(np.arange(240) / 24, 3)
    assert placed(times, 10.0) == [(i, 1) for i in range(240)]


def test_60_frames_a_second_lose_frames_and_6_repeat_them():
    assert [i for i, _ in placed(np.arange(60) / 60, 1.0)][:5] == [0, 2, 5, 7, 10]
    assert placed(np.arange(6) / 6, 1.0) == [(i, 4) for i in range(6)]


def test_variable_rate_keeps_to_the_time_stamps():
    assert placed([0, 0.25, 0.26, 0.75], 1.0) == [(0, 6), (1, 1), (2, 11), (3, 6)]


def test_one_frame_has_at_least_one_tick_and_none_has_none():
    assert placed([0.0], 0.001) == [(0, 1)]
    assert placed([], 0.0) == []


@given(
    st.lists(st.floats(0.002, 0.7), min_size=1, max_size=60),
)
def test_ticks_cover_any_recording(steps):
    times = np.concatenate([[0.0], np.cumsum(steps)])[:-1]
    end = float(sum(steps))
    items = placed(times, end)
    total = sum(ticks for _, ticks in items)
    assert (total - 1) / 24 < end
    assert total / 24 >= end - 0.0011
    indices = [index for index, _ in items]
    assert indices == sorted(set(indices))
