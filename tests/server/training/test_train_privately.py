import dataclasses

import numpy as np
import pytest
from scipy.special import expit
from small_federation import (
    CLINICS,
    NoNoise,
    cohort,
    converse,
    grid_weights,
    people_map,
    ranges_map,
    sites_of,
    study_of,
    unmasked,
)

from client.answers import answer_question
from server.training import private, start_training
from server.training.private import start_weights
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import FederationError, InputError
from shared.features import FEATURE_RANGES
from shared.messages import Answer, Question
from shared.privacy.accountant import mu_of
from shared.privacy.constants_building import build_constants
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.evaluation_counts import bin_edges, counts_by_label
from shared.privacy.feature_map import unit_scores
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap
from shared.study import Parent, Study


def affect_features(n, seed=0):
    low, high = FEATURE_RANGES.T
    rows, asd = cohort(n, len(low), seed)
    return low + (high - low) / (1 + np.exp(-0.4 * rows)), asd


AFFECT = AffectMap(build_constants(affect_features(40, seed=9)[0], "made-up"), ATTRIBUTE_GROUPS)


def inputs(chosen, n=90):
    if chosen is AFFECT:
        return affect_features(n)
    features, asd = cohort(n)
    return chosen.standardise(features), asd


def trained(chosen, noise=lambda clinic: NoNoise(), sizes=None, **changes):
    study = study_of(chosen, **changes)
    features, asd = inputs(chosen)
    sites = sites_of(study, chosen, features, asd, noise=noise, sizes=sizes)
    return converse(start_training(study, chosen), sites), study


def descent(chosen, plan, features, asd, start=None):
    """Gradient descent by the book: clipped gradients, then clipped scores and labels."""
    rows = chosen.unit_vectors(features) / GRID
    signs = np.where(asd, 1.0, -1.0)
    weights = np.zeros(rows.shape[1]) if start is None else start
    for _ in range(plan.rounds):
        gradients = -(signs * expit(-signs * (rows @ weights)))[:, None] * rows
        gradients /= np.maximum(1, np.linalg.norm(gradients, axis=1, keepdims=True) / 0.5)
        weights = weights - plan.step * gradients.sum(axis=0) / plan.participants
    direction = weights.copy()
    if chosen.releases_threshold and chosen.constant_last:
        direction[-1] = 0
    threshold = 0.0
    if plan.sigma_threshold is not None:
        sd = 1 / np.sqrt(chosen.dimension)
        scores = rows @ direction / np.linalg.norm(direction)
        each = np.clip(scores, -1.8 * sd, 1.8 * sd) - 2 * sd * signs
        threshold = np.clip(each, -2.88 * sd, 2.88 * sd).sum() / plan.participants
    return direction, threshold


@pytest.mark.parametrize("chosen", [AFFECT, people_map(), ranges_map()])
@pytest.mark.parametrize("epsilon", [0.5, 4.0, 50.0])
def test_without_noise_it_is_gradient_descent_as_planned(chosen, epsilon):
    model, study = trained(chosen, epsilon=epsilon)
    direction, threshold = descent(chosen, study.plan(chosen), *inputs(chosen))
    np.testing.assert_allclose(model.direction, direction, atol=2e-4 * np.abs(direction).max())
    assert model.threshold == pytest.approx(threshold, abs=1e-4)
    assert (model.threshold != 0) == (chosen.releases_threshold and epsilon > 0.5)


@pytest.mark.parametrize("chosen", [AFFECT, people_map(), ranges_map()])
def test_with_an_enormous_epsilon_the_noise_hardly_matters(chosen):
    epsilon = {"epsilon": 99.0, "delta": 1e-3}
    noised, _ = trained(chosen, lambda clinic: SeededNoise(1, clinic), **epsilon)
    clean, _ = trained(chosen, **epsilon)
    features, _ = inputs(chosen)
    agreement = np.corrcoef(noised.scores(features, chosen), clean.scores(features, chosen))[0, 1]
    assert agreement > 0.99


def test_at_a_usual_epsilon_the_noise_does_matter():
    clean, _ = trained(people_map())
    noised, _ = trained(people_map(), lambda clinic: SeededNoise(1, clinic))
    cosine = np.dot(noised.direction, clean.direction) / (
        np.linalg.norm(noised.direction) * np.linalg.norm(clean.direction)
    )
    assert 0.5 < cosine < 0.999


def test_same_seed_same_model_and_other_seed_other_model():
    first, _ = trained(people_map(), lambda clinic: SeededNoise(1, clinic))
    assert trained(people_map(), lambda clinic: SeededNoise(1, clinic))[0] == first
    assert trained(people_map(), lambda clinic: SeededNoise(2, clinic))[0] != first


