import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_federation import NoNoise

from shared.privacy import confusion
from shared.privacy.confusion import CELLS, confusion_contribution, counts_from_sum
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.grid import GRID

people = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12)


def contribution(called_and_label, variance=0, noise=None):
    called, asd = np.array(called_and_label, dtype=bool).reshape(-1, 2).T
    return confusion.confusion_contribution(
        called, asd, variance=variance, noise=noise or NoNoise(), release="r"
    )


def one_participant_moves_them_by_at_most_one(given):
    """Exact squared L2 distance between the counts with and without each participant."""
    everyone = contribution(given)
    moved = [everyone - contribution(given[:i] + given[i + 1 :]) for i in range(len(given))]
    return all(sum(int(value) ** 2 for value in each) <= GRID**2 for each in moved)


@given(people)
def test_one_participant_moves_all_counts_together_by_at_most_one_unit(given):
    assert one_participant_moves_them_by_at_most_one(given)


@given(people, people)
def test_two_groups_counts_are_exactly_the_sum_of_theirs(one, other):
    np.testing.assert_array_equal(
        contribution(one + other), contribution(one) + contribution(other)
    )


def test_everyone_is_in_the_cell_of_call_and_label():
    assert CELLS == ("asd_called_asd", "asd_called_other", "other_called_asd", "other_called_other")
    given = [(True, True)] * 4 + [(False, True)] * 3 + [(True, False)] * 2 + [(False, False)]
    total = contribution(given)
    assert total.tolist() == [4 * GRID, 3 * GRID, 2 * GRID, GRID]
    assert counts_from_sum(total).tolist() == [4, 3, 2, 1]
    assert contribution([]).tolist() == [0, 0, 0, 0]


def test_counting_someone_in_two_cells_is_found_out(monkeypatch):
    def twice(called, asd, *, variance, noise, release):
        return confusion_contribution(
            called, asd, variance=variance, noise=noise, release=release
        ) + GRID * np.array([asd.sum(), 0, 0, 0])

    monkeypatch.setattr(confusion, "confusion_contribution", twice)
    assert not one_participant_moves_them_by_at_most_one([(True, True)])


@pytest.mark.parametrize("n", [0, 5])
def test_the_asked_noise_is_added_to_the_exact_counts(n):
    given, noise = [(True, False)] * n, SeededNoise(0, "Aspen")
    clean = contribution(given)
    noised = contribution(given, variance=GRID**2, noise=noise)
    np.testing.assert_array_equal(noised - clean, noise.integers(GRID**2, clean, "r"))
