import random

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from shared.errors import PrivacyError
from shared.privacy.discrete_gaussian import (
    OperatingSystemNoise,
    SeededNoise,
    UniformBits,
    sample_discrete_gaussian,
)

FALSE_ALARM = 1e-7
SUM = np.zeros(2000, dtype=np.int64)


def seeded_bits(seed):
    return random.Random(seed).randrange


def goodness_of_fit(draws, variance):
    """P-value of the draws under the probabilities of the discrete Gaussian, rare values pooled."""
    reach = int(12 * np.sqrt(variance)) + 2
    values = np.arange(-reach, reach + 1)
    weights = np.exp(-(values**2) / (2 * variance))
    expected = len(draws) * weights / weights.sum()
    common = np.abs(values) <= np.abs(values[expected >= 8]).max()
    counts = np.array([np.sum(draws == value) for value in values])
    observed = np.append(counts[common], len(draws) - counts[common].sum())
    wanted = np.append(expected[common], len(draws) - expected[common].sum())
    return chisquare(observed, wanted).pvalue


@pytest.mark.parametrize("variance", [1, 3, 20])
def test_small_variances_have_the_exact_distribution(variance):
    bits = seeded_bits(variance)
    draws = np.array([sample_discrete_gaussian(variance, bits) for _ in range(4000)])
    assert goodness_of_fit(draws, variance) > FALSE_ALARM


def test_the_fit_notices_another_distribution():
    bits = seeded_bits(1)
    wider = np.array([sample_discrete_gaussian(4, bits) for _ in range(4000)])
    assert goodness_of_fit(wider, 3) < FALSE_ALARM
    rounded = np.rint(np.random.default_rng(0).normal(0, 1, 40_000))
    assert goodness_of_fit(rounded, 1) < FALSE_ALARM  # a rounded normal is wider by 1/12


def test_agrees_with_opendp():
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    reference = dp.m.make_gaussian(*space, scale=3.0)([0] * 4000)
    assert goodness_of_fit(np.array(reference), 9) > FALSE_ALARM


def test_large_variance_is_a_gaussian_of_that_width():
    variance = (2**16 * 3) ** 2
    bits = seeded_bits(5)
    draws = np.array([sample_discrete_gaussian(variance, bits) for _ in range(1500)])
    assert kstest(draws / np.sqrt(variance), "norm").pvalue > FALSE_ALARM


def streamed(seed=0):
    return UniformBits(random.Random(seed).randbytes).below


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 64, 256, 257, 1000])
def test_bits_become_uniform_integers(bound):
    below = streamed(bound)
    drawn = np.array([below(bound) for _ in range(6000)])
    assert drawn.min() >= 0
    assert drawn.max() < bound
    if bound > 1:
        parts = np.bincount(drawn * min(bound, 64) // bound)
        expected = np.bincount(np.arange(bound) * min(bound, 64) // bound) * len(drawn) / bound
        assert chisquare(parts, expected).pvalue > FALSE_ALARM


def test_bits_reach_beyond_64_bits_and_beyond_a_block():
    below = streamed()
    drawn = [below(3 * 2**200) for _ in range(300)]
    assert max(drawn) > 2**201
    assert all(value < 3 * 2**200 for value in drawn)
    assert len(set(drawn)) == 300
    assert below(2**40_000).bit_length() > 39_900  # more than one block of the stream


def test_bits_are_read_in_blocks_and_none_is_used_twice():
    sizes, source = [], random.Random(0)

    def read(size):
        sizes.append(size)
        return source.randbytes(size)

    below = UniformBits(read).below
    drawn = bytes(below(256) for _ in range(5000))
    whole = random.Random(0)
    assert drawn == b"".join(whole.randbytes(size) for size in sizes)[:5000]
    assert len(sizes) == 2  # system calls are what costs time


def test_operating_system_noise_never_repeats():
    noise = OperatingSystemNoise()
    first = noise.integers((2**16) ** 2, np.zeros(8, np.int64), "same")
    second = noise.integers((2**16) ** 2, np.zeros(8, np.int64), "same")
    assert first.dtype == np.int64
    assert not (first == second).any()


def test_seeded_noise_is_repeatable_and_independent():
    variance = (2**16) ** 2

    def draw(seed, owner, release):
        return SeededNoise(seed, owner).integers(variance, SUM, release)

    reference = draw(1, "Aspen", "s|1")
    again = SeededNoise(1, "Aspen")
    again.integers(variance, SUM[:5], "s|2")  # asked for something else before
    np.testing.assert_array_equal(again.integers(variance, SUM, "s|1"), reference)
    for other in (draw(2, "Aspen", "s|1"), draw(1, "Birch", "s|1"), draw(1, "Aspen", "s|2")):
        assert abs(np.corrcoef(reference, other)[0, 1]) < 0.12
    assert reference.dtype == np.int64
    assert reference.std() == pytest.approx(2**16, rel=0.08)


@pytest.mark.parametrize("variance", [0, -4])
def test_no_variance_is_refused(variance):
    with pytest.raises(PrivacyError, match="noise variance"):
        sample_discrete_gaussian(variance, seeded_bits(0))
