"""Reports of federated studies: what they may say, and what stands instead of what they may not."""

import functools
import json
import math
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from deployed import MAP, FlakyJournal
from hypothesis import given, settings
from hypothesis import strategies as st
from released import affect_study, linear_model, private_model, write_model
from typer.testing import CliRunner

from server.journal import FolderJournal, NoJournal
from server.report import assemble_report
from server.report.results import results
from shared.errors import FedaffectError, InputError
from shared.evaluation.noised_counts import NoisedCounts
from shared.files import write_atomic
from shared.model_file import model_file_text
from shared.privacy.evaluation_counts import counts_by_label
from shared.privacy.grid import GRID
from shared.report.document import HIDDEN, SECTIONS, SMALL_CELL, read_report
from shared.report.page import write_report

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from server.cli import app

NOW = datetime(2026, 3, 1, tzinfo=UTC)
# By label, from the highest scores to the lowest.
LARGE = (60.2, 40.1, 35.0, 22.4, 12.0, 11.3, 8.1, 5.2, 6.3, 9.0, 11.1, 14.8, 25.0, 33.7, 41.2, 50.0)


def report_of(folder, counts=None, journal=None, **changes):
    bins = len(counts) // 2 if counts else 0
    study = affect_study(evaluation_bins=bins, **changes)
    file = write_model(folder / "model.json", private_model(study, evaluation_counts=counts), study)
    return assemble_report(file, journal or NoJournal(), created=NOW, written_by="test")


def test_a_study_without_evaluation_says_for_every_section_why_not_or_what(tmp_path):
    report = report_of(tmp_path)
    assert (report.kind, report.leaves_clinic, report.created) == ("federated", True, NOW)
    status = {key: report.section(key).status for key in SECTIONS}
    assert set(status.values()) == {"released", "not_released"}
    withheld = {key for key, value in status.items() if value == "not_released"}
    assert withheld == {
        *("participant_flow", "performance", "roc", "calibration", "decision_curve", "protocols"),
        *("combinations", "group_differences", "example", "uncertainty", "fairness", "baselines"),
    }
    for key in withheld - {"example", "group_differences"}:
        assert 0 < report.section(key).cost_mu < 10
    # The rounds are not there, and with them the section would be.
    assert report.group_differences.cost_mu is None
    assert "no further cost" in report.group_differences.note
    assert report.example.cost_mu is None  # no price makes one child's recording private
    plan = affect_study().plan(write_model(tmp_path / "m.json").feature_map)
    assert report.performance.cost_mu == pytest.approx(plan.mu * math.sqrt(0.1))
    assert report.protocols.cost_mu == pytest.approx(2 * plan.mu)


def test_counts_become_figures_whose_intervals_hold_the_noise(tmp_path):
    report = report_of(tmp_path, LARGE, participants=390)
    study = affect_study(evaluation_bins=8, participants=390)
    plan = study.plan(write_model(tmp_path / "m.json", study=study).feature_map)
    performance = report.performance
    assert (performance.confusion.tp, performance.confusion.fn) == (157.7, 36.6)
    assert performance.metrics["sensitivity"].value == pytest.approx(157.7 / 194.3, abs=1e-4)
    # Four clinics, one may collude: a third more than planned; four bins on each side.
    variance = 4 * 4 / 3 * plan.sigma_evaluation**2
    sampling = 0.81 * 0.19 / 194.3
    noise = variance * (0.81**2 + 0.19**2) / 194.3**2
    found = performance.metrics["sensitivity"]
    reach = 1.96 * math.sqrt(sampling + noise)
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.05)
    assert noise > sampling / 2  # so that an interval without it would be seen
    assert "noise" in found.method
    assert f"{math.sqrt(4 / 3) * plan.sigma_evaluation:.1f} participants" in performance.note
    assert [row.prevalence for row in performance.predictive_values] == [0.02, 0.1, 0.3, 0.5]
    assert report.roc.auc.value == pytest.approx(0.855, abs=0.005)
    assert report.roc.threshold_sensitivity == found.value
    groups = report.calibration.groups
    assert sum(group.participants for group in groups) == pytest.approx(sum(LARGE), abs=0.5)
    predicted = [group.predicted for group in groups]
    assert predicted == sorted(predicted)
    assert predicted[0] < 0.3 < 0.7 < predicted[-1]
    assert report.sample_size.attainable[0].expected.low < 0.7


