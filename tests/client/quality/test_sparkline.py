import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.quality.sparkline import binned, curve, strip


@pytest.mark.parametrize(("n", "bins"), [(0, 240), (1, 240), (7, 240), (9575, 240), (241, 240)])
def test_stretches_are_equal_and_keep_the_mean(n, bins):
    values = np.arange(n, dtype=float)[:, None]
    means = binned(values, bins)[:, 0]
    assert len(means) == min(n, bins)
    np.testing.assert_allclose(means.mean() if n else 0, values.mean() if n else 0, rtol=5e-3)


def test_a_stretch_without_a_face_for_most_of_the_time_is_open():
    values = np.array([1, 1, np.nan, 1, np.nan, np.nan, 3, np.nan, np.nan])[:, None]
    np.testing.assert_array_equal(binned(values, 3)[:, 0], [1, np.nan, np.nan])


def points(svg):
    """Vertical positions of a curve, by walking its path."""
    (path,) = re.findall(r'<path d="([^"]*)"', svg)
    found, row = {}, 0
    column = 0
    for kind, x, y in re.findall(r"([Ml])(\d+) (-?\d+)", path):
        column, row = (int(x), int(y)) if kind == "M" else (column + int(x), row + int(y))
        found[column] = row
    return found


@given(
    st.lists(st.one_of(st.none(), st.floats(-2, 2)), min_size=1, max_size=60),
)
def test_a_curve_goes_through_its_values_and_is_open_between(values):
    means = np.array([np.nan if v is None else v for v in values])
    svg = curve(means, -1, 1, "valence")
    ET.fromstring(svg)
    given_at = {i: v for i, v in enumerate(values) if v is not None}
    drawn = points(svg)
    assert set(drawn) == set(given_at)
    for i, value in given_at.items():
        assert drawn[i] == pytest.approx((1 - np.clip(value, -1, 1)) / 2 * 40, abs=0.5)


def test_a_strip_is_filled_where_it_is_true():
    svg = strip(np.array([1, 1, 0, 0, 1], bool), "face")
    assert 'd="M0 0h2v40h-2zM4 0h1v40h-1z"' in svg
    assert 'viewBox="0 0 5 40"' in svg
    ET.fromstring(strip(np.zeros(0, bool), "nothing"))
