"""The schema refuses what a report must not say."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import InputError
from shared.report import document as d
from tests.support.example_report import complete_report, real_cohort_report, withheld_report


@pytest.mark.parametrize("make", [complete_report, withheld_report, real_cohort_report])
def test_json_and_back_is_the_same(make: Any) -> None:
    report = make()
    assert d.Report.model_validate_json(report.model_dump_json()) == report


def test_a_withheld_section_holds_nothing() -> None:
    with pytest.raises(ValidationError, match="carries auc"):
        d.Roc(status="not_released", note="not asked for", auc=d.Estimate(value=0.8))
    with pytest.raises(ValidationError, match="has to say why"):
        d.Roc(status="not_released")


def test_a_section_that_is_there_is_not_empty_and_has_no_price() -> None:
    with pytest.raises(ValidationError, match="auc is empty"):
        d.Roc(status="released")
    with pytest.raises(ValidationError, match="would cost"):
        d.Roc(status="local", auc=d.Estimate(value=0.8), cost_mu=0.1)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        d.Estimate.model_validate({"value": 0.5, "participant": "0017"})


def test_undefined_numbers_become_null() -> None:
    estimate = d.Estimate(value=math.nan, low=-math.inf, high=0.3)
    assert json.loads(estimate.model_dump_json()) == {
        "value": None,
        "low": None,
        "high": 0.3,
        "method": "",
    }


def test_an_interval_has_its_ends_in_order() -> None:
    with pytest.raises(ValidationError, match="lies above"):
        d.Estimate(value=0.5, low=0.6, high=0.4)


@dataclass(frozen=True)
class Result:
    value: float

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "low": 0.1, "high": 0.9, "method": "Wilson"}


def test_results_with_as_json_fit_where_their_fields_do() -> None:
    roc = d.Roc(status="local", auc=Result(0.7))  # type: ignore[arg-type]
    assert roc.auc == d.Estimate(value=0.7, low=0.1, high=0.9, method="Wilson")


def test_curves_have_one_length() -> None:
    with pytest.raises(ValidationError, match="different lengths"):
        d.Roc(
            status="local",
            auc=d.Estimate(value=0.7),
            false_positive_rate=(0.0, 1.0),
            sensitivity=(0.0, 0.5, 1.0),
        )


def test_a_matrix_has_its_shape() -> None:
    with pytest.raises(ValidationError, match="one row a feature"):
        d.GroupDifferences(
            status="local", channels=("au1", "au2"), features=("mean",), hedges_g=((0.1,),)
        )


def test_a_flow_has_one_count_a_step() -> None:
    with pytest.raises(ValidationError, match="one count a step"):
        d.ParticipantFlow(
            status="local",
            steps=(d.FlowStep(name="Enrolled", count=20),),
            by_clinic=(d.ClinicFlow(clinic="A", counts=(20, 18)),),
        )


def test_the_schema_is_exported_with_its_version() -> None:
    schema = d.json_schema()
    assert schema["$id"] == f"urn:fedaffect:report:{d.SCHEMA_VERSION}"
    assert schema["additionalProperties"] is False
    assert set(d.SECTIONS) <= set(schema["required"])
    json.dumps(schema)


def test_the_schema_of_this_version_has_not_changed() -> None:
    """A removed or retyped field must raise SCHEMA_VERSION; a new one is added to the list here."""
    stored = Path(__file__).parent / f"report_schema_{d.SCHEMA_VERSION}.json"
    expected = json.loads(stored.read_text(encoding="utf-8"))
    assert undescribed(d.json_schema()) == undescribed(expected)


def undescribed(schema: Any) -> Any:
    """The schema without its prose."""
    if isinstance(schema, dict):
        return {k: undescribed(v) for k, v in schema.items() if k != "description"}
    return [undescribed(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "report schema None"),
        ('{"schema_version": 99}', "report schema 99"),
        ('{"schema_version": 1, "kind": "surrogate"}', "is no report of schema 1"),
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        d.read_report(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        d.read_report(tmp_path / "report.json")


def test_a_refusal_holds_no_value_of_the_file(tmp_path: Path) -> None:
    content = json.loads(complete_report().model_dump_json())
    content["data"]["participants"] = "child 0017"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        d.read_report(path)
    assert "0017" not in str(refused.value)
    assert "data.participants" in str(refused.value)
