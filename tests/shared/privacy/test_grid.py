import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import FederationError
from shared.privacy.grid import (
    GRID,
    LONGEST_WEIGHTS,
    WEIGHT_GRID,
    is_on_weight_grid,
    on_grid,
    on_weight_grid,
)

shapes = st.tuples(st.integers(0, 4), st.integers(1, 80))
any_rows = arrays(np.float64, shapes, elements=st.floats(allow_nan=True, allow_infinity=True))
finite_rows = arrays(np.float64, shapes, elements=st.floats(-1, 1, allow_subnormal=True))


def squared_lengths(integers):
    """Exact, in Python integers."""
    return [sum(int(value) ** 2 for value in row) for row in integers]


def never_longer_than_the_grid(quantise, rows):
    return all(length <= GRID**2 for length in squared_lengths(quantise(rows)))


def normalised(rows):
    # Largest coordinate first: squares of tiny numbers have no digits left.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1)
    return scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1)


@given(any_rows)
def test_no_row_whatsoever_is_longer_than_the_grid(rows):
    assert never_longer_than_the_grid(on_grid, rows)
    assert on_grid(rows).dtype == np.int64


@given(finite_rows)
def test_a_row_of_norm_one_is_kept_to_within_a_step(rows):
    unit = normalised(rows)
    integers = on_grid(unit)
    assert never_longer_than_the_grid(on_grid, unit)
    assert (np.abs(integers / GRID - unit) <= np.sqrt(rows.shape[1]) / GRID + 1e-12).all()
    long = np.linalg.norm(unit, axis=1) > 0.5
    assert integers[long].any(axis=1).all()


@pytest.mark.parametrize("k", range(1, 81))
def test_equal_coordinates_round_up_together_and_still_fit(k):
    # All coordinates of the shrunk row may lie just below the same half step.
    rows = np.full((1, k), 1 / np.sqrt(k))
    assert on_grid(rows).any()
    assert never_longer_than_the_grid(on_grid, rows)


def test_error_is_at_most_one_step_per_coordinate():
    rows = normalised(np.random.default_rng(0).standard_normal((500, 78)))
    # Rounding is at most half a step; the shrink moves a coordinate by at most sqrt(k)/2 of |u_j|.
    error = np.abs(on_grid(rows) - GRID * rows)
    assert (error <= 0.5 + np.sqrt(78) / 2 * np.abs(rows) + 1e-9).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.001, 1e308, -1e308])
def test_a_row_that_is_not_finite_or_too_long_is_a_zero_row(bad):
    rows = np.array([[0.1, bad, 0.1], [0.6, 0.8, 0.0]])
    integers = on_grid(rows)
    assert not integers[0].any()
    assert integers[1].any()


def test_the_property_fails_without_the_shrink_and_without_the_refusal():
    rows = normalised(np.random.default_rng(0).standard_normal((500, 78)))

    def without_shrink(values):
        return np.rint(GRID * values).astype(np.int64)

    assert not never_longer_than_the_grid(without_shrink, rows)

    def without_refusal(values):
        return np.rint((GRID - np.sqrt(values.shape[1]) / 2) * values).astype(np.int64)

    assert not never_longer_than_the_grid(without_refusal, 3 * rows)


weights = arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e4, 1e4))


@given(weights)
def test_released_weights_are_rounded_to_the_nearest_step(values):
    rounded = on_weight_grid(values)
    assert is_on_weight_grid(rounded)
    assert np.abs(rounded - values).max() <= 0.5 / WEIGHT_GRID + 1e-11
    np.testing.assert_array_equal(on_weight_grid(rounded), rounded)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e150, 65537.0, -65537.0])
def test_weights_that_diverged_are_refused(value):
    values = np.array([0.0, value])
    assert not is_on_weight_grid(values)
    with np.errstate(over="ignore"), pytest.raises(FederationError, match="has diverged"):
        on_weight_grid(values)


def test_a_clinic_knows_weights_off_the_grid_and_too_long():
    step = 1 / WEIGHT_GRID
    assert is_on_weight_grid(np.array([LONGEST_WEIGHTS, 0.0]))
    assert is_on_weight_grid(np.array([-3 * step, 0.0, -0.0]))
    for wrong in ([step / 2], [1.0, 0.1], [np.nextafter(1.0, 2)], [5e-324]):
        assert not is_on_weight_grid(np.array(wrong))
    # 300 coordinates that fit one by one and not together.
    assert not is_on_weight_grid(np.full(300, 4000.0))
    assert is_on_weight_grid(np.full(300, 3750.0))
