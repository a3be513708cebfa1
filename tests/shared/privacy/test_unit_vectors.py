import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import ATTRIBUTE_GROUPS, GROUP_CHANNELS, all_combinations
from shared.errors import InputError
from shared.features import FEATURE_CHANNEL, FEATURE_CLASS, FEATURE_RANGES, FEATURE_SIGN
from shared.privacy.constants import load_constants
from shared.privacy.constants_building import build_constants
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

PACKAGED = load_constants()
FULL = AffectMap(PACKAGED, ATTRIBUTE_GROUPS)


def children(n, seed=0):
    """Features around the packaged population's typical ones."""
    rng = np.random.default_rng(seed)
    logits = np.array(PACKAGED.mean) + np.array(PACKAGED.sd) * rng.standard_normal(
        (n, len(PACKAGED.mean))
    )
    low, high = FEATURE_RANGES.T
    return low + (high - low) / (1 + np.exp(-logits))


def depends_on_nobody_else(unit_vectors, features):
    """Whether each child's vector stays the same when others leave, change, or change places."""
    together = unit_vectors(features)
    order = np.random.default_rng(1).permutation(len(features))
    changed = features.copy()
    changed[1:] = FEATURE_RANGES[:, 1]
    return (
        (unit_vectors(features[order]) == together[order]).all()
        and (unit_vectors(features[:1])[0] == together[0]).all()
        and (unit_vectors(changed)[0] == together[0]).all()
    )


@pytest.mark.parametrize("n", [2, 20])
def test_a_childs_vector_depends_on_nobody_else(n):
    assert depends_on_nobody_else(FULL.unit_vectors, children(n))


@settings(max_examples=30)
@given(st.data())
def test_a_childs_integers_never_change_with_the_others(data):
    """Others leave, come, change places or values, even to values that are none."""
    n = data.draw(st.integers(1, 8))
    features = children(n, data.draw(st.integers(0, 100)))
    child = data.draw(st.integers(0, n - 1))
    (alone,) = FULL.unit_vectors(features[child : child + 1])
    others = data.draw(st.permutations([i for i in range(n) if i != child]))
    company = features[others[: data.draw(st.integers(0, n - 1))]]
    if len(company):
        company[0] = data.draw(st.sampled_from([np.nan, np.inf, 1e308, 0.0, 5e-324]))
    place = data.draw(st.integers(0, len(company)))
    together = np.insert(company, place, features[child], axis=0)
    for layout in (together, np.asfortranarray(together), np.repeat(together, 2, axis=0)[::2]):
        np.testing.assert_array_equal(FULL.unit_vectors(layout)[place], alone)


def test_centring_on_the_cohort_is_found_out():
    def centred(features):
        vectors = FULL.unit_vectors(features)
        return vectors - np.rint(vectors.mean(axis=0)).astype(np.int64)

    assert not depends_on_nobody_else(centred, children(20))


def by_the_book(row, constants, groups):
    """Phi of one child, statistic by statistic and composite by composite."""
    placed = np.clip((row - FEATURE_RANGES[:, 0]) / np.ptp(FEATURE_RANGES, axis=1), 1e-6, 1 - 1e-6)
    z = np.clip((np.log(placed / (1 - placed)) - constants.mean) / constants.sd, -3, 3)
    coarse_spread = sum(constants.groups[group].coarse_variance for group in groups)
    fine_spread = sum(constants.groups[group].fine_variance for group in groups)
    vector = []
    for group in groups:
        fine = np.array(
            [
                np.mean([FEATURE_SIGN[j] * z[j] for j in members(channel, statistic_class)])
                for channel in GROUP_CHANNELS[group]
                for statistic_class in range(3)
            ]
        )
        coarse = fine.reshape(-1, 3).mean(axis=0)
        block = constants.groups[group]
        white = np.array(block.coarse_whitening) @ coarse - block.coarse_centre
        vector.extend(np.sqrt(1 / 4 / coarse_spread) * white)
        white = np.array(block.fine_whitening) @ fine - block.fine_centre
        vector.extend(np.sqrt(3 / 4 / fine_spread) * white)
    return np.array(vector) / max(np.linalg.norm(vector), 0.35)


def members(channel, statistic_class):
    of_channel, of_class = (
        np.equal(FEATURE_CHANNEL, channel),
        np.equal(FEATURE_CLASS, statistic_class),
    )
    return np.flatnonzero(of_channel & of_class)


