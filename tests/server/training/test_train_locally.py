import numpy as np
import pytest
from small_federation import LOCAL, cohort, converse, people_map, ranges_map, sites_of, study_of

from client.local_dp import private_steps
from server.training import start_training
from shared.errors import FederationError
from shared.messages import Answer, Question

CHOSEN = ranges_map()
STUDY = study_of(CHOSEN, method="local-dp")


def sites(sizes=(50, 30, 10)):
    features, asd = cohort()
    return sites_of(STUDY, CHOSEN, CHOSEN.standardise(features), asd, sizes=sizes)


def test_weights_are_averaged_by_size_round_after_round():
    model = converse(start_training(STUDY, CHOSEN), sites())
    weights = np.zeros(5)
    for number in range(1, LOCAL.rounds + 1):
        question = Question("local_steps", number, {"weights": weights})
        release = f"{STUDY.digest}|{number}|{question.digest}"
        updated = [private_steps(site, weights, number, release) for site in sites()]
        weights = np.average(updated, axis=0, weights=[50, 30, 10])
    np.testing.assert_allclose(model.direction, weights)
    assert model.threshold == 0
    assert (model.epsilon, model.delta) == (4.0, 1e-5)


def test_an_empty_clinic_has_no_weight():
    without = converse(start_training(STUDY, CHOSEN), sites((0, 60, 30)))
    assert np.isfinite(without.direction).all()


def test_no_participant_anywhere_is_refused():
    features, asd = cohort(0)
    empty = sites_of(STUDY, CHOSEN, CHOSEN.standardise(features), asd, sizes=(0, 0, 0))
    with pytest.raises(FederationError, match=r"no clinic .* has a usable participant"):
        converse(start_training(STUDY, CHOSEN), empty)


@pytest.mark.parametrize(
    "arrays",
    [
        {"weights": np.zeros(4), "examples": np.ones(1)},
        {"weights": np.zeros(5)},
        {"examples": np.ones(1)},
        {"weights": np.zeros(5), "examples": np.ones(2)},
    ],
)
def test_an_answer_that_does_not_fit_is_refused(arrays):
    training = start_training(STUDY, CHOSEN)
    first = next(training)
    good = Answer({"weights": np.zeros(5), "examples": np.ones(1)}, 1, first.digest)
    with pytest.raises(FederationError, match="of another shape than"):
        training.send([good, Answer(arrays, 1, first.digest), good])


def test_a_study_of_another_method_has_no_settings():
    from server.training.local_dp import train_locally

    with pytest.raises(FederationError, match="no local-dp settings"):
        next(train_locally(study_of(people_map()), people_map()))
