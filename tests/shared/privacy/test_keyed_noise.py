import numpy as np
import pytest
from goodness_of_fit import FALSE_ALARM, discrete_gaussian, same_law, uniform_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kstest

from shared.errors import PrivacyError
from shared.privacy.discrete_gaussian import OperatingSystemNoise
from shared.privacy.grid import GRID
from shared.privacy.keyed_noise import KeyedNoise, new_noise_secret
from shared.privacy.masks import MaskKey, pair_masks
from shared.privacy.secure_sum import seal

LARGE = (3 * GRID) ** 2
totals = arrays(np.int64, st.integers(1, 12), elements=st.integers(-(2**63), 2**63 - 1))


def draw(variance=LARGE, total=None, release="s|1", secret=bytes(32)):
    total = np.zeros(2000, dtype=np.int64) if total is None else total
    return KeyedNoise(secret).integers(variance, total, release)


@pytest.mark.parametrize("variance", [1, 3, 20])
def test_keyed_noise_has_the_exact_distribution(variance):
    drawn = draw(variance, np.zeros(4000, dtype=np.int64), secret=new_noise_secret())
    assert drawn.dtype == np.int64
    assert discrete_gaussian(drawn, variance) > FALSE_ALARM


def test_keyed_noise_has_the_law_of_unkeyed_noise_and_of_opendp():
    total = np.zeros(4000, dtype=np.int64)
    keyed = draw(9, total, secret=new_noise_secret())
    unkeyed = OperatingSystemNoise().integers(9, total, "s|1")
    assert same_law(keyed, unkeyed, reach=12) > FALSE_ALARM
    assert same_law(keyed, draw(16, total), reach=12) < FALSE_ALARM
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    reference = dp.m.make_gaussian(*space, scale=3.0)([0] * 4000)
    assert same_law(keyed, np.array(reference), reach=12) > FALSE_ALARM


def test_large_variance_is_a_gaussian_of_that_width():
    assert kstest(draw(secret=new_noise_secret()) / np.sqrt(LARGE), "norm").pvalue > FALSE_ALARM


@given(total=totals, release=st.text(), secret=st.binary(min_size=32, max_size=32))
def test_the_same_answer_made_again_is_equal_byte_for_byte(total, release, secret):
    first = KeyedNoise(secret).integers(LARGE, total, release)
    source = KeyedNoise(secret)
    source.integers(LARGE, total, release + "|other")  # asked for something else before
    assert source.integers(LARGE, total.copy(), release).tobytes() == first.tobytes()
    assert first.shape == total.shape


@settings(max_examples=40)
@given(total=totals, data=st.data())
def test_one_unit_in_the_total_changes_the_noise(total, data):
    moved = total.copy()
    place = data.draw(st.integers(0, len(total) - 1))
    moved[place] ^= 1
    # Large enough that equal draws would be a fault and not chance.
    assert not np.any(draw(2**100, moved) == draw(2**100, total))


def test_any_difference_gives_independent_noise():
    reference = draw()
    others = {
        "release": draw(release="s|2"),
        "secret": draw(secret=bytes(31) + b"\1"),
        "variance": draw(variance=LARGE + 1),
        "total": draw(total=np.eye(1, 2000, dtype=np.int64)[0]),
        "length": draw(total=np.zeros(2001, dtype=np.int64))[:2000],
    }
    for name, other in others.items():
        # Rank-free and sign-free: neither the numbers nor their magnitudes go together.
        for first, second in ((reference, other), (abs(reference), abs(other))):
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.12, name


def test_fresh_noise_under_one_mask_lets_the_server_take_differences():
    """The planted mistake that keyed noise is there to prevent."""
    own, other = MaskKey.generate(), MaskKey.generate()
    total = np.arange(2500) * GRID // 100
    mask = pair_masks(
        own,
        [own.public, other.public],
        study="s",
        round_number=1,
        input_digest="i",
        length=len(total),
    )

    def difference(source):
        sent, sent_again = (
            seal(total + source.integers(LARGE, total, "s|1|i"), mask) for _ in range(2)
        )
        assert uniform_bits(sent) > FALSE_ALARM
        assert uniform_bits(sent_again) > FALSE_ALARM
        return sent - sent_again

    leaked = difference(OperatingSystemNoise())
    assert uniform_bits(leaked) < FALSE_ALARM
    assert np.abs(leaked.view(np.int64)).max() < 12 * 3 * GRID  # the mask is gone
    assert leaked.any()
    assert not difference(KeyedNoise(new_noise_secret())).any()


def test_the_derivation_is_the_published_one():
    """An answer made again after an update must be the same; else ``DERIVATION`` must change."""
    total = np.array([5, -7, 0, 2**62])
    found = draw(2**34, total, "r", bytes(range(32)))
    assert found.tolist() == [-80891, -319389, 14996, 202354]


def test_a_secret_is_drawn_once_and_never_shown():
    first, second = new_noise_secret(), new_noise_secret()
    assert len(first) == 32
    assert first != second
    assert repr(first) not in repr(KeyedNoise(first))
    assert first.hex() not in str(KeyedNoise(first))


def test_what_cannot_be_drawn_is_refused():
    for size in (0, 31, 33):
        with pytest.raises(PrivacyError, match=f"32 bytes, {size} are here"):
            KeyedNoise(bytes(size))
    for total in (np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros((1, 3), dtype=np.int64)):
        with pytest.raises(PrivacyError, match="only a vector of int64"):
            draw(total=total)
    with pytest.raises(PrivacyError, match="noise variance 0"):
        draw(variance=0)
