"""One small surrogate cohort through every protocol, its cache, and the summary of many."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from shared.features import FeatureTable
from simulations.cohort import surrogate_features
from simulations.cohort.effects import stored_effects
from simulations.evaluation import cohorts
from simulations.evaluation.cohorts import (
    CohortRun,
    EvaluationProtocol,
    cohort_table,
    evaluate_cohort,
    evaluate_table,
)
from simulations.evaluation.private import private_outcome
from simulations.evaluation.summary import PowerStudy, summarise_cohorts, write_power_study
from simulations.evaluation.terminal import print_power_study

PROTOCOL = EvaluationProtocol(1, 1, permutations=39, nested_permutations=0)
RUN = CohortRun("base", 9_400_000)


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return surrogate_features(RUN.seed, n_asd=26, n_non_asd=24)


@pytest.fixture(scope="module")
def one(table):
    return evaluate_table(table, RUN, PROTOCOL)


def test_every_protocol_answers(one):
    assert one.p == 1 / 40 or one.p > 0.05
    assert one.p_nested is None
    assert one.nested["auc"].low < one.nested["auc"].value <= one.nested["auc"].high
    assert one.naive.value == pytest.approx(one.nested["auc"].value)
    assert one.optimism["auc"].apparent > one.nested["auc"].value
    assert len(one.combinations.rows) == 30
    assert 0 <= one.private.balanced_accuracy <= 1


def test_a_cohort_is_evaluated_alike_again(table, one):
    assert evaluate_table(table, RUN, PROTOCOL) == one


def test_the_whole_recipe_is_permuted_when_asked(table, monkeypatch):
    monkeypatch.setattr(cohorts, "OUTER_FOLDS", 3)
    found = evaluate_table(table, RUN, replace(PROTOCOL, nested_permutations=19))
    assert found.p_nested is not None
    assert 1 / 20 <= found.p_nested <= 1


def test_private_training_finds_an_effect_and_none_where_diagnoses_are_shuffled():
    strong = {group: 3 * size for group, size in stored_effects().items()}
    table = surrogate_features(9_400_001, n_asd=24, n_non_asd=24, effects=strong)
    shuffled = replace(table, asd=np.random.default_rng(0).permutation(table.asd))
    settings = {"delta": 1e-5, "permutations": 99, "stop_after": 5, "seed": 1}
    found = private_outcome(table, epsilon=50.0, **settings)
    assert found.p == 0.01
    assert found.balanced_accuracy > 0.7
    assert private_outcome(table, epsilon=0.6, **settings).auc < found.auc
    assert private_outcome(shuffled, epsilon=50.0, **settings).p > 0.05


def test_runs_have_seeds_of_their_own():
    runs = EvaluationProtocol(300, 60).runs
    assert len(set(runs)) == 360
    null = [run.seed for run in runs if run.world == "none"]
    assert (min(null), max(null)) == (9_000_000, 9_000_299)
    assert min(run.seed for run in runs if run.world == "base") == 9_100_000


def test_the_cache_gives_the_same_features(tmp_path, monkeypatch, table):
    drawn = []
    monkeypatch.setattr(
        cohorts, "surrogate_features", lambda seed, world: drawn.append((seed, world)) or table
    )
    first, second = (cohort_table(RUN, tmp_path) for _ in range(2))
    assert drawn == [(RUN.seed, "base")]
    for found in (first, second):
        np.testing.assert_array_equal(found.values, table.values)
        np.testing.assert_array_equal(found.asd, table.asd)
        assert found.clinic == table.clinic
    cohort_table(CohortRun("none", RUN.seed), tmp_path)
    assert drawn[1:] == [(RUN.seed, "none")]
    monkeypatch.setattr(cohorts, "evaluate_table", lambda table, run, protocol: table)
    assert evaluate_cohort((RUN, PROTOCOL)) is table


def study(one, null_p):
    null = [replace(one, run=CohortRun("none", 9_000_000 + k), p=p) for k, p in enumerate(null_p)]
    return summarise_cohorts(
        [one, *null], replace(PROTOCOL, null_cohorts=len(null)), command="test", elapsed_s=1.0
    )


def test_rates_are_counted_by_world_and_judged_without_effect_only(one):
    found = study(replace(one, p=0.01), [0.01, 0.05, 0.5, 1.0])
    null = found.world("none").rate("permutation")
    assert (null.found, null.cohorts, null.rate) == (2, 4, 0.5)
    assert null in found.above_bound
    assert found.world("base").rate("permutation").rate == 1
    assert "nested_permutation" not in {rate.name for rate in found.worlds[0].rates}
    fine = study(replace(one, p=0.01), [0.5])
    assert "permutation" not in {rate.name for rate in fine.above_bound}


def test_the_file_holds_all_numbers_and_the_seeds(one, tmp_path):
    found = study(one, [0.5, 0.5])
    write_power_study(tmp_path / "power.json", found)
    text = (tmp_path / "power.json").read_text()
    assert PowerStudy.model_validate_json(text) == found
    said = json.loads(text)
    assert said["protocol"]["null_seeds"] == [9_000_000, 9_000_001]
    assert said["protocol"]["effect_seeds"] == [9_100_000, 9_100_000]
    means = {mean.name: mean.mean for mean in found.world("base").means}
    assert means["nested_auc"] == pytest.approx(one.nested["auc"].value)
    assert means["optimism_auc"] == pytest.approx(one.optimism["auc"].optimism)
    assert means["shapley_au_auc"] == pytest.approx(one.combinations.shapley["auc"]["au"].value)


@pytest.mark.parametrize(
    ("null_p", "told"),
    [
        ([0.5] * 3, "Type I error at most .06"),
        ([0.01] * 3, "Type I error above .06"),
        ([], "No cohorts"),
    ],
)
def test_the_terminal_says_what_was_found(one, null_p, told):
    quiet = replace(
        one,
        combinations=replace(
            one.combinations,
            rows=tuple(
                replace(
                    row, p=None if row.p is None else 1.0, p_adjusted=None if row.p is None else 1.0
                )
                for row in one.combinations.rows
            ),
        ),
        nested={metric: replace(e, low=0.4) for metric, e in one.nested.items()},
        private=one.private._replace(p=1.0),
    )
    written = io.StringIO()
    print_power_study(study(quiet, null_p), Console(width=100, file=written))
    text = " ".join(written.getvalue().split())
    assert told in text
    assert "9100000 to 9100000" in text
    assert "Simulated children" in text
