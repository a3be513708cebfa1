import pytest

from client.extraction.capacity import Capacity, Plan, capacity, plan_jobs
from shared.errors import InputError

GIB = 1 << 30


@pytest.mark.parametrize(
    ("recordings", "there", "plan"),
    [
        (88, Capacity(2, 8 * GIB), Plan(1, 2)),
        (88, Capacity(1, 8 * GIB), Plan(1, 1)),
        (88, Capacity(4, 8 * GIB), Plan(3, 1)),
        (88, Capacity(8, 32 * GIB), Plan(6, 1)),
        (88, Capacity(8, 4 * GIB), Plan(3, 2)),
        (88, Capacity(8, GIB // 2), Plan(1, 4)),
        (88, Capacity(4, None), Plan(3, 1)),
        (2, Capacity(8, 32 * GIB), Plan(2, 4)),
        (1, Capacity(32, 32 * GIB), Plan(1, 4)),
        (0, Capacity(8, 32 * GIB), Plan(1, 4)),
    ],
)
def test_cores_memory_and_recordings_decide(recordings, there, plan):
    assert plan_jobs(recordings, there) == plan


def test_what_is_asked_is_done_as_far_as_there_are_recordings():
    there = Capacity(2, 8 * GIB)
    assert plan_jobs(88, there, jobs="5") == Plan(5, 1)
    assert plan_jobs(3, there, jobs="5", threads=7) == Plan(3, 7)
    assert plan_jobs(88, there, threads=3) == Plan(1, 3)


@pytest.mark.parametrize("jobs", ["0", "-1", "257", "99999999", "1.5", "", "all", "²"])
def test_a_number_that_makes_no_sense_is_refused(jobs):
    with pytest.raises(InputError, match=r"--jobs .* auto, or a number from 1 to 256"):
        plan_jobs(88, Capacity(2, None), jobs=jobs)


def test_this_computer_has_something():
    cores, free = capacity()
    assert cores >= 1
    assert free is None or free > 0
