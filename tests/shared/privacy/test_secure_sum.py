import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from goodness_of_fit import FALSE_ALARM, uniform_bits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import FederationError, PrivacyError
from shared.privacy.grid import GRID
from shared.privacy.masks import MaskKey, pair_masks
from shared.privacy.secure_sum import (
    Contribution,
    add_modulo,
    check_no_overflow,
    largest_sum,
    open_sum,
    plausible,
    seal,
    share_variance,
)

ROSTER = ("Aspen", "Birch", "Cedar")
ROUND = {"roster": ROSTER, "study": "5f" * 32, "round_number": 3, "input_digest": "a0" * 32}

any_int64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), -1, 0, 2**63 - 1])
vectors = st.integers(1, 6).flatmap(lambda k: arrays(np.int64, (k, 5), elements=any_int64))


def given_by(clinic, values=(1, 2, 3), **changed):
    made = {"study": "5f" * 32, "round": 3, "input_digest": "a0" * 32} | changed
    return Contribution(clinic=clinic, values=np.array(values, dtype=np.uint64), **made)


def wrapped(exact):
    """A whole number read as a signed integer of 64 bits."""
    return (int(exact) + 2**63) % 2**64 - 2**63


def honest_noise_reaches(share, sigma, clinics, margin):
    """Whether the shares of the clinics that do not collude add up to the planned noise."""
    return (clinics - margin) * share(sigma, GRID, clinics, margin) >= Fraction(GRID * sigma) ** 2


