import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_federation import people_map, ranges_map

from shared.errors import InputError
from shared.privacy.grid import GRID
from shared.privacy.table_map import map_from_people, map_from_ranges

any_rows = arrays(
    np.float64, (3, 4), elements=st.floats(allow_nan=True, allow_infinity=True, width=64)
)


def people(n=40, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) * [1.0, 10.0, 0.1] + [0, 50, 1]


@given(any_rows, st.booleans())
def test_no_row_is_longer_than_the_grid(rows, from_people):
    chosen = people_map() if from_people else ranges_map()
    vectors = chosen.unit_vectors(chosen.standardise(rows))
    assert vectors.shape == (3, chosen.dimension) == (3, 5)
    assert all(sum(int(value) ** 2 for value in vector) <= GRID**2 for vector in vectors)
    assert vectors.any(axis=1).all()  # the constant keeps even an empty row usable


@given(any_rows, st.booleans(), st.permutations(range(3)), st.integers(1, 3))
def test_a_participants_integers_never_change_with_the_others(rows, from_people, order, staying):
    chosen = people_map() if from_people else ranges_map()
    with np.errstate(over="ignore", invalid="ignore"):
        together = chosen.unit_vectors(chosen.standardise(rows))
        some = chosen.unit_vectors(np.asfortranarray(chosen.standardise(rows[order[:staying]])))
    np.testing.assert_array_equal(some, together[order[:staying]])


@given(any_rows)
def test_even_scores_nobody_standardised_make_no_row_longer_than_the_grid(rows):
    with np.errstate(over="ignore", invalid="ignore"):
        vectors = people_map().unit_vectors(rows)
    assert all(sum(int(value) ** 2 for value in vector) <= GRID**2 for vector in vectors)
    assert not vectors[~np.isfinite(rows).all(axis=1)].any()


def test_ranges_scale_to_one_and_clip_beyond():
    chosen = map_from_ranges(np.array([0.0, -10.0]), np.array([4.0, 10.0]))
    scores = chosen.standardise(np.array([[0.0, 10.0], [2.0, 0.0], [9.0, -99.0], [np.nan, np.inf]]))
    np.testing.assert_allclose(scores, [[-1, 1], [0, 0], [1, -1], [0, 1]])
    # (z / sqrt(d), 1/2) divided by its own length
    vector = chosen.unit_vectors(scores[:1])[0] / GRID
    expected = np.array([-1 / np.sqrt(2), 1 / np.sqrt(2), 0.5])
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=3e-5)
    assert chosen.top_eigenvalue == 1
    assert not chosen.releases_threshold
    assert chosen.constant_last


def test_people_whiten():
    public = people()
    chosen = map_from_people(public)
    scores = chosen.standardise(public)
    np.testing.assert_allclose(scores.mean(axis=0), chosen.offset)
    white = (scores - chosen.offset) @ chosen.whitening
    # (C + ridge)^(-1/2) C (C + ridge)^(-1/2), with the ridge the mean eigenvalue of C
    covariance = np.cov(scores, rowvar=False)
    ridge = np.trace(covariance) / 3
    eigenvalues = np.linalg.eigvalsh(covariance)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(np.cov(white, rowvar=False)), eigenvalues / (eigenvalues + ridge)
    )
    assert chosen.constant == pytest.approx(np.median(np.linalg.norm(white, axis=1)) / 2)
    rows = chosen.unit_vectors(scores) / GRID
    assert chosen.top_eigenvalue == pytest.approx(
        np.linalg.eigvalsh(rows.T @ rows / len(rows))[-1], rel=1e-3
    )
    assert chosen.releases_threshold


def test_people_with_missing_values_and_a_column_with_one_value():
    public = people()
    public[:5, 0] = np.nan
    public[1:, 2] = np.nan
    chosen = map_from_people(public)
    assert chosen.centre[0] == pytest.approx(np.nanmean(public[:, 0]))
    assert chosen.scale[2] == 1.0
    assert np.isfinite(chosen.whitening).all()
    # A missing value is the public mean.
    filled = np.array([[chosen.centre[0], 50.0, 1.0]])
    missing = np.array([[np.nan, 50.0, 1.0]])
    np.testing.assert_allclose(chosen.standardise(missing), chosen.standardise(filled), atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_public_column_carries_no_weight(value):
    public = people()
    public[:, 1] = value  # 0.1 and 1e6/3 have a mean that is off by rounding
    chosen = map_from_people(public)
    assert chosen.scale[1] == 1.0
    assert np.abs(chosen.standardise(public)[:, 1]).max() < 1e-6
    everyone_the_same = map_from_people(np.full((20, 2), value))
    assert everyone_the_same.unit_vectors(np.zeros((1, 2)))[0, -1] == pytest.approx(GRID, rel=1e-4)


def test_digest_tells_every_number():
    low, high = np.zeros(3), np.ones(3)
    reference = map_from_ranges(low, high).digest
    assert map_from_ranges(low, high).digest == reference
    assert map_from_ranges(low, np.array([1, 1, np.nextafter(1, 2)])).digest != reference
    assert map_from_people(people()).digest != map_from_people(people(seed=1)).digest


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_bad_bounds_are_refused_with_their_column(bounds):
    low, high = bounds
    with pytest.raises(InputError, match=r"column 2 .* must be below"):
        map_from_ranges(np.array([0.0, low]), np.array([1.0, high]))


def test_bad_public_people_are_refused():
    with pytest.raises(InputError, match="19 public people given; at least 20"):
        map_from_people(people(19))
    empty = people()
    empty[:, 1] = np.nan
    with pytest.raises(InputError, match="column 2 of the public people holds no value"):
        map_from_people(empty)
    infinite = people()
    infinite[3, 2] = np.inf
    with pytest.raises(InputError, match="column 3 of the public people holds an infinite"):
        map_from_people(infinite)