def test_how_participants_are_spread_over_clinics_does_not_matter():
    even, _ = trained(people_map(), evaluation_bins=2)
    for sizes in ([1, 0, 89], [88, 1, 1]):
        model, _ = trained(people_map(), sizes=sizes, evaluation_bins=2)
        assert model == even  # to the last bit: a clinic's part is exactly its participants' sum


def test_masked_sums_open_to_what_bare_ones_do():
    """One training with masks, one whose clinics send their integers as they are."""
    masked, study = trained(people_map(), lambda clinic: SeededNoise(1, clinic))
    bare = study.model_dump() | {"roster": CLINICS}
    assert study.mask_keys
    features, asd = inputs(people_map())
    sites = sites_of(
        Study(**bare), people_map(), features, asd, noise=lambda clinic: Released(study.digest)
    )
    model = converse(start_training(Study(**bare), people_map()), sites)
    again = sites_of(
        study, people_map(), features, asd, noise=lambda clinic: Released(study.digest)
    )
    assert dataclasses.replace(model, study=study.digest) == converse(
        start_training(study, people_map()), again
    )
    assert masked.direction != model.direction


class Released:
    """Noise that follows from the exact sum alone, so that two studies get the same."""

    def __init__(self, secret):
        self.secret = secret

    def integers(self, variance, total, release):
        return SeededNoise(0, self.secret).integers(variance, total, str(total.tolist()))


def test_a_label_that_is_the_same_for_all_still_trains():
    study = study_of(people_map())
    features, _ = inputs(people_map())
    sites = sites_of(study, people_map(), features, np.ones(90, dtype=bool))
    model = converse(start_training(study, people_map()), sites)
    assert np.isfinite(model.direction).all()


@pytest.mark.parametrize("chosen", [AFFECT, people_map(), ranges_map()])
def test_the_model_states_the_promise_it_kept(chosen):
    model, study = trained(chosen)
    assert (model.study, model.epsilon, model.delta) == (study.digest, 4.0, 1e-5)
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))


def whole_noise(study, site):
    """Variance of the noise in one clinic's answer, in units of what the sum needs."""
    question = Question("gradient", 1, {"weights": np.zeros(5)})
    sigma = study.plan(people_map()).sigma_gradient
    clean = unmasked(dataclasses.replace(site, noise=NoNoise()), question)
    draws = [
        unmasked(dataclasses.replace(site, noise=SeededNoise(i, "x")), question) - clean
        for i in range(150)
    ]
    return np.square(draws).mean() / (GRID * sigma) ** 2


def test_in_local_mode_every_clinic_adds_the_whole_noise_and_no_masks():
    study = study_of(people_map(), mode="local")
    site = sites_of(study, people_map(), *inputs(people_map()))[0]
    assert whole_noise(study, site) == pytest.approx(1, abs=0.25)  # 750 draws: sd .05
    shared = study_of(people_map(), mode="secure-sum")
    site = sites_of(shared, people_map(), *inputs(people_map()))[0]
    assert whole_noise(shared, site) == pytest.approx(0.5, abs=0.13)
    model = converse(
        start_training(study, people_map()), sites_of(study, people_map(), *inputs(people_map()))
    )
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))


@pytest.mark.parametrize("mode", ["local", "none"])
def test_without_masks_a_clinics_own_sum_is_on_the_wire(mode):
    study = study_of(people_map(), mode=mode)
    site = sites_of(study, people_map(), *inputs(people_map()))[0]
    question = Question("gradient", 1, {"weights": np.zeros(5)})
    sent = answer_question(site, question).arrays["sum"].view(np.int64)
    np.testing.assert_array_equal(sent, unmasked(site, question))
    assert np.abs(sent).max() < 2**30


def test_mode_none_is_the_training_without_noise():
    clean, _ = trained(people_map())
    none, _ = trained(people_map(), lambda clinic: SeededNoise(1, clinic), mode="none")
    assert none == dataclasses.replace(clean, study=none.study)


def test_counts_of_right_and_wrong_calls_close_a_study_that_asks_for_them():
    model, _ = trained(people_map(), evaluation_bins=2)
    features, asd = inputs(people_map())
    called = model.scores(features, people_map()) > 0
    expected = [(a & c).sum() for a in (asd, ~asd) for c in (called, ~called)]
    assert model.evaluation_counts == tuple(map(float, expected))
    assert sum(model.evaluation_counts) == 90
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))  # within the same promise
    without, _ = trained(people_map())
    assert without.evaluation_counts is None
    noised, _ = trained(people_map(), lambda clinic: SeededNoise(1, clinic), evaluation_bins=2)
    assert all(count != int(count) for count in noised.evaluation_counts)


