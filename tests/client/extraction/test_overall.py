import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.extraction.extract import ExtractionProgress
from client.extraction.overall import OverallProgress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def state(done_s, total_s=60.0, resumed_s=0.0):
    return ExtractionProgress(done_s, total_s, round(done_s * 24), round(resumed_s * 24))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def overall(clock):
    """Three recordings of a minute, half a minute, and one whose header does not say."""
    found = OverallProgress(["a", "b", "c"], clock)
    found.length("a", 60.0)
    found.length("b", 30.0)
    found.length("c", None)
    return found


def test_before_anything_is_known_nothing_is_told(clock):
    fresh = OverallProgress(["a"], clock)
    assert (fresh.share, fresh.left_s, fresh.ended, fresh.recordings) == (None, None, 0, 1)
    fresh.begin("a")
    fresh.step("a", state(2.0, total_s=None))
    assert fresh.running["a"].share is None
    assert fresh.running["a"].left_s is None


def test_one_recording_tells_its_speed_and_the_time_left(overall, clock):
    overall.begin("a")
    overall.step("a", state(0.5))
    clock.now += 10
    overall.step("a", state(20.0))
    one = overall.running["a"]
    assert one.share == pytest.approx(1 / 3)
    assert one.frames_per_s == pytest.approx(48)
    assert one.left_s == pytest.approx(20)


def test_all_are_as_far_as_their_video(overall, clock):
    # 60 + 30 + (the third counts as 45) = 135 s
    overall.begin("a")
    overall.begin("b")
    for done_s in (0.1, 15.0):
        overall.step("a", state(done_s))
        overall.step("b", state(done_s, 30.0))
        clock.now += 10
    assert overall.share == pytest.approx(30 / 135)
    # Two at once did 30 s in 20 s.
    assert overall.left_s == pytest.approx(105 * 20 / 30)
    overall.end("b")
    assert overall.share == pytest.approx(45 / 135)
    overall.end("a")
    overall.end("c")
    assert (overall.share, overall.left_s, overall.ended) == (1.0, 0.0, 3)


def test_what_an_earlier_run_did_is_done_but_says_nothing_about_speed(overall, clock):
    overall.begin("a")
    overall.step("a", state(40.0, resumed_s=40.0))
    assert overall.running["a"].frames_per_s == 0
    assert overall.left_s is None
    clock.now += 1
    overall.step("a", state(40.5, resumed_s=40.0))
    clock.now += 5
    overall.step("a", state(50.0, resumed_s=40.0))
    one = overall.running["a"]
    assert one.share == pytest.approx(50 / 60)
    assert one.worked_s == pytest.approx(10)
    assert one.left_s == pytest.approx(5)
    assert overall.left_s == pytest.approx((135 - 50) * 5 / 10)


def test_skipped_recordings_say_nothing_about_speed(overall, clock):
    overall.begin("a")
    clock.now += 3
    overall.end("a")
    assert overall.share == pytest.approx(60 / 135)
    assert overall.left_s is None


def test_one_that_failed_before_it_began_is_done(overall):
    overall.end("c")
    assert overall.ended == 1
    assert overall.share == pytest.approx(45 / 135)


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(["length", "begin", "step", "end"]),
            st.sampled_from(["a", "b", "c"]),
            st.one_of(st.none(), st.floats(0, 1e5)),
            st.floats(0, 1e5),
            st.floats(0, 10),
        ),
        max_size=40,
    )
)
def test_whatever_headers_say_shares_stay_between_0_and_1(events):
    clock = Clock()
    overall = OverallProgress(["a", "b", "c"], clock)
    ended = set()
    for what, name, length, done_s, elapsed in events:
        clock.now += elapsed
        if what == "length":
            overall.length(name, length)
        elif what == "begin" and name not in ended:
            overall.begin(name)
        elif what == "step" and name in overall.running:
            overall.step(name, state(done_s, length, done_s / 2))
        elif what == "end":
            ended.add(name)
            overall.end(name)
        shares = [overall.share, *(one.share for one in overall.running.values())]
        assert all(share is None or 0 <= share <= 1 for share in shares)
        assert overall.left_s is None or overall.left_s >= 0
        assert all((one.left_s or 0) >= 0 for one in overall.running.values())
