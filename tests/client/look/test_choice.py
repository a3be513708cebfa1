import numpy as np
import pytest

from client.look.choice import choose_moments
from shared.channels import CHANNELS
from shared.errors import InputError


@pytest.fixture
def series(series_of):
    values = np.zeros((240, len(CHANNELS)), np.float32)
    values[50, [1, 16]] = 0.9
    return series_of([(10, 10, 20, 20)] * 240, values=values)


def test_without_a_wish_twelve_moments_are_spread_evenly(series):
    choice = choose_moments(series, None, [], [])
    assert len(choice.moments) == 12
    assert choice.title == "12 moments, evenly spaced"
    assert choice.words == "sheet"
    assert choose_moments(series, 1, [], []).title == "1 moment, evenly spaced"


def test_times_and_peaks_stand_together_in_order(series):
    choice = choose_moments(series, 1, ["0:05", "2"], ["joy", "AU 12", "joy"])
    assert [moment.tick for moment in choice.moments] == [48, 50, 120]
    assert [m.reason for m in choice.moments] == [
        "",
        "peak of joy, 0.90; peak of AU 12 lip corner pulled, 0.90",
        "",
    ]
    assert choice.title == (
        "3 moments, at the given times and where joy is highest and where AU 12 lip corner pulled "
        "is highest"
    )
    assert choice.words == "at_0m05s_and_1_more_peaks_joy_peaks_au12"


@pytest.mark.parametrize(
    ("count", "times", "channels", "message"),
    [
        (0, [], [], "up to 0 moments asked; 1 to 60"),
        (-3, [], ["joy"], "1 to 60 are possible"),
        (61, [], [], "up to 61 moments asked"),
        (31, [], ["joy", "au12"], "up to 62 moments asked"),
        (None, ["1"] * 61, [], "up to 61 moments asked"),
        (3, ["1"], [], "--at names the moments itself"),
    ],
)
def test_a_count_that_makes_no_sense_is_refused(series, count, times, channels, message):
    with pytest.raises(InputError, match=message):
        choose_moments(series, count, times, channels)
