"""The clinic's own report: exact, about those who may still be used, and it stays there."""

import json
import stat
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from released import affect_study, linear_model, private_model, write_model
from typer.testing import CliRunner

from client.cli import app
from client.local_report import _joint, clinic_participants
from client.site_folder import create_site_folder
from client.site_participants import store_site_participants
from client.site_traces import traces_of
from shared.attributes import AttributeSeries, write_attributes
from shared.errors import InputError
from shared.evaluation import evaluate
from shared.features import write_features
from simulations.cohort.cohort import surrogate_cohort
from simulations.cohort.features import cohort_features
from simulations.cohort.folder import participant_rows

CLINIC = "Clinic of the test"


@pytest.fixture(scope="module")
def surrogate():
    cohort = surrogate_cohort(9_300_000, clinics=1, n_asd=13, n_non_asd=11)
    return SimpleNamespace(
        cohort=cohort, table=cohort_features(cohort), rows=participant_rows(cohort)
    )


@pytest.fixture
def site(surrogate, tmp_path):
    folder = create_site_folder(tmp_path / "site", CLINIC, epsilon=8.0, delta=1e-5)
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    store_site_participants(folder, surrogate.rows, recordings)
    write_features(folder.features, replace(surrogate.table, clinic=None))
    return folder


def with_attributes(folder, cohort):
    for row in cohort.analysed:
        name, values = cohort.participants[row].name, cohort.series(row)
        n, found = len(values), np.isfinite(values).all(axis=1)
        write_attributes(
            folder.attributes / f"{name}.parquet",
            AttributeSeries(
                participant=name,
                time_s=np.arange(n) / 24,
                frame=np.arange(n),
                face_found=found,
                face_confidence=found.astype(np.float32),
                box=np.where(found[:, None], np.float32([1, 1, 9, 9]), np.float32(np.nan)),
                values=values,
                provenance={"source": "surrogate"},
            ),
        )


def run(folder, *options):
    return CliRunner().invoke(app, ["report", "--site", str(folder.root), *options])


def test_report_of_one_clinic(site, surrogate, monkeypatch):
    with_attributes(site, surrogate.cohort)
    quick = evaluate.EvaluationSettings(seed=3, repeats=2, permutations=99, bootstrap=40)
    monkeypatch.setattr(evaluate, "EvaluationSettings", lambda seed: replace(quick, seed=seed))
    done = run(site, "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "must not leave" in done.output
    document = json.loads((site.report / "report.json").read_text())
    assert (document["kind"], document["leaves_clinic"]) == ("clinic", False)
    assert document["performance"]["participants"] == 24
    assert document["example"]["status"] == "local"
    assert document["software"]["seed"] == 3
    left_out = document["protocols"]["note"]
    assert "Leave one clinic out is left out" in left_out
    page = site.report / "report.html"
    assert CLINIC in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    anyone = surrogate.table.participants[0]
    assert all(name not in page.read_text() for name in surrogate.table.participants)
    assert site.report in traces_of(site, anyone)


def test_who_withdrew_is_not_in_it(site, surrogate):
    name = surrogate.table.participants[0]
    with site.ledger().locked() as book:
        book.withdraw(name)
    people = clinic_participants(site)
    assert name not in people.table.participants
    assert len(people) == 23
    (flow,) = people.flow
    assert flow.analysed == 23
    assert flow.consented == sum(row.consented for row in surrogate.rows) - 1


def test_without_features_it_says_what_to_run(site):
    site.features.unlink()
    done = run(site)
    assert isinstance(done.exception, InputError)
    assert "run `fedaffect-client features" in str(done.exception)


def test_too_few_children_are_refused(site, surrogate):
    few = surrogate.table.select(np.arange(24) < 4)
    write_features(site.features, replace(few, clinic=None))
    done = run(site)
    assert isinstance(done.exception, InputError)
    assert "at least 3 of each" in str(done.exception)


@pytest.mark.parametrize("make", [private_model, linear_model])
def test_a_joint_model_is_judged_on_children_with_all_features(site, surrogate, tmp_path, make):
    study = affect_study(("au",), method="federated" if make is linear_model else "federated-dp")
    file = write_model(tmp_path / "model.json", make(study), study)
    values = surrogate.table.values.copy()
    values[:2] = np.nan
    write_features(site.features, replace(surrogate.table, clinic=None, values=values))
    row = _joint(clinic_participants(site), file)
    assert "2 without all features are left out" in row.note
    assert set(row.metrics) == {
        "sensitivity",
        "specificity",
        "balanced_accuracy",
        "f1",
        "auc",
    }
    assert study.title in row.protocol
