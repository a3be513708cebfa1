"""A report that leaves shows no small count, and none follows from what it shows."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.report import document as d
from tests.support.example_report import complete_report, real_cohort_report

SUBGROUP = d.Subgroup(attribute="Sex", level="girls", participants=40, asd=20, non_asd=20)


def changed(key: str, **update: Any) -> dict[str, Any]:
    report = real_cohort_report()
    return dict(report) | {key: getattr(report, key).model_copy(update=update)}


SHOWN = {
    "flow": ("participant_flow", {"by_clinic": (d.ClinicFlow(clinic="A", counts=(12, 9)),)}),
    "clinic": ("data", {"clinics": (d.ClinicCounts(clinic="A", participants=9),)}),
    "none": ("performance", {"confusion": d.Confusion(tp=30, fn=0, fp=20, tn=20)}),
    "subgroup": ("fairness", {"subgroups": (SUBGROUP.model_copy(update={"asd": 3}),)}),
    "noised": ("performance", {"confusion": d.Confusion(tp=30.2, fn=-1.7, fp=20.0, tn=20.0)}),
}


@pytest.mark.parametrize("where", SHOWN)
def test_no_small_count_is_shown(where: str) -> None:
    key, update = SHOWN[where]
    content = changed(key, **update)
    with pytest.raises(ValidationError, match="a count below 10 is shown") as refused:
        d.Report.model_validate(content)
    assert key in refused.value.errors()[0]["msg"]
    assert d.Report.model_validate(content | {"leaves_clinic": False})
    assert d.Report.model_validate(content | {"kind": "surrogate"})


FOLLOWS = {
    "class of all": ("data", {"asd": "<10", "clinics": ()}),
    "one clinic of the total": (
        "data",
        {
            "clinics": (
                d.ClinicCounts(clinic="A", participants=60),
                d.ClinicCounts(clinic="B", participants=20),
                d.ClinicCounts(clinic="C", participants="<10"),
            )
        },
    ),
    "one class of a clinic": (
        "data",
        {"clinics": (d.ClinicCounts(clinic="A", participants=30, asd=22, non_asd="<10"),)},
    ),
    "a total of shown parts": (
        "data",
        {"participants": "suppressed", "clinics": ()},
    ),
    "one reason of the flow": (
        "participant_flow",
        {
            "steps": (
                d.FlowStep(name="Enrolled", count=112),
                d.FlowStep(
                    name="Analysed",
                    count=88,
                    excluded=(
                        d.Exclusion(reason="a", count=20),
                        d.Exclusion(reason="b", count="<10"),
                    ),
                ),
            )
        },
    ),
    "one clinic of the flow": (
        "participant_flow",
        {
            "by_clinic": (
                d.ClinicFlow(clinic="A", counts=(60, 50)),
                d.ClinicFlow(clinic="B", counts=(52, "<10")),
            )
        },
    ),
    "one level of an attribute": (
        "fairness",
        {
            "subgroups": (
                d.Subgroup(attribute="Sex", level="boys", participants=80),
                d.Subgroup(attribute="Sex", level="girls", participants="<10"),
            )
        },
    ),
    "one cell of the calls": (
        "performance",
        {
            "confusion": d.Confusion(tp=40, fn="<10", fp="<10", tn="suppressed"),
            "metrics": {"brier": d.Estimate(value=0.2)},
            "predictive_values": (),
        },
    ),
}


@pytest.mark.parametrize("where", FOLLOWS)
def test_no_small_count_follows_from_a_sum(where: str) -> None:
    key, update = FOLLOWS[where]
    content = changed(key, **update)
    with pytest.raises(ValidationError, match="a hidden count follows"):
        d.Report.model_validate(content)


@pytest.mark.parametrize(
    "update",
    [
        {"steps": (d.FlowStep(name="Enrolled", count=92), d.FlowStep(name="Analysed", count=88))},
        {"by_clinic": (d.ClinicFlow(clinic="A", counts=(40, 33)),)},
    ],
    ids=["all", "clinic"],
)
def test_no_small_count_follows_from_two_steps(update: dict[str, Any]) -> None:
    content = changed("participant_flow", **update)
    with pytest.raises(ValidationError, match="differ by fewer than 10"):
        d.Report.model_validate(content)


def test_scores_of_a_hidden_subgroup_do_not_leave() -> None:
    group = d.Subgroup(
        attribute="Sex", level="girls", participants="<10", metrics={"auc": d.Estimate(value=0.9)}
    )
    other = group.model_copy(update={"level": "boys", "metrics": {}})
    with pytest.raises(ValidationError, match="scores of people whose count is hidden"):
        d.Report.model_validate(changed("fairness", subgroups=(group, other)))
    assert d.Report.model_validate(changed("fairness", subgroups=(other, other)))


def test_exact_rates_do_not_give_a_hidden_count_away() -> None:
    calls = d.Confusion(tp="suppressed", fn="<10", fp="<10", tn="suppressed")
    content = changed("performance", confusion=calls)
    with pytest.raises(ValidationError, match=r"sensitivity.*predictive_values would give it away"):
        d.Report.model_validate(content)
    bare = {"metrics": {"brier": d.Estimate(value=0.2)}, "predictive_values": ()}
    assert d.Report.model_validate(changed("performance", confusion=calls, **bare))


def test_noised_counts_of_a_federation_may_hide_one_cell() -> None:
    calls = d.Confusion(tp=40.3, fn="<10", fp=12.1, tn=27.4)
    assert d.Report.model_validate(changed("performance", confusion=calls) | {"kind": "federated"})


def test_a_refusal_names_no_count() -> None:
    with pytest.raises(ValidationError) as refused:
        d.Report.model_validate(
            changed("performance", confusion=d.Confusion(tp=43, fn=6, fp=12, tn=27))
        )
    message = refused.value.errors(include_input=False)[0]["msg"]
    assert "performance.confusion.fn" in message
    assert "6" not in message


def test_a_report_that_stays_may_show_everything() -> None:
    assert complete_report("clinic").data.clinics[3].asd == 4
