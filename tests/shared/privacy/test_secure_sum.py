from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import FederationError
from shared.privacy.grid import GRID
from shared.privacy.secure_sum import contribution, open_sum, share_variance

vectors = st.integers(1, 6).flatmap(
    lambda k: arrays(np.int64, (k, 5), elements=st.integers(-(2**63), 2**63 - 1))
)


def honest_noise_reaches(share, sigma, clinics, margin):
    """Whether the shares of the clinics that do not collude add up to the planned noise."""
    return (clinics - margin) * share(sigma, GRID, clinics, margin) >= Fraction(GRID * sigma) ** 2


@given(
    sigma=st.floats(0.01, 500),
    clinics=st.integers(2, 1000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_honest_shares_alone_reach_the_planned_noise_and_hardly_more(sigma, clinics, share):
    margin = int(share * clinics)
    assert honest_noise_reaches(share_variance, sigma, clinics, margin)
    honest = clinics - margin
    assert honest * share_variance(sigma, GRID, clinics, margin) < (GRID * sigma) ** 2 + 2 * honest


def test_shares_that_ignore_colluders_or_divide_the_deviation_are_found_out():
    def all_honest(sigma, grid, clinics, margin):
        return share_variance(sigma, grid, clinics, 0)

    def deviation_divided(sigma, grid, clinics, margin):
        return int((grid * sigma / clinics) ** 2)

    assert honest_noise_reaches(share_variance, 2.4, 4, 1)
    assert not honest_noise_reaches(all_honest, 2.4, 4, 1)
    assert not honest_noise_reaches(deviation_divided, 2.4, 4, 1)


@given(vectors)
def test_the_sum_is_exact_and_wraps_around(values):
    opened = open_sum([contribution(row) for row in values], clinics=len(values), length=5)
    for column, total in enumerate(opened):
        exact = sum(int(value) for value in values[:, column])
        assert int(total) == (exact + 2**63) % 2**64 - 2**63


def test_negative_numbers_travel_as_large_ones():
    sealed = contribution(np.array([-1, 2]))
    assert sealed.dtype == np.uint64
    assert sealed.tolist() == [2**64 - 1, 2]


def test_part_of_a_roster_or_a_foreign_vector_stays_closed():
    good = contribution(np.arange(3))
    with pytest.raises(FederationError, match="1 of 2 contributions"):
        open_sum([good], clinics=2, length=3)
    with pytest.raises(FederationError, match="3 of 2 contributions"):
        open_sum([good] * 3, clinics=2, length=3)
    with pytest.raises(FederationError, match="contribution 1 has type int64"):
        open_sum([good, np.arange(3)], clinics=2, length=3)
    with pytest.raises(FederationError, match=r"contribution 0 .* shape \(3,\)"):
        open_sum([good, good], clinics=2, length=4)
