"""The schema of results.json: intervals, what is refused, and the way to the file and back."""

import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import ttest_1samp, ttest_rel
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score, roc_auc_score

from shared.errors import InputError
from simulations.results import (
    POSTER_TABLE_1,
    Machine,
    Provenance,
    Record,
    Results,
    always_positive_records,
    build_differences,
    build_records,
    describe_machine,
    read_results,
    software_versions,
    summarise,
    write_results,
)


def provenance(**further: object) -> Provenance:
    return Provenance.model_validate(
        {
            "command": "fedaffect-sim reproduce",
            "data": "surrogate",
            "data_description": "simulated",
            "protocol": "10-fold",
            "engine": "inprocess",
        }
        | further
    )


def record(**changes: object) -> Record:
    fields = {"method": "pooled", "combination": "au", "metric": "f1", "mean": 0.7, "n": 20}
    return Record.model_validate(fields | changes)


class TestSummarise:
    def test_is_the_students_t_interval(self) -> None:
        values = np.random.default_rng(0).normal(0.7, 0.05, 20)
        summary = summarise(values)
        interval = ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert summary.mean == pytest.approx(values.mean())
        assert (summary.low, summary.high) == pytest.approx((interval.low, interval.high))
        assert summary.sd == pytest.approx(values.std(ddof=1))
        assert summary.n == 20

    def test_one_value_has_neither_interval_nor_spread(self) -> None:
        assert summarise([0.5]) == (0.5, None, None, None, 1)

    def test_no_defined_value_has_no_mean(self) -> None:
        assert summarise([math.nan, math.inf]) == (None, None, None, None, 0)

    def test_undefined_values_are_left_out(self) -> None:
        assert summarise([0.4, math.nan, 0.6]) == summarise([0.4, 0.6])

    @given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.randoms())
    def test_the_interval_holds_the_mean_in_any_order(
        self, values: list[float], random: object
    ) -> None:
        summary = summarise(values)
        assert summary.low is not None
        assert summary.high is not None
        assert summary.mean is not None
        assert summary.low <= summary.mean <= summary.high
        random.shuffle(values)  # type: ignore[attr-defined]
        assert summarise(values)[:4] == pytest.approx(summary[:4], abs=1e-12)


class TestRecord:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"method": "federated-dp"}, "epsilon and delta are required"),
            ({"method": "federated-dp", "epsilon": 4}, "epsilon and delta are required"),
            ({"epsilon": 4, "delta": 1e-5}, "are null for a method without privacy"),
            ({"mean": None}, "a null mean needs a reason"),
            ({"low": 0.6}, "low and high are given together"),
            ({"low": 0.71, "high": 0.8}, "outside its interval"),
            ({"mean": math.nan}, "finite number"),
            ({"sd": math.inf}, "finite number"),
            ({"sd": -0.1}, "greater than or equal to 0"),
            ({"metric": "mcc"}, "'f1', 'sensitivity'"),
            ({"method": "central"}, "'pooled', 'alone'"),
            ({"method": "local-dp", "epsilon": 0, "delta": 1e-5}, "greater than 0"),
            ({"colour": "red"}, "Extra inputs are not permitted"),
        ],
    )
    def test_refuses(self, changes: dict[str, object], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            record(**changes)

    def test_a_null_mean_with_a_reason_is_allowed(self) -> None:
        assert record(mean=None, n=0, reason="one class only").mean is None


class TestBuilders:
    def test_one_record_per_metric(self) -> None:
        rows = build_records(
            "federated-dp",
            "au",
            [{"f1": 0.7, "auc": 0.8}, {"f1": 0.6, "auc": 0.7}],
            site="north",
            epsilon=4,
            delta=1e-5,
        )
        assert [(r.metric, r.n) for r in rows] == [("f1", 2), ("auc", 2)]
        assert [r.mean for r in rows] == pytest.approx([0.65, 0.75])
        assert {(r.site, r.epsilon, r.delta) for r in rows} == {("north", 4, 1e-5)}

    def test_undefined_repeats_are_counted_in_the_reason(self) -> None:
        (row,) = build_records("alone", "au", [{"auc": math.nan}, {"auc": 0.7}, {"auc": 0.8}])
        assert row.mean == pytest.approx(0.75)
        assert row.n == 2
        assert row.reason == "undefined in 1 of 3 repeats"

    def test_a_metric_undefined_everywhere_is_null_with_a_reason(self) -> None:
        (row,) = build_records("alone", "au", [{"auc": math.nan}])
        assert (row.mean, row.n, row.reason) == (None, 0, "undefined")

    def test_an_unknown_metric_is_named(self) -> None:
        with pytest.raises(ValueError, match="unknown metric 'mcc'; known: f1"):
            build_records("pooled", "au", [{"mcc": 0.4}])

    def test_differences_are_paired(self) -> None:
        generator = np.random.default_rng(1)
        luck = generator.normal(0.7, 0.1, 20)
        ours, theirs = luck - 0.03 + generator.normal(0, 0.01, 20), luck
        (row,) = build_differences(
            "federated-dp",
            "pooled",
            "au",
            [{"f1": v} for v in ours],
            [{"f1": v} for v in theirs],
            epsilon=4,
            delta=1e-5,
        )
        interval = ttest_rel(ours, theirs).confidence_interval(0.95)
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high))

    def test_pairs_need_equal_repeats(self) -> None:
        with pytest.raises(ValueError, match="1 of federated, 2 of pooled"):
            build_differences("federated", "pooled", "au", [{"f1": 1}], [{"f1": 1}, {"f1": 1}])

    def test_always_positive_agrees_with_scikit_learn(self) -> None:
        truth, called = np.array([1] * 49 + [0] * 39), np.ones(88)
        values = {
            r.metric: r.mean for r in always_positive_records("au", positives=49, negatives=39)
        }
        assert values == pytest.approx(
            {
                "f1": f1_score(truth, called),
                "sensitivity": recall_score(truth, called),
                "specificity": recall_score(truth, called, pos_label=0),
                "balanced_accuracy": balanced_accuracy_score(truth, called),
                "auc": roc_auc_score(truth, called),
                "accuracy": float(np.mean(truth == called)),
            }
        )

    def test_always_positive_needs_both_classes(self) -> None:
        with pytest.raises(ValueError, match="49 positives, 0 negatives"):
            always_positive_records("au", positives=49, negatives=0)

    def test_the_published_table(self) -> None:
        table = {(r.combination, r.metric): r.mean for r in POSTER_TABLE_1}
        assert len(table) == 12
        assert table["au", "specificity"] == 0.62
        assert table["au+arousal", "f1"] == 0.72
        assert table["au+arousal+valence", "sensitivity"] == 0.67
        assert table["au+arousal+valence+expression", "f1"] == 0.76
        assert all(r.low is None and r.sd is None and r.epsilon is None for r in POSTER_TABLE_1)