@given(
    sigma=st.floats(0.01, 500),
    clinics=st.integers(2, 1000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_honest_shares_alone_reach_the_planned_noise_and_hardly_more(sigma, clinics, share):
    margin = int(share * clinics)
    assert honest_noise_reaches(share_variance, sigma, clinics, margin)
    honest = clinics - margin
    assert honest * share_variance(sigma, GRID, clinics, margin) < (GRID * sigma) ** 2 + 2 * honest


def test_shares_that_ignore_colluders_or_divide_the_deviation_are_found_out():
    def all_honest(sigma, grid, clinics, margin):
        return share_variance(sigma, grid, clinics, 0)

    def deviation_divided(sigma, grid, clinics, margin):
        return int((grid * sigma / clinics) ** 2)

    assert honest_noise_reaches(share_variance, 2.4, 4, 1)
    assert not honest_noise_reaches(all_honest, 2.4, 4, 1)
    assert not honest_noise_reaches(deviation_divided, 2.4, 4, 1)


@given(
    values=arrays(np.int64, 5, elements=any_int64),
    mask=arrays(np.uint64, 5, elements=st.integers(0, 2**64 - 1)),
)
def test_what_is_sealed_opens_with_the_opposite_mask(values, mask):
    before = values.copy()
    sealed = seal(values, mask)
    assert sealed.dtype == np.uint64
    np.testing.assert_array_equal((sealed - mask).view(np.int64), values)
    bare = seal(values, None)
    np.testing.assert_array_equal(bare.view(np.int64), values)
    bare += np.uint64(1)
    np.testing.assert_array_equal(values, before)  # the clinic's own numbers stay as they were


def test_negative_numbers_travel_as_large_ones():
    assert seal(np.array([-1, 2]), None).tolist() == [2**64 - 1, 2]


def test_what_a_mask_does_not_cover_is_not_sealed():
    values = np.arange(3)
    wrong = [np.array([7], np.uint64), np.zeros(4, np.uint64), np.zeros((), np.uint64), np.zeros(3)]
    for mask in wrong:
        with pytest.raises(PrivacyError, match="nothing was sealed"):
            seal(values, mask)
    for inexact in (np.zeros(3), np.zeros(3, np.int32), np.zeros(3, np.uint64)):
        with pytest.raises(PrivacyError, match="only int64 is exact"):
            seal(inexact, np.zeros(3, np.uint64))


@given(vectors)
def test_the_sum_is_exact_and_wraps_around(values):
    total = add_modulo(np.stack([seal(row, None) for row in values]))
    assert total.dtype == np.int64
    assert total.tolist() == [wrapped(sum(map(int, column))) for column in values.T]


@given(arrays(np.int64, (3, 2, 4, 5), elements=any_int64))
def test_batches_of_sums_are_added_at_once(values):
    together = add_modulo(values.astype(np.uint64))
    assert together.shape == (2, 4, 5)
    for i, j in np.ndindex(2, 4):
        one = add_modulo(values[:, i, j].astype(np.uint64))
        np.testing.assert_array_equal(together[i, j], one)


@given(values=arrays(np.int64, (3, 4), elements=st.integers(-(2**61), 2**61)))
def test_masked_contributions_open_to_the_plain_sum_and_only_for_all(values):
    keys = [MaskKey.from_bytes(bytes([number]) * 32) for number in (1, 2, 3)]
    roster = [key.public for key in keys]
    context = {name: part for name, part in ROUND.items() if name != "roster"}
    given = [
        given_by(clinic, seal(row, pair_masks(key, roster, **context, length=4)))
        for clinic, row, key in zip(ROSTER, values, keys, strict=True)
    ]
    for order in (given, given[::-1]):
        opened = open_sum(order, **ROUND, length=4)
        np.testing.assert_array_equal(opened, values.sum(axis=0))
        assert opened.dtype == np.int64


def test_a_roster_of_one_opens_its_own_contribution():
    opened = open_sum([given_by("Aspen", [2**64 - 1])], **ROUND | {"roster": ["Aspen"]}, length=1)
    assert opened.tolist() == [-1]


@pytest.mark.parametrize(
    ("contributions", "message"),
    [
        ([given_by("Aspen"), given_by("Cedar")], "2 of 3 contributions .* missing 'Birch'; "),
        ([], "0 of 3 .* missing 'Aspen', 'Birch', 'Cedar'; "),
        ([given_by("Aspen"), given_by("Birch"), given_by("Aspen")], "'Aspen' .* twice"),
        ([*map(given_by, ROSTER), given_by("Birch")], "'Birch' answered round 3 twice"),
        ([*map(given_by, ROSTER), given_by("Douglas")], "'Douglas' .* not in the study's roster"),
        ([*map(given_by, ROSTER[:2]), given_by("cedar")], "'cedar' .* not in the study's roster"),
        ([given_by("Birch", study="6f" * 32)], "'Birch' answered for study 6f6f6f6f6f6f, study 5f"),
        ([given_by("Birch", round=2)], "'Birch' answered round 2, round 3 is open"),
        ([given_by("Birch", round=4)], "'Birch' answered round 4, round 3 is open"),
        ([given_by("Birch", input_digest="a1" * 32)], "'Birch' answered input a1a1a1a1a1a1 of"),
        ([given_by("Birch", [1, 2])], r"'Birch' sent .* shape \(2,\); uint64 of shape \(3,\)"),
        ([given_by("Birch", [[1, 2, 3]])], r"'Birch' sent type uint64 and shape \(1, 3\)"),
        (
            [dataclasses.replace(given_by("Birch"), values=np.arange(3))],
            "'Birch' sent type int64",
        ),
        (
            [dataclasses.replace(given_by("Birch"), values=np.arange(3.0))],
            "'Birch' sent type float64",
        ),
    ],
)
def test_what_does_not_belong_keeps_the_sum_closed(contributions, message):
    everyone_else = [c for c in map(given_by, ROSTER) if c.clinic != "Birch"]
    alone = len(contributions) == 1
    with pytest.raises(FederationError, match=message):
        open_sum([*everyone_else, *contributions] if alone else contributions, **ROUND, length=3)


def test_a_long_list_of_missing_clinics_is_cut():
    roster = [f"clinic-{number}" for number in range(9)]
    with pytest.raises(FederationError, match=r"'clinic-5' and 3 more; "):
        open_sum([given_by("clinic-0")], **ROUND | {"roster": roster}, length=3)


@pytest.mark.parametrize("roster", [(), ("Aspen", "Aspen")])
def test_a_roster_that_cannot_be_is_refused(roster):
    with pytest.raises(FederationError, match="check the study's roster"):
        open_sum([given_by("Aspen")], **ROUND | {"roster": roster}, length=3)


@given(
    participants=st.integers(1, 10**6),
    sigma=st.floats(0, 1e4),
    deviations=st.floats(-40, 40),
    full=st.floats(-1, 1),
)
def test_no_sum_of_honest_clinics_passes_the_largest(participants, sigma, deviations, full):
    largest = largest_sum(participants, sigma, GRID)
    assert abs(GRID * (full * participants + deviations * sigma)) <= largest * (1 + 1e-12)
    assert largest < 2**63
    check_no_overflow(participants, sigma, GRID)


def test_a_sum_that_could_wrap_around_is_refused_at_the_last_bit():
    check_no_overflow(2**63 - 1, 0.0, 1)
    for participants, sigma, grid in [
        (2**63, 0.0, 1),
        (2**63 - 40, 1.0, 1),
        (88, 4e12, GRID),
        (88, float("inf"), GRID),
        (88, float("nan"), GRID),
    ]:
        with pytest.raises(PrivacyError, match=f"over {participants} participants"):
            check_no_overflow(participants, sigma, grid)
    check_no_overflow(2**63 - 41, 1.0, 1)


def test_honest_sums_are_plausible_and_masks_that_did_not_cancel_are_not():
    bound = GRID * (88 + 6 * 3)
    edge = np.array([bound, -bound, 0])
    assert plausible(edge, 88, 3.0, GRID)
    for coordinate, step in ((0, 1), (1, -1)):
        beyond = edge.copy()
        beyond[coordinate] += step
        assert not plausible(beyond, 88, 3.0, GRID)
    assert not plausible(np.array([0, -(2**63)]), 88, 3.0, GRID)
    assert plausible(np.array([-(2**63), 2**63 - 1]), 2**63, 0.0, 1)
    keys = [MaskKey.generate() for _ in range(2)]
    roster = [key.public for key in keys]
    masks = [
        pair_masks(key, roster, study="s", round_number=1, input_digest=shown, length=2500)
        for key, shown in zip(keys, "ij", strict=True)
    ]
    opened = add_modulo(np.stack(masks))
    assert uniform_bits(opened.view(np.uint64)) > FALSE_ALARM
    assert not plausible(opened[:1], 88, 3.0, GRID)
