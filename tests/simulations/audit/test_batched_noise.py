"""The batched sampler against the exact one, and the exact one against OpenDP's."""

import random

import numpy as np
import pytest
from goodness_of_fit import FALSE_ALARM, discrete_gaussian, same_law

from shared.privacy.discrete_gaussian import sample_discrete_gaussian
from shared.privacy.grid import GRID
from shared.privacy.secure_sum import share_variance
from simulations.audit.batched_noise import discrete_gaussians

PRODUCT_VARIANCE = share_variance(2.6, GRID, 4, 1)
"""A clinic's share in a sum of a study of 88 participants at epsilon 4."""

SD = float(np.sqrt(PRODUCT_VARIANCE))
BINS = 40  # to four standard deviations on either side


def batched(variance, size, seed=0):
    return discrete_gaussians(variance, (size,), np.random.default_rng(seed))


def exact(variance, size, seed=0):
    below = random.Random(seed).randrange
    return np.array([sample_discrete_gaussian(variance, below) for _ in range(size)])


def opendp(scale, size):
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    return np.array(dp.m.make_gaussian(*space, scale=scale)([0] * size))


def binned(draws):
    """Tenths of the product's standard deviation."""
    return np.floor(draws / (SD / 10)).astype(int)


@pytest.mark.parametrize("variance", [1, 2, 3, 20, 1000])
def test_small_variances_have_the_exact_distribution(variance):
    assert discrete_gaussian(batched(variance, 300_000), variance) > FALSE_ALARM


def test_small_variances_agree_with_the_exact_sampler():
    assert same_law(batched(3, 4000), exact(3, 4000), reach=9) > FALSE_ALARM


def test_product_scale_agrees_with_the_exact_sampler():
    reference = binned(exact(PRODUCT_VARIANCE, 8000))
    assert same_law(binned(batched(PRODUCT_VARIANCE, 400_000)), reference, BINS) > FALSE_ALARM


def test_product_scale_exact_sampler_agrees_with_opendp():
    ours, theirs = exact(PRODUCT_VARIANCE, 8000, seed=1), opendp(SD, 8000)
    assert same_law(binned(ours), binned(theirs), BINS) > FALSE_ALARM
    assert same_law(ours % 16, theirs % 16, 16) > FALSE_ALARM  # the last bits as well


def test_the_comparison_notices_a_tenth_less_noise():
    wrong = batched(round(0.8 * PRODUCT_VARIANCE), 400_000)
    assert same_law(binned(wrong), binned(exact(PRODUCT_VARIANCE, 8000)), BINS) < FALSE_ALARM


def test_the_comparison_notices_a_rounded_normal():
    """At variance 1 rounding widens a normal by 1/12; the acceptance step takes that off."""
    rounded = np.rint(np.random.default_rng(0).normal(0, 1, 300_000)).astype(int)
    assert discrete_gaussian(rounded, 1) < FALSE_ALARM


def test_shape_seed_and_independence():
    drawn = discrete_gaussians(PRODUCT_VARIANCE, (3, 20_000, 2), np.random.default_rng(4))
    assert drawn.shape == (3, 20_000, 2)
    assert drawn.dtype == np.int64
    again = discrete_gaussians(PRODUCT_VARIANCE, (3, 20_000, 2), np.random.default_rng(4))
    np.testing.assert_array_equal(drawn, again)
    columns = np.moveaxis(drawn, 1, 2).reshape(6, -1)
    assert np.abs(np.corrcoef(columns) - np.eye(6)).max() < 0.04  # 5.6 standard errors
