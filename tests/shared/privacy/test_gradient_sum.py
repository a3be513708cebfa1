import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from scipy.special import expit
from small_federation import NoNoise, grid_weights, phi

from shared.privacy import gradient_sum
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.gradient_sum import (
    IntegerGridOptimizer,
    gradient_contribution,
    participant_gradients,
    quantised_gradients,
)
from shared.privacy.grid import GRID, LONGEST_WEIGHTS, WEIGHT_GRID, is_on_weight_grid
from shared.privacy.planner import CLIPPING_NORM

any_float = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
shapes = st.tuples(st.integers(0, 4), st.integers(1, 20))
lengths = st.sampled_from([0.0, 1e-5, 0.5, 3.0, 80.0, 3e4])


@st.composite
def clinics(draw):
    """Rows and labels of a clinic, and weights any exchange may release."""
    n, k, seed = draw(st.integers(0, 12)), draw(st.integers(1, 20)), draw(st.integers(0, 10**6))
    asd = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    return phi(n, k, seed) / GRID, asd, grid_weights(k, seed + 1, draw(lengths))


def cohort(n, k=6, seed=0):
    return phi(n, k, seed) / GRID, np.random.default_rng(seed).random(n) < 0.5


def contribution(rows, asd, weights, *, variance=0, noise=None, release="r"):
    return gradient_contribution(
        rows, asd, weights, variance=variance, noise=noise or NoNoise(), release=release
    )


def clipped_gradients(rows, asd, weights):
    """Closed form, in units of the clipping norm."""
    signs = np.where(asd, 1.0, -1.0)
    gradients = -(signs * expit(-signs * (rows @ weights)))[:, None] * rows / CLIPPING_NORM
    return gradients / np.maximum(1, np.linalg.norm(gradients, axis=1, keepdims=True))


def longest(rows):
    """Largest squared length, in exact integers."""
    return max((sum(int(value) ** 2 for value in row) for row in rows), default=0)


def one_participant_moves_it_by_at_most_one(rows, asd, weights):
    """Whether leaving anyone out moves the noiseless sum by at most one unit, in exact integers."""
    everyone = contribution(rows, asd, weights)
    moved = []
    for left_out in range(len(rows)):
        others = np.arange(len(rows)) != left_out
        moved.append(everyone - contribution(rows[others], asd[others], weights))
    return longest(moved) <= GRID**2


@pytest.mark.parametrize("length", [0.0, 1.0, 40.0])
def test_equals_the_closed_form_to_half_a_step_per_participant(length):
    rows, asd = cohort(40)
    weights = grid_weights(6, 1, length)
    k, expected = rows.shape[1], clipped_gradients(rows, asd, weights)
    shrunk = np.rint(GRID * (1 - np.sqrt(k) / (2 * GRID)) * expected)
    # Only a value within 1e-9 of a half step may be rounded the other way.
    np.testing.assert_allclose(contribution(rows, asd, weights), shrunk.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(
        contribution(rows, asd, weights) / GRID, expected.sum(axis=0), atol=40 * 2 / GRID
    )


@settings(max_examples=60)
@given(clinics())
def test_one_participant_moves_the_sum_by_at_most_one_unit(clinic):
    assert one_participant_moves_it_by_at_most_one(*clinic)


@settings(max_examples=100)
@given(clinics(), st.data())
def test_a_clinics_sum_is_exactly_the_sum_of_its_parts(clinic, data):
    rows, asd, weights = clinic
    part = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(asd), max_size=len(asd))), dtype=int
    )
    parts = [contribution(rows[part == p], asd[part == p], weights) for p in range(3)]
    np.testing.assert_array_equal(sum(parts), contribution(rows, asd, weights))
    order = np.argsort(part, kind="stable")
    np.testing.assert_array_equal(sum(parts), contribution(rows[order], asd[order], weights))


@settings(max_examples=100)
@given(clinics())
def test_participants_own_rows_add_up_to_what_opacus_gives_bit_for_bit(clinic):
    rows, asd, weights = clinic
    own = participant_gradients(rows, asd, weights)
    assert own.dtype == np.int64
    np.testing.assert_array_equal(own.sum(axis=0), contribution(rows, asd, weights))
    for index in range(len(rows)):
        one = slice(index, index + 1)
        alone = participant_gradients(rows[one], asd[one], weights)
        np.testing.assert_array_equal(own[one], alone)


