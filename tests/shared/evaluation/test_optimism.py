import json

import numpy as np
import pytest

from shared.channels import all_combinations
from shared.evaluation import classification_metrics
from shared.evaluation.cross_validated import CV_METRICS
from shared.evaluation.folds import stratified_fold
from shared.evaluation.nested import nested_cross_validation
from shared.evaluation.optimism import apparent_score, measure_optimism
from shared.learning.pooled import train_pooled

GROUPS = tuple(np.arange(10 * g, 10 * g + 10) for g in range(4))
SETTINGS = {"groups": GROUPS, "c_grid": (0.1, 1.0), "inner_folds": 3}


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    asd = np.arange(40) < 22
    x = rng.standard_normal((40, 40))
    fold = np.stack([stratified_fold(asd, 5, rng) for _ in range(2)])
    return x, asd, nested_cross_validation(x, asd, fold, seed=0, **SETTINGS)


def test_noise_looks_good_until_it_is_nested(noise):
    x, asd, nested = noise
    apparent = apparent_score(x, asd, seed=0, **SETTINGS)
    for metric in CV_METRICS:
        found = measure_optimism(nested, apparent, metric)
        assert found.apparent > 0.7
        assert found.apparent > found.chosen_on_test > found.nested.value
        assert found.nested.low < 0.5
        assert found.optimism == pytest.approx(found.apparent - found.nested.value)
        assert found.choice_optimism == pytest.approx(found.chosen_on_test - found.nested.value)
        json.dumps(found.as_json(), allow_nan=False)


def test_the_three_figures_are_those_of_their_scores(noise):
    x, asd, nested = noise
    apparent = apparent_score(x, asd, seed=0, **SETTINGS)
    found = measure_optimism(nested, apparent)
    assert found.apparent == pytest.approx(classification_metrics(asd, apparent)["auc"])
    names = list(map("+".join, all_combinations()))
    best = nested.by_combination[names.index(found.best_combination)]
    each = [classification_metrics(asd, best[r], nested.fold[r])["auc"] for r in range(2)]
    assert found.chosen_on_test == pytest.approx(np.mean(each))
    assert found.chosen_on_test == max(nested.estimate("auc", number).value for number in range(15))


def test_the_apparent_model_is_the_pooled_fit_of_everyone(noise):
    x, asd, _ = noise
    only = {**SETTINGS, "combinations": (("valence",),), "c_grid": (0.1,)}
    found = apparent_score(x, asd, seed=0, **only)
    model = train_pooled(x[:, GROUPS[2]], asd, 0.1)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), model.probability(x[:, GROUPS[2]]))
