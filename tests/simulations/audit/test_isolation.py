"""Worst-case neighbours: a cohort of equals, and one participant as far from them as can be.

An audit with a planted gradient comes after the feature map and cannot see a map that looks at the
cohort. So the map is put to the test itself: nobody's vector may notice the newcomer, and the sum
may move by at most one unit.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_federation import NoNoise, people_map, ranges_map

from shared.channels import ATTRIBUTE_GROUPS
from shared.features import FEATURE_RANGES
from shared.privacy.constants import load_constants
from shared.privacy.gradient_sum import gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

LOW, HIGH = FEATURE_RANGES.T
COLUMNS = 4  # of the tables

MAPS = {
    "affect": (AffectMap(load_constants(), ATTRIBUTE_GROUPS).unit_vectors, LOW, HIGH),
    "ranges": (ranges_map(COLUMNS).unit_vectors, -np.ones(COLUMNS), np.ones(COLUMNS)),
    "people": (people_map(COLUMNS).unit_vectors, -3 * np.ones(COLUMNS), 3 * np.ones(COLUMNS)),
}
EQUALS = 20


def centred(unit_vectors, low, high):
    """A map that first takes the cohort's mean off: tempting, and not private."""

    def map_cohort(features):
        return unit_vectors(features - features.mean(axis=0) + (low + high) / 2)

    return map_cohort


def neighbours(low, high, place, far):
    """A cohort of equals, and the same with one participant at a corner of the public range."""
    equals = np.tile(low + place * (high - low), (EQUALS, 1))
    return equals, np.vstack([equals, np.where(far, high, low)])


def others_notice(unit_vectors, equals, with_newcomer):
    return bool((unit_vectors(with_newcomer)[:-1] != unit_vectors(equals)).any())


def sum_moves_by(unit_vectors, equals, with_newcomer):
    """Squared length, in grid steps, by which the newcomer moves the first gradient sum."""

    def total(features):
        vectors = unit_vectors(features)
        asd = np.ones(len(vectors), dtype=bool)
        start = np.zeros(vectors.shape[1])
        return gradient_contribution(
            vectors / GRID, asd, start, variance=0, noise=NoNoise(), release="r"
        )

    return sum(int(step) ** 2 for step in total(with_newcomer) - total(equals))


@pytest.mark.parametrize("name", MAPS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_nobody_notices_a_newcomer_and_the_sum_moves_by_one_unit_at_most(name, data):
    unit_vectors, low, high = MAPS[name]
    place = data.draw(st.floats(0, 1))
    far = np.array(data.draw(st.lists(st.booleans(), min_size=len(low), max_size=len(low))))
    pair = neighbours(low, high, place, far)
    assert not others_notice(unit_vectors, *pair)
    assert sum_moves_by(unit_vectors, *pair) <= GRID**2


@pytest.mark.parametrize("name", MAPS)
def test_a_centring_map_is_found_out(name):
    unit_vectors, low, high = MAPS[name]
    pair = neighbours(low, high, 0.1, np.ones(len(low), dtype=bool))
    assert others_notice(centred(unit_vectors, low, high), *pair)
    assert sum_moves_by(centred(unit_vectors, low, high), *pair) > GRID**2
    assert not others_notice(unit_vectors, *pair)
    assert sum_moves_by(unit_vectors, *pair) <= GRID**2
