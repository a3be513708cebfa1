import pytest

from shared.channels import ACTION_UNIT_NAMES, ACTION_UNITS, CHANNELS, channel_title


def test_every_action_unit_has_a_name():
    assert tuple(ACTION_UNIT_NAMES) == ACTION_UNITS


@pytest.mark.parametrize(
    ("channel", "title"),
    [
        ("au1", "AU 1 inner brow raised"),
        ("au12", "AU 12 lip corner pulled"),
        ("expression_joy", "Joy"),
        ("valence", "Valence"),
    ],
)
def test_channels_have_titles_for_people(channel, title):
    assert channel_title(channel) == title


def test_titles_tell_channels_apart():
    assert len({channel_title(channel) for channel in CHANNELS}) == len(CHANNELS)