@pytest.fixture
def before_rounding(monkeypatch):
    """Gradients as floats, before the grid hides all but one difference in 10^11."""
    quantise, seen = gradient_sum.quantised_gradients, []

    def watched(gradients):
        seen.append(np.array(gradients))
        return quantise(gradients)

    monkeypatch.setattr(gradient_sum, "quantised_gradients", watched)
    return seen


@pytest.mark.parametrize("n", [2, 7, 33])
def test_even_before_rounding_a_gradient_depends_on_nobody_else(n, before_rounding):
    (rows, asd), weights = cohort(n, k=19, seed=n), grid_weights(19, n, 6.0)
    contribution(rows, asd, weights)
    participant_gradients(rows, asd, weights)
    contribution(rows[::-1].copy(), asd[::-1].copy(), weights)
    together, closed, reversed_ = before_rounding
    np.testing.assert_array_equal(closed, together)
    np.testing.assert_array_equal(reversed_[::-1], together)
    before_rounding.clear()
    for index in range(n):
        contribution(rows[index : index + 1], asd[index : index + 1], weights)
    np.testing.assert_array_equal(np.concatenate(before_rounding), together)


def dot_products_are_exact(rows, weights):
    """Whether every library's product equals the one in fractions, in any order of coordinates."""
    order = np.random.default_rng(0).permutation(len(weights))
    exact = [
        float(sum(Fraction(a) * Fraction(b) for a, b in zip(row, weights, strict=True)))
        for row in rows.tolist()
    ]
    found = [
        rows @ weights,
        rows[:, order] @ weights[order],
        np.array([row @ weights for row in rows]),
        np.array([(row * weights)[::-1].cumsum()[-1] for row in rows]),
        torch.nn.functional.linear(torch.from_numpy(rows), torch.from_numpy(weights[None]))
        .numpy()
        .reshape(-1),
    ]
    return all(np.array_equal(product, exact) for product in found)


@pytest.mark.parametrize("k", [1, 5, 78])
def test_dot_products_are_exact_up_to_the_longest_weights_allowed(k):
    rows = np.vstack([phi(12, k, seed=3), phi(1, k, seed=4)]) / GRID
    rows[-1] = np.eye(k)[0]  # norm exactly one
    longest_odd = np.full(k, np.floor(LONGEST_WEIGHTS * WEIGHT_GRID / np.sqrt(k)) - 2)
    weights = (longest_odd + (longest_odd % 2 == 0)) / WEIGHT_GRID
    weights *= np.random.default_rng(5).choice([-1.0, 1.0], k)
    assert is_on_weight_grid(weights)
    assert not is_on_weight_grid(weights * 1.001)
    assert dot_products_are_exact(rows, weights)


def test_dot_products_off_the_grid_are_not_exact():
    rows = phi(20, 78) / GRID
    assert not dot_products_are_exact(rows, np.random.default_rng(1).standard_normal(78))
    assert not dot_products_are_exact(rows, grid_weights(78, 2, 2.0**40))


@given(arrays(np.float64, shapes, elements=any_float))
def test_no_gradient_whatsoever_is_longer_than_the_grid(gradients):
    with np.errstate(over="ignore"):
        rows = quantised_gradients(gradients)
        alone = [quantised_gradients(gradients[i : i + 1]) for i in range(len(gradients))]
    assert longest(rows) <= GRID**2
    assert not rows[~np.isfinite(gradients).all(axis=1)].any()
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(row, alone[index][0])


@given(arrays(np.float64, shapes, elements=st.floats(-1e100, 1e100)))
def test_a_clipped_gradient_keeps_its_direction(gradients):
    rows = quantised_gradients(gradients)
    length = np.linalg.norm(gradients / CLIPPING_NORM, axis=1, keepdims=True)
    expected = gradients / CLIPPING_NORM / np.maximum(1, length)
    np.testing.assert_allclose(rows / GRID, expected, atol=6 / GRID)


def adversarial():
    """Weights that make every gradient as long as it can get: twice the clipping norm."""
    rows = np.eye(4, 5)
    return rows, np.ones(4, dtype=bool), -50 * rows.sum(axis=0)


def test_a_skipped_clip_is_found_out(monkeypatch):
    assert one_participant_moves_it_by_at_most_one(*adversarial())

    def without_clip(optimizer):
        (gradients,) = optimizer.grad_samples
        rows = gradients.detach().reshape(len(gradients), -1).numpy() / CLIPPING_NORM
        optimizer._exact_sum = np.rint(GRID * rows).astype(np.int64).sum(axis=0)

    monkeypatch.setattr(IntegerGridOptimizer, "clip_and_accumulate", without_clip)
    assert not one_participant_moves_it_by_at_most_one(*adversarial())


