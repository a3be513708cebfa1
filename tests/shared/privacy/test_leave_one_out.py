import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_federation import (
    NoNoise,
    cohort,
    converse,
    grid_weights,
    people_map,
    phi,
    ranges_map,
    sites_of,
    study_of,
)

from server.training import start_training
from shared.errors import PrivacyError
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID
from shared.privacy.leave_one_out import leave_one_out_scores
from shared.privacy.threshold import clipped_contributions, score_limit, threshold_from_sum
from shared.study import Parent

K = 8
N = 24
START = grid_weights(5, 3, 0.7)


class NoConstant:
    """Unit vectors as they are: a map without a constant coordinate, and with a threshold."""

    digest = "d" * 64
    dimension = K
    top_eigenvalue = 0.2
    constant_last = False
    releases_threshold = True

    def unit_vectors(self, features):
        return features


def rows_of(chosen, n=N):
    features, asd = cohort(n)
    return (
        (phi(n, K), asd)
        if isinstance(chosen, NoConstant)
        else (
            chosen.standardise(features),
            asd,
        )
    )


def trained(study, chosen, features, asd):
    """Without noise, as a federation of three clinics."""
    sites = sites_of(study, chosen, features, asd, noise=lambda clinic: NoNoise())
    return converse(start_training(study, chosen), sites)


def study_with(chosen, **changes):
    return study_of(chosen, **{"rounds": 1, "participants": N} | changes)


def is_retraining_without_each(chosen, start=None):
    """Whether every score is the retrained model's, in units of the released direction's length.

    The released weights are rounded to 2^-20, hence the tolerance.
    """
    parent = start is not None and Parent(study="a" * 64, spent_mu2=0.1, weights=tuple(start))
    study = study_with(chosen, parent=parent or None)
    features, asd = rows_of(chosen)
    vectors = chosen.unit_vectors(features)
    direction = np.array(trained(study, chosen, features, asd).direction)
    length = np.linalg.norm(direction)
    begin = np.zeros(chosen.dimension) if start is None else start
    scores = leave_one_out_scores(
        vectors,
        asd,
        direction,
        study.plan(chosen),
        begin,
        constant_dropped=chosen.constant_last and chosen.releases_threshold,
    )
    expected = []
    for left_out in range(N):
        others = np.arange(N) != left_out
        retrained = np.array(trained(study, chosen, features[others], asd[others]).direction)
        expected.append(vectors[left_out] / GRID @ retrained / length)
    return np.allclose(scores, expected, rtol=0, atol=2**-20 * np.sqrt(K) / length)


def test_scores_are_those_of_a_model_trained_without_the_participant():
    assert is_retraining_without_each(NoConstant())
    assert is_retraining_without_each(ranges_map())


def test_a_successors_first_round_counts_from_the_weights_it_inherits():
    assert is_retraining_without_each(ranges_map(), START)


def test_a_coordinate_that_is_dropped_from_the_direction_takes_no_part():
    assert is_retraining_without_each(people_map())


def test_plain_scores_are_not_those_of_a_model_trained_without_the_participant(monkeypatch):
    monkeypatch.setitem(
        is_retraining_without_each.__globals__,
        "leave_one_out_scores",
        lambda vectors, asd, direction, *rest, **more: unit_scores(vectors, direction),
    )
    assert not is_retraining_without_each(NoConstant())


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_a_participants_score_depends_on_nobody_else_of_the_clinic(n, seed):
    plan = study_with(NoConstant()).plan(NoConstant())
    vectors, direction = phi(n, K, seed), grid_weights(K, seed, 3.0)
    asd = np.random.default_rng(seed).random(n) < 0.5
    together = leave_one_out_scores(vectors, asd, direction, plan, np.zeros(K))
    for i in range(n):
        one = slice(i, i + 1)
        alone = leave_one_out_scores(vectors[one], asd[one], direction, plan, np.zeros(K))
        assert alone[0] == together[i]


def test_no_direction_and_no_participants():
    plan = study_with(NoConstant()).plan(NoConstant())
    zero = np.zeros(K)
    scores = leave_one_out_scores(phi(3, K), np.ones(3, dtype=bool), zero, plan, zero)
    assert scores.tolist() == [0, 0, 0]
    nobody = phi(0, K), np.zeros(0, dtype=bool)
    assert leave_one_out_scores(*nobody, grid_weights(K), plan, zero).shape == (0,)


@pytest.mark.parametrize("rounds", [2, 5])
def test_more_rounds_than_one_are_refused(rounds):
    plan = study_with(NoConstant(), rounds=rounds).plan(NoConstant())
    with pytest.raises(PrivacyError, match=f"a plan with {rounds} rounds"):
        leave_one_out_scores(phi(3, K), np.ones(3, dtype=bool), np.ones(K), plan, np.zeros(K))


@pytest.mark.parametrize("rounds", [1, 4])
def test_threshold_and_counts_of_one_round_are_taken_from_leave_one_out_scores(rounds):
    """Of more rounds, from the participants' plain scores."""
    chosen = NoConstant()
    study = study_with(chosen, rounds=rounds, evaluation_bins=2)
    vectors, asd = rows_of(chosen)
    model = trained(study, chosen, vectors, asd)
    direction, plan = np.array(model.direction), study.plan(chosen)
    plain = unit_scores(vectors, direction)
    if rounds == 1:
        scores = leave_one_out_scores(vectors, asd, direction, plan, np.zeros(K))
        assert np.abs(scores - plain).min() > 1e-3  # nobody's own part is nothing
    else:
        scores = plain
    total = clipped_contributions(scores / score_limit(K), asd).sum(keepdims=True)
    assert model.threshold == threshold_from_sum(total, K, N)
    called = scores > model.threshold
    expected = [(a & c).sum() for a in (asd, ~asd) for c in (called, ~called)]
    assert model.evaluation_counts == tuple(map(float, expected))
