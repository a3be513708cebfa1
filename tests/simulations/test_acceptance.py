"""The figures the project promises, measured anew: slow, so run by `make soak`."""

import numpy as np
import pytest

from shared.channels import ATTRIBUTE_GROUPS, POSTER_COMBINATIONS
from shared.learning.pooled import REGULARISATION_C, THRESHOLD
from shared.privacy.constants import load_constants
from simulations.cohort import surrogate_features
from simulations.experiment import Arm, Sample, Split, federated_scores, pooled_scores
from simulations.folds import stratified_folds
from simulations.reproduce import (
    Measured,
    Protocol,
    cohort_sample,
    evaluate_cohorts,
    usable_cores,
)
from simulations.tables.evaluation import evaluate_table, table_sample
from simulations.tables.heart import write_heart_table
from simulations.tables.ranges import read_ranges
from simulations.tables.reading import MEAN_OVER_SITES, Columns, read_table

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

COHORTS = range(5000, 5020)


class _Cohort:
    """Makes one cohort's table in the process that evaluates it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self):
        return surrogate_features(self.seed)


@pytest.fixture(scope="module")
def reproduced() -> list[list[Measured]]:
    protocol = Protocol(combinations=(ATTRIBUTE_GROUPS,))
    return list(
        evaluate_cohorts([_Cohort(seed) for seed in COHORTS], protocol, COHORTS, usable_cores())
    )


def _mean(cohorts: list[list[Measured]], method: str, epsilon: float | None, metric: str) -> float:
    return float(
        np.mean(
            [
                item.metrics[metric]
                for cohort in cohorts
                for item in cohort
                if (item.method, item.epsilon, item.site) == (method, epsilon, None)
            ]
        )
    )


@pytest.mark.parametrize(("epsilon", "largest_loss"), [(8.0, 0.03), (4.0, 0.06), (2.0, 0.10)])
def test_privacy_costs_no_more_f1_than_promised(reproduced, epsilon, largest_loss):
    pooled = _mean(reproduced, "pooled", None, "f1")
    assert pooled - _mean(reproduced, "federated-dp", epsilon, "f1") <= largest_loss


@pytest.mark.parametrize("epsilon", [4.0, 2.0, 1.0])
def test_shared_noise_ranks_better_than_local_noise(reproduced, epsilon):
    ours = _mean(reproduced, "federated-dp", epsilon, "auc")
    assert ours > _mean(reproduced, "local-dp", epsilon, "auc")


def test_federated_decisions_equal_pooled_ones(reproduced):
    for cohort in reproduced:
        by_method = {m.method: m.metrics for m in cohort if m.site is None and m.epsilon is None}
        assert by_method["federated"] == pytest.approx(by_method["pooled"], abs=1e-12)


def _assert_federated_equals_pooled(sample: Sample, splits: list[Split], c: float) -> None:
    """Every score, hence every decision; the coefficients follow from as many scores as rows."""
    federated = federated_scores([sample], splits, [Arm("federated")], regularisation_c=c, seed=0)
    scores = federated[0, 0]
    tested = ~np.isnan(scores)
    pooled = pooled_scores(sample, splits, regularisation_c=c) + THRESHOLD
    assert tested.any()
    assert scores[tested] == pytest.approx(np.log(pooled / (1 - pooled))[tested], abs=1e-6)


def test_federated_scores_equal_pooled_ones_on_every_fold():
    table = surrogate_features(COHORTS[0])
    fold = stratified_folds(table.asd, table.participants, seed=COHORTS[0])
    splits = [Split(fold != k, fold == k) for k in range(10)]
    for groups in POSTER_COMBINATIONS:
        sample = cohort_sample(table, groups, load_constants(), "equality")
        _assert_federated_equals_pooled(sample, splits, REGULARISATION_C)


def test_federated_scores_equal_pooled_ones_on_heart_disease(reference_data, tmp_path):
    table, ranges = write_heart_table(reference_data / "heart", tmp_path)
    data = read_table(
        table, Columns("disease", "hospital", split="split"), ranges=read_ranges(ranges)
    )
    _assert_federated_equals_pooled(
        table_sample(data, "equality"), [Split(~data.test, data.test)], 1.0
    )


def test_heart_disease_of_four_hospitals(reference_data, tmp_path):
    table, ranges = write_heart_table(reference_data / "heart", tmp_path)
    data = read_table(
        table, Columns("disease", "hospital", split="split"), ranges=read_ranges(ranges)
    )
    runs = list(
        evaluate_table(
            data,
            epsilons=(1.0, 0.1),
            delta=1e-4,
            regularisation_c=1.0,
            collusion_margin=1,
            seeds=range(20),
            processes=usable_cores(),
        )
    )

    def mean(method: str, epsilon: float | None, site: str | None) -> float:
        return float(
            np.mean(
                [
                    m.metrics["accuracy"]
                    for run in runs
                    for m in run
                    if (m.method, m.epsilon, m.site) == (method, epsilon, site)
                ]
            )
        )

    pooled = mean("pooled", None, None)
    assert pooled == pytest.approx(0.7953, abs=0.012)
    assert mean("federated", None, None) == pytest.approx(pooled, abs=0.005)
    assert mean("federated-dp", 1.0, MEAN_OVER_SITES) >= 0.785
    assert mean("federated-dp", 0.1, MEAN_OVER_SITES) >= 0.75