class TestResults:
    def test_a_number_has_one_record(self) -> None:
        with pytest.raises(ValidationError, match="two records for pooled / au / f1"):
            Results(provenance=provenance(), results=(record(), record(mean=0.8)))

    def test_finds_by_every_part_of_the_key(self) -> None:
        rows = [
            record(),
            record(site="north", mean=0.6),
            record(method="federated-dp", epsilon=2, delta=1e-5, mean=0.5),
            record(method="federated-dp", epsilon=8, delta=1e-5, mean=0.65, metric="auc"),
        ]
        results = Results(provenance=provenance(), results=tuple(rows))
        assert results.find("pooled", "au", "f1") == rows[0]
        assert results.find("pooled", "au", "f1", site="north") == rows[1]
        assert results.find("federated-dp", "au", "f1", epsilon=2.0) == rows[2]
        assert results.find("federated-dp", "au", "f1", epsilon=8.0) is None
        assert results.epsilons == (8, 2)
        assert results.metrics == ("f1", "auc")
        assert results.sites("pooled") == ("north",)
        assert results.sites("alone") == ()


class TestProvenance:
    def test_further_keys_are_kept(self) -> None:
        assert provenance(world="groups", calibration={"cohorts": 200}).further == {
            "world": "groups",
            "calibration": {"cohorts": 200},
        }

    def test_a_further_key_is_strict_json(self) -> None:
        with pytest.raises(ValidationError, match="finite number"):
            provenance(scale=[1.0, math.nan])

    def test_the_time_needs_a_zone(self) -> None:
        with pytest.raises(ValidationError, match="timezone"):
            provenance(created=datetime(2026, 11, 22))

    def test_describes_this_machine(self) -> None:
        machine = describe_machine()
        assert isinstance(machine, Machine)
        assert machine.cpu
        assert machine.python.startswith("3.")

    def test_a_package_that_is_not_installed_is_left_out(self) -> None:
        assert list(software_versions(["numpy", "no-such-package-here"])) == ["numpy"]


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        rows = (*POSTER_TABLE_1, *build_records("alone", "au", [{"auc": math.nan, "f1": 0.5}]))
        pair = build_differences("federated", "pooled", "au", [{"f1": 0.5}], [{"f1": 0.5}])
        written = Results(
            provenance=provenance(world="groups"), results=rows, differences=tuple(pair)
        )
        path = tmp_path / "new" / "results.json"
        write_results(path, written)
        assert read_results(path) == written

    def test_the_file_is_strict_json_with_the_documented_fields(self, tmp_path: Path) -> None:
        path = tmp_path / "results.json"
        values: dict[str, float] = {"f1": 0.5, "auc": math.nan, "accuracy": 0.5}
        rows = build_records("pooled", "au", [values])
        write_results(path, Results(provenance=provenance(), results=tuple(rows)))
        document = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
        assert set(document) == {"provenance", "results"}
        fields = {"method", "combination", "site", "epsilon", "delta", "metric"}
        fields |= {"mean", "low", "high", "sd", "n"}
        assert all(fields <= set(row) <= fields | {"reason"} for row in document["results"])
        undefined = next(row for row in document["results"] if row["metric"] == "auc")
        assert undefined["mean"] is None
        assert undefined["reason"] == "undefined"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "No such file"),
            ("not json", "is not strict JSON"),
            ('{"provenance": {}, "results": [NaN]}', "NaN is not JSON"),
            ('{"provenance": {}, "results": []}', "provenance.command: Field required"),
        ],
    )
    def test_a_bad_file_is_explained(
        self, tmp_path: Path, content: str | None, message: str
    ) -> None:
        path = tmp_path / "results.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_results(path)
