import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer
from scipy.special import expit
from small_federation import NoNoise

from shared.privacy import gradient_sum
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.gradient_sum import IntegerGridOptimizer, gradient_contribution
from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM

# From rows that fit to any weights a lying server may send.
row_values = arrays(np.float64, (4, 5), elements=st.floats(-1, 1))
weight_values = arrays(
    np.float64, 5, elements=st.floats(-1e300, 1e300) | st.floats(-30, 30, allow_subnormal=True)
)


def cohort(n, k=6, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, k))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), rng.random(n) < 0.5


def contribution(rows, asd, weights, *, variance=0, noise=None, release="r"):
    return gradient_contribution(
        rows, asd, weights, variance=variance, noise=noise or NoNoise(), release=release
    )


def clipped_gradients(rows, asd, weights):
    """Closed form, in units of the clipping norm."""
    signs = np.where(asd, 1.0, -1.0)
    gradients = -(signs * expit(-signs * (rows @ weights)))[:, None] * rows / CLIPPING_NORM
    return gradients / np.maximum(1, np.linalg.norm(gradients, axis=1, keepdims=True))


def one_participant_moves_it_by_at_most_one(rows, asd, weights):
    """Whether leaving anyone out moves the noiseless sum by at most one unit, in exact integers."""
    everyone = contribution(rows, asd, weights)
    for left_out in range(len(rows)):
        others = np.arange(len(rows)) != left_out
        moved = everyone - contribution(rows[others], asd[others], weights)
        if sum(int(value) ** 2 for value in moved) > GRID**2:
            return False
    return True


@pytest.mark.parametrize("length", [0.0, 1.0, 20.0])
def test_equals_the_closed_form_to_half_a_step_per_participant(length):
    rows, asd = cohort(40)
    weights = length * np.random.default_rng(1).standard_normal(6)
    k, expected = rows.shape[1], clipped_gradients(rows, asd, weights)
    shrunk = np.rint(GRID * (1 - np.sqrt(k) / (2 * GRID)) * expected)
    # Only a value within 1e-9 of a half step may be rounded the other way.
    np.testing.assert_allclose(contribution(rows, asd, weights), shrunk.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(
        contribution(rows, asd, weights) / GRID, expected.sum(axis=0), atol=40 * 2 / GRID
    )


@settings(max_examples=60)
@given(row_values, weight_values, st.lists(st.booleans(), min_size=4, max_size=4))
def test_one_participant_moves_the_sum_by_at_most_one_unit(rows, weights, asd):
    rows = rows / np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True))
    assert one_participant_moves_it_by_at_most_one(rows, np.array(asd), weights)


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
    weights = np.full(6, 0.3)

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
    np.testing.assert_array_equal(noised, SeededNoise(0, "Aspen").integers(GRID**2, 6, "r"))


def test_the_noise_is_added_once_with_the_asked_variance():
    rows, asd = cohort(10)
    weights = np.full(6, 0.2)
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
    np.testing.assert_array_equal(draws[7], noise.integers(variance, 6, "7"))


def test_opacus_own_optimiser_agrees():
    """Noise 0; Opacus adds 1e-6 to each norm, hence the 2e-6. Half a grid step per participant."""
    rows, asd = cohort(30)
    weights = 2 * np.random.default_rng(2).standard_normal(6)
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


def test_weights_that_overflow_leave_the_bound_standing():
    rows, asd = cohort(4)
    rows[0, 1] = -rows[0, 0]
    for weights in (np.full(6, 1.7e308), np.full(6, -1.7e308)):
        assert one_participant_moves_it_by_at_most_one(rows, asd, weights)