def test_where_everyone_is_scored_decides_what_the_report_says_of_it(tmp_path):
    assert "trained on" in report_of(tmp_path, LARGE).performance.evaluated_on
    assert any("trained on" in item for item in report_of(tmp_path, LARGE).limits.items)
    one_round = report_of(tmp_path, LARGE, rounds=1)
    assert "Leave-one-out" in one_round.performance.evaluated_on
    assert not any("trained on" in item for item in one_round.limits.items)


def test_two_bins_give_no_curve_and_say_what_it_would_cost(tmp_path):
    report = report_of(tmp_path, (30.0, 15.0, 11.0, 28.0))
    assert report.performance.confusion.fp == 11
    for section in (report.roc, report.calibration):
        assert section.status == "not_released"
        assert section.cost_mu > 0.2
        assert "at least 4 score bins" in section.note


def test_a_small_count_hides_all_of_them(tmp_path):
    report = report_of(tmp_path, (30.0, 9.9, 11.0, 28.0))
    performance = report.performance
    assert set(performance.confusion.model_dump().values()) == {HIDDEN}
    assert performance.participants == HIDDEN
    # Accuracy, F1 and predictive values as counted give the mix of labels away.
    assert set(performance.metrics) == {"sensitivity", "specificity", "balanced_accuracy"}
    assert performance.metrics["sensitivity"].value == 0.8
    four = report_of(tmp_path, (20.0, 10.0, 4.0, 2.0, 5.0, 6.0, 11.0, 17.0))
    assert four.roc.auc is not None
    assert four.roc.sensitivity == ()
    assert four.calibration.status == "not_released"


noised = st.sampled_from([2, 4, 6, 8]).flatmap(
    lambda bins: st.lists(
        st.integers(-9 * GRID, 45 * GRID).map(lambda steps: steps / GRID),
        min_size=2 * bins,
        max_size=2 * bins,
    )
)


@functools.cache
def study_file(bins, folder):
    """Everything of a study but its counts."""
    study = affect_study(evaluation_bins=bins, participants=200)
    file = write_model(folder / f"{bins}.json", private_model(study), study)
    return file, study.plan(file.feature_map)


