import numpy as np
import pytest
from scipy.special import expit
from small_federation import (
    NoNoise,
    cohort,
    converse,
    people_map,
    ranges_map,
    sites_of,
    study_of,
)

from server.training import start_training
from shared.channels import ATTRIBUTE_GROUPS
from shared.errors import FederationError
from shared.features import FEATURE_RANGES
from shared.messages import Answer
from shared.privacy.accountant import mu_of
from shared.privacy.constants_building import build_constants
from shared.privacy.discrete_gaussian import SeededNoise
from shared.privacy.feature_map import training_rows
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap


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


def descent(chosen, plan, features, asd):
    """Gradient descent by the book: clipped gradients, then clipped scores and labels."""
    phi = chosen.unit_vectors(features) / GRID
    rows = training_rows(chosen, chosen.unit_vectors(features))
    signs = np.where(asd, 1.0, -1.0)
    weights = np.zeros(rows.shape[1])
    for _ in range(plan.rounds):
        gradients = -(signs * expit(-signs * (rows @ weights)))[:, None] * rows
        gradients /= np.maximum(1, np.linalg.norm(gradients, axis=1, keepdims=True) / 0.5)
        weights = weights - plan.step * gradients.sum(axis=0) / plan.participants
    direction = weights[: chosen.dimension]
    if chosen.releases_threshold and not chosen.appends_constant:
        direction[-1] = 0
    threshold = 0.0
    if plan.sigma_threshold is not None:
        sd = 1 / np.sqrt(chosen.dimension)
        scores = phi @ direction / np.linalg.norm(direction)
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
    even, _ = trained(people_map())
    for sizes in ([1, 0, 89], [88, 1, 1]):
        model, _ = trained(people_map(), sizes=sizes)
        np.testing.assert_allclose(model.direction, even.direction, atol=1e-12)
        assert model.threshold == pytest.approx(even.threshold, abs=1e-12)


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


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([Answer({"sum": np.zeros(5, dtype=np.uint64)})] * 2, "2 of 3 contributions"),
        ([Answer({"sum": np.zeros(6, dtype=np.uint64)})] * 3, r"shape \(6,\)"),
        ([Answer({"sum": np.zeros(5)})] * 3, "without a sum"),
        ([Answer({})] * 3, "without a sum"),
    ],
)
def test_answers_that_cannot_be_summed_are_refused(answers, message):
    training = start_training(study_of(people_map()), people_map())
    next(training)
    with pytest.raises(FederationError, match=message):
        training.send(answers)