def test_a_row_three_times_too_long_is_still_clipped():
    rows, asd, weights = adversarial()
    assert one_participant_moves_it_by_at_most_one(3 * rows, asd, weights)


def test_a_mean_in_place_of_the_sum_is_found_out(monkeypatch):
    """With a mean, each participant's part would shrink with the clinic's size."""
    rows, asd = cohort(5)
    weights = np.full(6, 0.3125)

    def follows_the_size():
        once = contribution(rows, asd, weights)
        twice = contribution(np.vstack([rows, rows]), np.append(asd, asd), weights)
        return (twice == 2 * once).all()

    assert follows_the_size()
    sum_up = gradient_sum.IntegerGridOptimizer.clip_and_accumulate

    def averaged(optimizer):
        sum_up(optimizer)
        optimizer._exact_sum //= len(optimizer.grad_samples[0])

    monkeypatch.setattr(IntegerGridOptimizer, "clip_and_accumulate", averaged)
    assert not follows_the_size()


def test_an_empty_clinic_adds_nothing_but_its_noise():
    nobody = np.zeros((0, 6)), np.zeros(0, dtype=bool)
    assert contribution(*nobody, np.ones(6)).tolist() == [0] * 6
    noised = contribution(*nobody, np.ones(6), variance=GRID**2, noise=SeededNoise(0, "Aspen"))
    total = np.zeros(6, dtype=np.int64)
    np.testing.assert_array_equal(noised, SeededNoise(0, "Aspen").integers(GRID**2, total, "r"))


def test_the_noise_is_added_once_with_the_asked_variance_to_the_exact_sum():
    rows, asd = cohort(10)
    weights = np.full(6, 0.1875)
    noise = SeededNoise(3, "Birch")
    variance = (3 * GRID) ** 2
    clean = contribution(rows, asd, weights)
    draws = np.stack(
        [
            contribution(rows, asd, weights, variance=variance, noise=noise, release=f"{r}") - clean
            for r in range(200)
        ]
    )
    assert draws.std() == pytest.approx(3 * GRID, rel=0.1)  # 1200 draws: sd 2 %
    np.testing.assert_array_equal(draws[7], noise.integers(variance, clean, "7"))
    asked = []

    class Recording(NoNoise):
        def integers(self, variance, total, release):
            asked.append((variance, total.tolist(), release))
            return super().integers(variance, total, release)

    contribution(rows, asd, weights, variance=variance, noise=Recording())
    assert asked == [(variance, clean.tolist(), "r")]  # keyed noise depends on what it hides


def test_opacus_own_optimiser_agrees():
    """Noise 0; Opacus adds 1e-6 to each norm, hence the 2e-6. Half a grid step per participant."""
    rows, asd = cohort(30)
    weights = grid_weights(6, 2, 5.0)
    layer = torch.nn.Linear(6, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights[None]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = GradSampleModule(layer, loss_reduction="sum")
        optimizer = DPOptimizer(
            torch.optim.SGD(module.parameters(), lr=1.0),
            noise_multiplier=0.0,
            max_grad_norm=CLIPPING_NORM,
            expected_batch_size=None,
            loss_reduction="sum",
        )
        signs = torch.from_numpy(np.where(asd, 1.0, -1.0))
        inputs = torch.from_numpy(rows).requires_grad_()
        torch.nn.functional.softplus(-signs * module(inputs).squeeze(1)).sum().backward()
        optimizer.pre_step()
    theirs = layer.weight.grad.numpy()[0] / CLIPPING_NORM
    exact = clipped_gradients(rows, asd, weights).sum(axis=0)
    np.testing.assert_allclose(theirs, exact, rtol=2e-6, atol=30 * 2e-6)
    ours = contribution(rows, asd, weights) / (GRID - np.sqrt(6) / 2)
    np.testing.assert_allclose(ours, theirs, atol=30 * (0.5 / GRID + 2e-6))


def test_nothing_is_left_over_from_the_call_before():
    rows, asd = cohort(10)
    first = contribution(rows, asd, np.zeros(6))
    contribution(*cohort(3, seed=9), np.ones(6))
    np.testing.assert_array_equal(contribution(rows, asd, np.zeros(6)), first)
