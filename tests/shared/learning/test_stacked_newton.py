"""Stacked fits against the pooled fit of each problem."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.learning.pooled import train_pooled
from shared.learning.stacked_newton import (
    StackedLogistic,
    fit_stacked,
    group_grams,
    standardised_by,
)


def rows(n, d, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * rng.uniform(0.1, 50, d) + rng.uniform(-5, 5, d)
    asd = rng.random(n) < 0.6
    asd[:4] = True, False, True, False
    return x, asd


@pytest.mark.parametrize(("n", "d"), [(40, 200), (60, 7)])
@pytest.mark.parametrize("c", [1e-4, 1.0, 1e4])
def test_equals_the_pooled_fit(n, d, c):
    x, asd = rows(n, d)
    x[5, 1] = np.nan
    x[:, 2] = 3.0  # constant
    train = np.arange(n) % 4 != 0
    columns = (np.arange(0, d, 2), np.arange(1, d, 2))
    gram = group_grams(x, train, columns).sum(axis=0)
    fitted = fit_stacked(gram[None, train][:, :, train], asd[None, train], c)
    pooled = train_pooled(x[train], asd[train], c)
    own = fitted.dual @ standardised_by(x, train)[train]
    np.testing.assert_allclose(own[0], pooled.coefficients, atol=1e-6)
    assert fitted.intercept[0] == pytest.approx(pooled.intercept, abs=1e-6)
    likely = 1 / (1 + np.exp(-fitted.log_odds(gram[None][:, :, train])[0]))
    np.testing.assert_allclose(likely, pooled.probability(x), atol=1e-6)


def test_padding_and_a_start_elsewhere_change_nothing():
    x, asd = rows(30, 50)
    sizes = (20, 27, 30)
    used = np.arange(30) < np.array(sizes)[:, None]
    grams = np.stack([group_grams(x, own, [np.arange(50)])[0] for own in used])
    labels = np.tile(asd, (3, 1))
    together = fit_stacked(grams, labels, 0.1, used=used)
    strong = fit_stacked(grams, labels, 1e-3, used=used)
    started = fit_stacked(grams, labels, 0.1, used=used, start=strong)
    assert (together.dual[~used] == 0).all()
    for number, size in enumerate(sizes):
        alone = fit_stacked(grams[number : number + 1, :size, :size], labels[:1, :size], 0.1)
        for found in (together, started):
            np.testing.assert_allclose(found.dual[number, :size], alone.dual[0], atol=1e-7)
            assert found.intercept[number] == pytest.approx(alone.intercept[0], abs=1e-7)


def test_a_start_from_which_newton_overshoots_is_damped():
    x, asd = rows(30, 3)
    gram = group_grams(x, np.ones(30, dtype=bool), [np.arange(3)])
    far = StackedLogistic(np.zeros((1, 30)), np.array([6.0]))
    found = fit_stacked(gram, asd[None], 1.0, start=far)
    straight = fit_stacked(gram, asd[None], 1.0)
    np.testing.assert_allclose(found.dual, straight.dual, atol=1e-7)


def test_many_problems_equal_each_alone():
    x, asd = rows(24, 40)
    rng = np.random.default_rng(1)
    labels = np.stack([rng.permutation(asd) for _ in range(70)])
    gram = np.broadcast_to(group_grams(x, np.ones(24, dtype=bool), [np.arange(40)]), (70, 24, 24))
    together = fit_stacked(gram, labels, 0.5)
    for number in (0, 29, 30, 69):
        alone = fit_stacked(gram[:1], labels[number : number + 1], 0.5)
        np.testing.assert_allclose(together.dual[number], alone.dual[0], atol=1e-8)


def test_one_class_or_no_penalty_is_refused():
    gram = np.eye(4)[None]
    with pytest.raises(InputError, match="same diagnosis"):
        fit_stacked(gram, np.ones((1, 4), dtype=bool), 1.0)
    used = np.array([[True, True, False, False]])
    with pytest.raises(InputError, match="same diagnosis"):
        fit_stacked(gram, np.array([[True, True, False, False]]), 1.0, used=used)
    with pytest.raises(InputError, match="above 0"):
        fit_stacked(gram, np.array([[True, False, True, False]]), 0.0)
