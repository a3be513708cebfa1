import numpy as np
import pytest
from small_federation import ranges_map

from shared.channels import ATTRIBUTE_GROUPS
from shared.privacy.constants import load_constants
from shared.privacy.feature_map import direction_and_threshold, training_rows, unit_scores
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

AFFECT = AffectMap(load_constants(), ATTRIBUTE_GROUPS)


def vectors(n=20, k=78):
    rows = np.random.default_rng(0).standard_normal((n, k))
    return np.trunc((GRID - 9) * rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(int)


def test_training_rows_have_norm_at_most_one():
    rows = training_rows(AFFECT, vectors())
    assert rows.shape == (20, 79)
    np.testing.assert_allclose(rows[:, -1], np.sqrt(0.2))
    np.testing.assert_allclose(rows[:, :-1], np.sqrt(0.8) * vectors() / GRID)
    assert np.linalg.norm(rows, axis=1).max() <= 1
    assert training_rows(ranges_map(), vectors(k=5)).shape == (20, 5)


def test_scores_are_projections_whatever_the_length():
    direction = np.random.default_rng(1).standard_normal(78)
    scores = unit_scores(vectors(), direction)
    expected = vectors() / GRID @ direction / np.linalg.norm(direction)
    np.testing.assert_allclose(scores, expected)
    np.testing.assert_allclose(unit_scores(vectors(), 1e9 * direction), scores)
    assert not unit_scores(vectors(), np.zeros(78)).any()
    assert not unit_scores(np.zeros((2, 78), dtype=np.int64), direction).any()


def test_weights_read_as_direction_and_threshold_decide_alike():
    weights = np.random.default_rng(2).standard_normal(79)
    direction, threshold = direction_and_threshold(AFFECT, weights)
    decided = unit_scores(vectors(), direction) > threshold
    np.testing.assert_array_equal(decided, training_rows(AFFECT, vectors()) @ weights > 0)
    assert 0 < decided.sum() < 20


@pytest.mark.parametrize("chosen", [AFFECT, ranges_map(77)])
def test_no_direction_has_no_threshold(chosen):
    weights = np.zeros(78 + chosen.appends_constant)
    weights[-1] = chosen.appends_constant
    direction, threshold = direction_and_threshold(chosen, weights)
    assert not direction.any()
    assert threshold == 0
