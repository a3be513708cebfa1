"""Ridge from noised moments, and the noise it asks for."""

import numpy as np
import pytest

from shared.privacy.grid import GRID
from simulations.compare.adassp import adassp_weights, noise_bound, symmetric_noise
from simulations.compare.stacked import Rows
from tests.support.small_federation import phi


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(0)
    return Rows(phi(300, 5) / GRID, rng.random(300) < 0.5, np.zeros(300, dtype=np.int64))


def _fit(rows: Rows, sigma: float, train: np.ndarray) -> np.ndarray:
    folds = len(train)
    return adassp_weights(rows, train, sigma, np.zeros((1, folds, 5, 5)), np.zeros((1, folds, 5)))


def test_without_noise_it_is_least_squares_on_each_fold(rows):
    train = np.random.default_rng(1).random((2, 300)) < 0.7
    for weights, own in zip(_fit(rows, 0.0, train)[0], train, strict=True):
        expected = np.linalg.lstsq(rows.phi[own], rows.signs[own], rcond=None)[0]
        np.testing.assert_allclose(weights, expected)


def test_the_penalty_fills_what_the_smallest_eigenvalue_lacks(rows):
    everyone = np.ones((1, 300), dtype=bool)
    moments = rows.phi.T @ rows.phi
    smallest = np.linalg.eigvalsh(moments)[0]
    bound = 0.8 * smallest  # the lowered eigenvalue is .2 of it, so .6 is missing
    sigma = bound / noise_bound(1.0, 5)
    expected = np.linalg.solve(moments + 0.6 * smallest * np.eye(5), rows.phi.T @ rows.signs)
    np.testing.assert_allclose(_fit(rows, sigma, everyone)[0, 0], expected)


def test_noise_is_symmetric_with_the_deviation_of_a_vector_release():
    noise = symmetric_noise(np.random.default_rng(2), 3.0, (4000,), 4)
    np.testing.assert_array_equal(noise, np.swapaxes(noise, 1, 2))
    spread = noise.std(axis=0)
    np.testing.assert_allclose(np.diag(spread), 3.0, rtol=0.05)
    np.testing.assert_allclose(spread[np.triu_indices(4, 1)], 3 / np.sqrt(2), rtol=0.05)


def test_a_row_moves_the_released_vector_by_the_square_of_its_length():
    row = np.random.default_rng(3).standard_normal(6)
    row /= np.linalg.norm(row)
    outer = np.outer(row, row)
    vector = np.concatenate([np.diag(outer), np.sqrt(2) * outer[np.triu_indices(6, 1)]])
    assert np.linalg.norm(vector) == pytest.approx(1.0)


def test_the_bound_holds_the_largest_eigenvalue():
    noise = symmetric_noise(np.random.default_rng(4), 1.0, (200,), 20)
    largest = np.abs(np.linalg.eigvalsh(noise)).max(axis=1)
    assert (largest < noise_bound(1.0, 20)).all()
    assert noise_bound(2.0, 20) == pytest.approx(2 * noise_bound(1.0, 20))