@pytest.mark.parametrize("groups", [ATTRIBUTE_GROUPS, ("au", "valence")])
def test_equals_the_map_by_the_book(groups):
    features = children(4)
    expected = [by_the_book(row, PACKAGED, groups) for row in features]
    found = AffectMap(PACKAGED, groups).unit_vectors(features) / GRID
    np.testing.assert_allclose(found, expected, atol=6 / GRID)


def test_a_vector_has_78_coordinates_and_norm_one():
    assert FULL.dimension == 78
    vectors = FULL.unit_vectors(children(50))
    assert vectors.shape == (50, 78)
    assert vectors.dtype == np.int64
    lengths = np.sqrt(np.square(vectors).sum(axis=1)) / GRID
    assert lengths.max() <= 1
    assert lengths.min() > 0.999


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=352, max_size=352))
def test_no_row_of_features_is_longer_than_the_grid(row):
    (vector,) = FULL.unit_vectors(np.array([row]))
    assert sum(int(value) ** 2 for value in vector) <= GRID**2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_makes_a_zero_row(bad):
    features = children(3)
    features[1, 200] = bad
    vectors = FULL.unit_vectors(features)
    assert not vectors[1].any()
    np.testing.assert_array_equal(vectors[[0, 2]], FULL.unit_vectors(features[[0, 2]]))


def test_nobody_gives_no_vectors():
    assert FULL.unit_vectors(children(0)).shape == (0, 78)


def test_a_typical_child_stays_short():
    # Whoever scores exactly the public mean lies near the origin; the floor keeps that row short.
    constants = build_constants(children(400), "made-up")
    typical = np.array(constants.mean)
    low, high = FEATURE_RANGES.T
    row = (low + (high - low) / (1 + np.exp(-typical)))[None]
    length = np.linalg.norm(AffectMap(constants, ATTRIBUTE_GROUPS).unit_vectors(row)) / GRID
    assert length < 0.9


@pytest.mark.parametrize("groups", all_combinations())
def test_a_combination_is_the_full_vectors_part_renormalised(groups):
    chosen = AffectMap(PACKAGED, groups)
    ends = np.cumsum([3 + 3 * len(GROUP_CHANNELS[group]) for group in ATTRIBUTE_GROUPS])
    blocks = dict(
        zip(
            ATTRIBUTE_GROUPS,
            itertools.pairwise([0, *ends.tolist()]),
            strict=True,
        )
    )
    # Coarse and fine parts are rescaled by a public factor each, block by block.
    full, part = FULL.unit_vectors(children(30)) / GRID, chosen.unit_vectors(children(30)) / GRID
    start = 0
    ratios = []
    for group in groups:
        low, high = blocks[group]
        width = high - low
        for cut in (slice(0, 3), slice(3, width)):
            of_full, of_part = full[:, low:high][:, cut], part[:, start : start + width][:, cut]
            cosine = (of_full * of_part).sum(axis=1) / (
                np.linalg.norm(of_full, axis=1) * np.linalg.norm(of_part, axis=1)
            )
            assert cosine.min() > 1 - 1e-6
            ratios.append(np.linalg.norm(of_part, axis=1) / np.linalg.norm(of_full, axis=1))
        start += width
    assert start == chosen.dimension
    # Between blocks the proportion is the same for every child: it is public.
    coarse, fine = np.array(ratios[::2]), np.array(ratios[1::2])
    for of_kind in (coarse, fine):
        np.testing.assert_allclose(of_kind / of_kind[:1], 1, rtol=2e-3)
    spread = coarse[0] / fine[0]
    np.testing.assert_allclose(spread, spread.mean(), rtol=2e-3)


def test_order_of_groups_does_not_matter_and_digest_names_the_choice():
    one, other = (AffectMap(PACKAGED, groups) for groups in (("au", "arousal"), ("arousal", "au")))
    assert one.digest == other.digest
    np.testing.assert_array_equal(one.unit_vectors(children(3)), other.unit_vectors(children(3)))
    digests = {AffectMap(PACKAGED, groups).digest for groups in all_combinations()}
    assert len(digests) == 15
    elsewhere = build_constants(children(30), "made-up")
    assert AffectMap(elsewhere, ATTRIBUTE_GROUPS).digest not in digests


@pytest.mark.parametrize("groups", [(), ("au", "gaze")])
def test_no_group_or_an_unknown_one_is_refused(groups):
    with pytest.raises(InputError, match="choose at least one of au, arousal, valence"):
        AffectMap(PACKAGED, groups)