@settings(max_examples=100)
@given(counts=noised)
def test_no_count_below_ten_shows_or_follows_from_what_shows(tmp_path_factory, counts):
    """Whoever solves all linear relations between counts that show, learns no small one.

    Noised counts are real numbers, so a relation leaves a count open unless it fixes it.
    """
    bins = len(counts) // 2
    file, plan = study_file(bins, tmp_path_factory.getbasetemp())
    performance, roc, calibration = results(file, plan, tuple(counts))
    table = counts_by_label(counts)
    groups = NoisedCounts(table, 1.0).shown()
    shown = list(performance.confusion.model_dump().values())
    if groups is None:
        assert shown == [HIDDEN] * 4
        assert performance.participants == HIDDEN
        assert calibration.status == "not_released"
        assert roc.sensitivity == ()
        # Rates alone: ten times as many participants with the same rates would show the same.
        assert set(performance.metrics) == {"sensitivity", "specificity", "balanced_accuracy"}
        for figure in performance.metrics.values():
            for value in (figure.value, figure.low, figure.high):
                assert value is None or value == round(value, 2)
        return
    # Every count and total that shows, as a sum of cells; shares and sizes give each group's two.
    ends = [(group.first, group.last) for group in groups]
    known = [np.ones((2, bins))]
    for label in (0, 1):
        for first, last in [(0, bins // 2 - 1), (bins // 2, bins - 1), *ends]:
            known.append(np.zeros((2, bins)))
            known[-1][label, first : last + 1] = 1
    for row in known:
        assert (row * table).sum() >= SMALL_CELL - 1e-9
    equations = np.array(known).reshape(len(known), -1)
    for cell, count in zip(np.eye(2 * bins), table.ravel(), strict=True):
        solved, *_ = np.linalg.lstsq(equations.T, cell, rcond=None)
        fixed = np.allclose(equations.T @ solved, cell, atol=1e-8)
        assert count >= SMALL_CELL or not fixed
    if calibration.groups:
        sizes = [group.participants for group in calibration.groups]
        assert sizes == [round(group.participants, 1) for group in groups]
    assert [value for value in shown if value < SMALL_CELL] == []


def test_the_page_is_made_of_it(tmp_path):
    for counts in (LARGE, None, (30.0, 9.9, 11.0, 28.0)):
        data, page = write_report(tmp_path, report_of(tmp_path, counts))
        assert read_report(data) == report_of(tmp_path, counts)
        assert "not released" in page.read_text()


def test_only_private_studies_have_one(tmp_path):
    study = affect_study(method="federated")
    file = write_model(tmp_path / "m.json", linear_model(study), study)
    with pytest.raises(InputError, match="is for federated-dp"):
        assemble_report(file, NoJournal(), created=NOW, written_by="test")


def test_a_successor_states_what_its_parents_spent(tmp_path):
    weights = private_model(affect_study()).direction
    parent = {"study": "a" * 64, "spent_mu2": 0.3, "weights": weights}
    report = report_of(tmp_path, parent=parent)
    assert report.privacy.spent_mu == pytest.approx(report.privacy.mu)
    assert any(fact.name == "Continues" for fact in report.federation.facts)
    assert report.group_differences.status == "not_released"
    assert report.group_differences.cost_mu > 0
    assert "went on from an earlier one" in report.group_differences.note


# With a training behind it


@pytest.fixture
def trained(deployed):
    """A trained study with its rounds and its model beside the study file."""
    study = deployed.approved(evaluation_bins=4)
    path = deployed.write(study)
    model = deployed.train(study)
    target = path.with_name(f"model-{study.digest[:12]}.json")
    write_atomic(target, model_file_text(model, study, MAP.constants, "test"))
    return deployed, study, path, target


def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if isinstance(result.exception, FedaffectError):
        return result.exception
    assert result.exit_code == 0, result.exception
    return result.output


def test_the_command_reports_a_trained_study_and_its_exchanges(trained, tmp_path):
    _, study, path, _ = trained
    run("report", path, "--out", tmp_path / "out")
    report = read_report(tmp_path / "out" / "report.json")
    assert (tmp_path / "out" / "report.html").is_file()
    assert [line.purpose for line in report.federation.rounds] == [
        *("noised sum of gradients",) * 2,
        "noised sum for the threshold",
        "noised counts by label and score",
    ]
    assert {(line.answered, line.asked) for line in report.federation.rounds} == {(3, 3)}
    assert sum(line.mu**2 for line in report.federation.rounds) == pytest.approx(
        report.privacy.spent_mu**2, rel=1e-4
    )
    assert report.federation.clinics == study.clinics
    assert any(fact.name == "Checked" for fact in report.federation.facts)
    assert report.group_differences.status == "released"
    text = json.dumps(report.model_dump(mode="json"))
    assert "child" in text
    assert "child-0" not in text  # no pseudonym


def test_a_model_of_other_answers_is_not_reported(trained, tmp_path):
    _, study, path, target = trained
    content = json.loads(target.read_text())["content"]["model"]
    other = private_model(study, evaluation_counts=tuple(content["evaluation_counts"]))
    write_atomic(target, model_file_text(other, study, MAP.constants, "test"))
    assert "does not follow from the kept rounds" in str(run("report", path, "--out", tmp_path))


def test_missing_rounds_are_told(trained, tmp_path):
    deployed, study, path, _ = trained
    (kept,) = deployed.rounds.glob(f"{study.digest[:16]}/round-0003-answers*")
    kept.unlink()
    error = run("report", path, "--out", tmp_path)
    assert "exchange 3 of 4 (threshold)" in str(error)
    for one in deployed.rounds.glob(f"{study.digest[:16]}/*"):
        one.unlink()
    run("report", path, "--out", tmp_path)
    assert read_report(tmp_path / "report.json").federation.rounds == ()


def test_a_model_that_is_not_there_or_another_studys_is_told(deployed, tmp_path):
    study = deployed.study()
    path = deployed.write(study)
    assert "finish the training first" in str(run("report", path, "--out", tmp_path))
    other = affect_study()
    model = write_model(tmp_path / "other.json", private_model(other), other)
    error = run("report", path, "--out", tmp_path, "--model", tmp_path / "other.json")
    assert model.study.digest[:12] in str(error)
    assert "another study" in str(error)


def test_an_unfinished_training_has_no_report(deployed, tmp_path):
    study = deployed.approved()
    path = deployed.write(study)
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, ("after the answers", 1)))
    assert isinstance(run("report", path, "--out", tmp_path), InputError)
    model = write_model(tmp_path / "m.json", private_model(study), study)
    with pytest.raises(InputError, match="exchange 2 of 3"):
        assemble_report(model, FolderJournal(deployed.rounds), created=NOW, written_by="test")
