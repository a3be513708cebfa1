import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_federation import NoNoise

from shared.privacy import evaluation_counts
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.evaluation_counts import (
    BIN_CHOICES,
    bin_edges,
    counts_by_label,
    counts_from_sum,
    evaluation_contribution,
    score_bins,
)
from shared.privacy.grid import GRID
from shared.privacy.threshold import score_limit

K = 78

# Of anyone: usual scores, scores on an edge, and what no honest map gives.
scores = (
    st.floats(-1, 1)
    | st.sampled_from([float(edge) for bins in BIN_CHOICES for edge in bin_edges(bins, K)])
    | st.sampled_from([np.nan, np.inf, -np.inf, 1e300])
)
people = st.lists(st.tuples(scores, st.booleans()), max_size=12)
bin_counts = st.sampled_from(BIN_CHOICES)
thresholds = st.sampled_from([0.0, 0.05, -0.2037])


def contribution(given, bins, threshold=0.0, variance=0, noise=None):
    score = np.array([score for score, _ in given], dtype=np.float64)
    asd = np.array([label for _, label in given], dtype=bool)
    return evaluation_counts.evaluation_contribution(
        evaluation_counts.score_bins(score, threshold, bins, K),
        asd,
        bins,
        variance=variance,
        noise=noise or NoNoise(),
        release="r",
    )


def one_participant_moves_them_by_at_most_one(given, bins, threshold=0.0):
    """Exact squared L2 distance between the counts with and without each participant."""
    everyone = contribution(given, bins, threshold)
    moved = [
        everyone - contribution(given[:i] + given[i + 1 :], bins, threshold)
        for i in range(len(given))
    ]
    return all(sum(int(value) ** 2 for value in each) <= GRID**2 for each in moved)


@given(people, bin_counts, thresholds)
def test_one_participant_moves_all_counts_together_by_at_most_one_unit(given, bins, threshold):
    assert one_participant_moves_them_by_at_most_one(given, bins, threshold)


@given(people, people, bin_counts, thresholds)
def test_two_groups_counts_are_exactly_the_sum_of_theirs(one, other, bins, threshold):
    np.testing.assert_array_equal(
        contribution(one + other, bins, threshold),
        contribution(one, bins, threshold) + contribution(other, bins, threshold),
    )


@given(people, bin_counts, thresholds)
def test_more_bins_divide_the_cells_of_right_and_wrong_calls(given, bins, threshold):
    """The threshold is an edge, to the last bit, whatever the number of bins."""
    finer = counts_by_label(contribution(given, bins, threshold))
    halves = finer.reshape(2, 2, bins // 2).sum(axis=2)
    np.testing.assert_array_equal(
        halves, counts_by_label(contribution(given, 2, threshold)).astype(float)
    )
    called = [(score > threshold, label) for score, label in given]
    assert halves[0, 1] == GRID * called.count((True, True))
    assert halves[1, 1] == GRID * called.count((True, False))


@pytest.mark.parametrize("bins", BIN_CHOICES)
def test_edges_are_even_about_the_threshold_and_within_the_score_limit(bins):
    edges = bin_edges(bins, K)
    assert len(edges) == bins - 1
    assert edges[bins // 2 - 1] == 0
    np.testing.assert_array_equal(edges, -edges[::-1])
    assert (np.diff(edges) > 0).all()
    np.testing.assert_allclose(np.diff(edges), 4 / 3 * score_limit(K) / bins)
    assert edges[-1] < 2 / 3 * score_limit(K) or bins == 2


def test_everyone_is_in_the_cell_of_label_and_bin():
    given = [(1.0, True)] * 4 + [(-1.0, True)] * 3 + [(1.0, False)] * 2 + [(-1.0, False)]
    total = contribution(given, 2)
    assert total.tolist() == [4 * GRID, 3 * GRID, 2 * GRID, GRID]
    assert counts_from_sum(total).tolist() == [4, 3, 2, 1]
    inner = 0.1 * score_limit(K)
    given += [(inner, True), (-inner, False), (-inner, False)]
    assert counts_from_sum(contribution(given, 4)).tolist() == [4, 1, 0, 3, 2, 0, 2, 1]
    assert contribution([], 4).tolist() == [0] * 8
    table = counts_by_label([4, 1, 0, 3, 2, 0, 2, 1])
    assert table.tolist() == [[3, 0, 1, 4], [1, 2, 0, 2]]


def test_a_score_on_an_edge_is_below_it_and_what_is_no_number_is_lowest():
    edges = bin_edges(6, K)
    assert score_bins(edges, 0.0, 6, K).tolist() == [0, 1, 2, 3, 4]
    assert score_bins(np.nextafter(edges, 1), 0.0, 6, K).tolist() == [1, 2, 3, 4, 5]
    assert score_bins(np.array([np.nan, -np.inf, np.inf]), 0.0, 6, K).tolist() == [0, 0, 5]


def twice(score_bin, asd, bins, **rest):
    """Everyone called ASD is counted among all scores as well."""
    extra = np.zeros(2 * bins, dtype=np.int64)
    extra[0] = GRID * asd.sum()
    return evaluation_contribution(score_bin, asd, bins, **rest) + extra


def by_cohort_quantile(score, threshold, bins, dimension):
    """Edges that follow the participants: leaving one out moves others to another bin."""
    ranks = np.argsort(np.argsort(score))
    return ranks * bins // max(len(score), 1)


def cumulative(score_bin, asd, bins, **rest):
    """Everyone above each edge, as for a ROC curve: one child then counts many times."""
    return evaluation_contribution(score_bin, asd, bins, **rest).cumsum()


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("evaluation_contribution", twice),
        ("evaluation_contribution", cumulative),
        ("score_bins", by_cohort_quantile),
    ],
)
@pytest.mark.parametrize("bins", BIN_CHOICES)
def test_counting_someone_more_than_once_is_found_out(monkeypatch, name, broken, bins):
    given = [(0.01 * i, i % 3 == 0) for i in range(-6, 7)]
    assert one_participant_moves_them_by_at_most_one(given, bins)
    monkeypatch.setattr(evaluation_counts, name, broken)
    assert not one_participant_moves_them_by_at_most_one(given, bins)


@pytest.mark.parametrize("n", [0, 5])
def test_the_asked_noise_is_added_to_the_exact_counts(n):
    given, noise = [(0.5, False)] * n, SeededNoise(0, "Aspen")
    clean = contribution(given, 4)
    noised = contribution(given, 4, variance=GRID**2, noise=noise)
    np.testing.assert_array_equal(noised - clean, noise.integers(GRID**2, clean, "r"))
