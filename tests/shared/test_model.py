import numpy as np
import pytest
from small_federation import cohort, ranges_map

from shared.model import LinearModel, PrivateModel
from shared.privacy.grid import GRID

PRIVATE = PrivateModel("s" * 64, (1.0, -2.0, 0.5, 0.0, 0.25), 0.1, 4.0, 1e-5, 0.925)
LINEAR = LinearModel("s" * 64, (1.0, 2.0), (0.5, 4.0), (1.5, -1.0), 0.3)


def test_private_model_scores_by_the_normalised_direction():
    chosen = ranges_map()
    features, _ = cohort(10)
    standard = chosen.standardise(features)
    scores = PRIVATE.scores(standard, chosen)
    direction = np.array(PRIVATE.direction)
    phi = chosen.unit_vectors(standard) / GRID
    np.testing.assert_allclose(scores, phi @ direction / np.linalg.norm(direction) - 0.1)
    assert np.abs(scores).max() <= 1.1


def test_private_model_scores_an_unusable_row_as_its_threshold():
    assert PRIVATE.scores(np.full((1, 4), np.nan), ranges_map()) == pytest.approx(-0.1)


def test_linear_model_scores_log_odds_and_takes_missing_as_mean():
    rows = np.array([[1.5, 2.0], [np.nan, 6.0]])
    np.testing.assert_allclose(LINEAR.scores(rows), [1.5 + 0.3, -1.0 + 0.3])
