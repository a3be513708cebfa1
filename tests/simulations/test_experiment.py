import dataclasses

import numpy as np
import pytest
from small_federation import LOCAL, cohort, people_map

from shared.learning.pooled import train_pooled
from simulations import experiment
from simulations.engines import train_federation
from simulations.experiment import (
    Arm,
    Sample,
    Split,
    alone_scores,
    federated_scores,
    pooled_scores,
)

EXACT = Arm("federated")
PRIVATE = Arm("federated-dp", 4.0, 1e-5, collusion_margin=1)
LOCALLY = Arm("local-dp", 4.0, 1e-5, local=LOCAL)


def sample(name="s", n=60, feature_map=None):
    features, asd = cohort(n)
    chosen = feature_map or people_map()
    return Sample(
        name=name,
        asd=asd,
        clinic=np.arange(n) % 3,
        clinics=("Aspen", "Birch", "Cedar"),
        features=features,
        mapped=chosen.standardise(features),
        feature_map=chosen,
    )


def splits(n=60, folds=3):
    fold = (np.arange(n) // 3) % folds
    return [Split(fold != k, fold == k) for k in range(folds)]


def scores(samples, arms, seed=0, cuts=None, **options):
    return federated_scores(
        samples, cuts or splits(), arms, regularisation_c=1.0, seed=seed, **options
    )


@pytest.mark.parametrize("gap", [False, True])
def test_federated_without_privacy_equals_pooled_on_every_fold(gap):
    one = sample()
    if gap:
        one.features[::5, 1] = np.nan
    federated = scores([one], [EXACT])[0, 0]
    pooled = pooled_scores(one, splits(), regularisation_c=1.0)
    np.testing.assert_allclose(1 / (1 + np.exp(-federated)) - 0.5, pooled, atol=1e-6)
    np.testing.assert_array_equal(federated > 0, pooled > 0)


def test_rows_that_no_split_tests_have_no_score():
    cuts = splits()[:1]
    for found in (
        scores([sample()], [EXACT, PRIVATE], cuts=cuts)[0, 1],
        pooled_scores(sample(), cuts, regularisation_c=1.0),
        next(alone_scores(sample(), cuts, regularisation_c=1.0))[1],
    ):
        np.testing.assert_array_equal(np.isnan(found), ~cuts[0].test)


@pytest.mark.parametrize("arm", [EXACT, PRIVATE, LOCALLY])
def test_test_rows_play_no_part_in_training(arm):
    cut = splits()[:1]
    one = sample()
    other = sample()
    other.asd[cut[0].test] = ~other.asd[cut[0].test]
    first, second = scores([one], [arm], cuts=cut), scores([other], [arm], cuts=cut)
    np.testing.assert_array_equal(first[0, 0], second[0, 0])


def test_arms_and_samples_train_together_as_they_would_alone():
    samples, arms = [sample("one"), sample("two", feature_map=people_map())], [PRIVATE, LOCALLY]
    together = scores(samples, arms)
    assert set(together) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for i, one in enumerate(samples):
        for j, arm in enumerate(arms):
            np.testing.assert_array_equal(scores([one], [arm])[0, 0], together[i, j])


def test_seeds_samples_and_splits_have_their_own_noise():
    reference = scores([sample()], [PRIVATE])[0, 0]
    np.testing.assert_array_equal(scores([sample()], [PRIVATE])[0, 0], reference)
    assert (scores([sample()], [PRIVATE], seed=1)[0, 0] != reference).all()
    assert (scores([sample("other")], [PRIVATE])[0, 0] != reference).all()
    same = [splits()[0], splits()[0]]
    two = [scores([sample()], [PRIVATE], cuts=[cut])[0, 0] for cut in same]
    np.testing.assert_array_equal(*two)
    repeated = scores([sample()], [PRIVATE], cuts=same)[0, 0]  # the second split's noise is new
    assert (repeated != two[0])[splits()[0].test].all()


def test_every_study_declares_its_arms_promise_and_its_splits_training_rows(monkeypatch):
    seen = []

    def recording(federation, *options):
        seen.extend(study for study, _ in federation.prepared)
        return train_federation(federation, *options)

    monkeypatch.setattr(experiment, "train_federation", recording)
    uneven = [Split(np.arange(60) >= 9, np.arange(60) < 9), splits()[0]]
    scores([sample()], [PRIVATE, LOCALLY], cuts=uneven)
    assert [study.participants for study in seen] == [51, 39, 51, 39]
    assert [study.method for study in seen] == ["federated-dp"] * 2 + ["local-dp"] * 2
    assert {(study.epsilon, study.delta) for study in seen} == {(4.0, 1e-5)}
    assert [study.collusion_margin for study in seen] == [1, 1, 0, 0]


def test_a_small_epsilon_trains_four_rounds_without_a_threshold():
    told = []
    scores(
        [sample()],
        [dataclasses.replace(PRIVATE, epsilon=0.4)],
        on_exchange=lambda number, messages: told.append(messages),
    )
    assert told == [3] * (1 + 4)  # the roster, then four rounds without a threshold


def test_a_clinic_alone_learns_from_its_own_training_rows():
    one = sample()
    found = dict(alone_scores(one, splits(), regularisation_c=1.0))
    assert list(found) == ["Aspen", "Birch", "Cedar"]
    split = splits()[1]
    own = split.train & (one.clinic == 2)
    model = train_pooled(one.features[own], one.asd[own], 1.0)
    expected = model.probability(one.features[split.test]) - 0.5
    np.testing.assert_allclose(found["Cedar"][split.test], expected)


@pytest.mark.parametrize(("label", "call"), [(True, 1.0), (False, -1.0)])
def test_a_clinic_with_one_label_calls_everyone_that(label, call):
    one = sample()
    one.asd[one.clinic == 1] = label
    found = dict(alone_scores(one, splits(), regularisation_c=1.0))
    assert (found["Birch"] == call).all()
    assert np.unique(found["Aspen"]).size > 10


def test_without_a_public_map_only_the_exact_method_trains():
    one = dataclasses.replace(sample(), feature_map=None)
    assert np.isfinite(scores([one], [EXACT])[0, 0]).all()
