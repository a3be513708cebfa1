import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.affect.resampling import reduced


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.booleans()
)
def test_any_size_becomes_any_smaller_size_with_the_same_mean(h, w, height, width, colour):
    height, width = min(h, height), min(w, width)
    picture = np.full((h, w, 3) if colour else (h, w), 77, np.uint8)
    small = reduced(picture, width, height)
    assert small.shape[:2] == (height, width)
    assert (small == 77).all()


def test_a_picture_of_the_right_size_is_left_alone():
    picture = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    np.testing.assert_array_equal(reduced(picture, 40, 30), picture)


@pytest.mark.parametrize("size", [(111, 160), (48, 48), (224, 224), (96, 30)])
def test_close_to_area_averaging(size):
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (24, 17), np.uint8), (480, 684))
    expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(reduced(picture, *size) - expected).mean() < 5


def test_fine_stripes_do_not_become_false_coarse_ones():
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))
    for side in (48, 100, 224):
        assert reduced(stripes, side, side).std() < 30