@pytest.mark.parametrize("bins", [4, 8])
def test_counts_by_label_and_score_bin_close_a_study_that_asks_for_them(bins):
    model, study = trained(people_map(), evaluation_bins=bins)
    features, asd = inputs(people_map())
    edges = bin_edges(bins, people_map().dimension)
    scores = unit_scores(people_map().unit_vectors(features), np.array(model.direction))
    found = np.searchsorted(model.threshold + edges, scores, side="left")
    table = counts_by_label(model.evaluation_counts)
    expected = [[(found[asd == label] == b).sum() for b in range(bins)] for label in (True, False)]
    assert table.tolist() == expected
    assert table.sum() == 90
    assert (table > 0).mean() > 0.5
    assert model.mu == pytest.approx(mu_of(4.0, 1e-5))
    called = model.scores(features, people_map()) > 0
    assert table[0, bins // 2 :].sum() == (asd & called).sum()
    assert study.plan(people_map()).releases[-1].kind == "evaluation"


def test_a_map_without_a_threshold_counts_calls_above_zero():
    model, _ = trained(ranges_map(), evaluation_bins=2)
    features, asd = inputs(ranges_map())
    called = model.scores(features, ranges_map()) > 0
    assert model.threshold == 0
    assert model.evaluation_counts[0] == (asd & called).sum()


def test_a_successor_goes_on_from_the_weights_it_inherits():
    chosen, begun = ranges_map(), grid_weights(5, 0, 1.5)
    parent = Parent(study="a" * 64, spent_mu2=0.3, weights=tuple(begun.tolist()))
    model, study = trained(chosen, parent=parent)
    np.testing.assert_array_equal(start_weights(study, chosen), begun)
    direction, _ = descent(chosen, study.plan(chosen), *inputs(chosen), start=begun)
    np.testing.assert_allclose(model.direction, direction, atol=2e-4)
    assert model.mu**2 == pytest.approx(mu_of(4.0, 1e-5) ** 2 - 0.3)


def test_a_successor_of_another_maps_study_is_refused():
    parent = Parent(study="a" * 64, spent_mu2=0.1, weights=(1.0, 2.0))
    study = study_of(ranges_map(), parent=parent)
    with pytest.raises(InputError, match="inherits 2 weights that are not weights of its"):
        next(start_training(study, ranges_map()))


@pytest.mark.parametrize(
    ("number", "kind"), [(1, "gradient"), (3, "gradient"), (4, "threshold"), (5, "evaluation")]
)
def test_a_clinic_with_wrong_masks_stops_the_training_at_that_round(number, kind):
    study = study_of(people_map(), rounds=3, evaluation_bins=2)
    sites = sites_of(study, people_map(), *inputs(people_map()))
    training = start_training(study, people_map())
    question = next(training)

    def answers():
        return [answer_question(site, question) for site in sites]

    while question.round < number:
        question = training.send(answers())
    *honest, last = answers()
    garbage = np.random.default_rng(0).integers(0, 2**64, len(last.arrays["sum"]), dtype=np.uint64)
    spoilt = [*honest, dataclasses.replace(last, arrays={"sum": garbage})]
    with pytest.raises(FederationError, match=rf"the sum of round {number} \({kind}\) is larger"):
        training.send(spoilt)


def test_more_participants_than_declared_stop_the_training():
    study = study_of(people_map(), participants=4, mode="none", epsilon=1.0)
    features, _ = inputs(people_map())
    sites = sites_of(study, people_map(), features, np.ones(90, dtype=bool))
    with pytest.raises(FederationError, match="more participants answered than were declared"):
        converse(start_training(study, people_map()), sites)


def test_weights_that_leave_the_grids_range_stop_the_training(monkeypatch):
    monkeypatch.setattr(private, "CLIPPING_NORM", 1e9)
    with pytest.raises(FederationError, match="such a training has diverged"):
        trained(people_map())


def summed(values, number=1, digest=None):
    first = Question("gradient", 1, {"weights": np.zeros(5)})
    arrays = {} if values is None else {"sum": values}
    return Answer(arrays, number, first.digest if digest is None else digest)


GOOD = np.zeros(5, dtype=np.uint64)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([summed(GOOD)] * 2, "2 of 3 contributions"),
        ([summed(GOOD), summed(GOOD, 2), summed(GOOD)], "'Birch' answered round 2, round 1 is"),
        ([summed(GOOD), summed(GOOD, digest="0" * 64), summed(GOOD)], "'Birch' answered input 00"),
        ([summed(np.zeros(6, dtype=np.uint64))] * 3, r"shape \(6,\)"),
        ([summed(np.zeros(5))] * 3, "without a sum"),
        ([summed(None)] * 3, "without a sum"),
    ],
)
def test_answers_that_cannot_be_summed_are_refused(answers, message):
    training = start_training(study_of(people_map()), people_map())
    assert next(training).digest == summed(GOOD).input_digest
    with pytest.raises(FederationError, match=message):
        training.send(answers)
