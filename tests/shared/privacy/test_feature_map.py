import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_federation import grid_weights, phi

from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID


def test_scores_are_projections_whatever_the_length():
    vectors, direction = phi(20, 78), grid_weights(78, 1, 5.0)
    scores = unit_scores(vectors, direction)
    expected = vectors / GRID @ direction / np.linalg.norm(direction)
    np.testing.assert_allclose(scores, expected)
    np.testing.assert_allclose(unit_scores(vectors, 512 * direction), scores)
    assert np.abs(scores).max() <= 1


def test_without_a_direction_or_a_vector_the_score_is_zero():
    assert unit_scores(phi(3, 78), np.zeros(78)).tolist() == [0, 0, 0]
    assert not unit_scores(np.zeros((2, 78), dtype=np.int64), grid_weights(78)).any()
    assert unit_scores(phi(0, 78), grid_weights(78)).shape == (0,)


@given(st.integers(1, 12), st.integers(1, 90), st.integers(0, 10**6), st.floats(1e-3, 6e4))
def test_a_childs_score_depends_on_nobody_else(n, k, seed, length):
    vectors, direction = phi(n, k, seed), grid_weights(k, seed, length)
    together = unit_scores(vectors, direction)
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(unit_scores(vectors[order], direction), together[order])
    for index in range(n):
        assert unit_scores(vectors[index : index + 1], direction)[0] == together[index]
