"""The commands as a person types them: what they write, and what they say to a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.console import run_command
from simulations.cli import app

TABLE = ("table", "{table}", "--label", "ill", "--site", "site", "--out", "o")
REPRODUCE = ("reproduce", "--cohorts", "1", "--epsilon", "4")


def sim(*arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulations.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(80, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["ill"] = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    frame["site"] = np.repeat(["p", "q", "r", "s"], 20)
    path = tmp_path_factory.mktemp("table") / "t.csv"
    frame.to_csv(path, index=False)
    ranges = "feature,low,high\n" + "".join(f"{name},-4,4\n" for name in "abc")
    (path.parent / "ranges.csv").write_text(ranges)
    return path


def test_reproduce_writes_numbers_and_report(tmp_path):
    done = sim(*REPRODUCE, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Surrogate cohort: simulated children" in done.stdout
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["provenance"]["data"] == "surrogate"
    methods = {record["method"] for record in content["results"]}
    assert methods == {
        "poster",
        "always-positive",
        "pooled",
        "alone",
        "federated",
        "federated-dp",
        "local-dp",
    }
    values = {
        (r["method"], r["combination"], r["metric"]): r["mean"]
        for r in content["results"]
        if r["site"] is None
    }
    for combination in {r["combination"] for r in content["results"]}:
        for metric in ("f1", "sensitivity", "specificity", "auc"):
            ours = values["federated", combination, metric]
            assert ours == pytest.approx(values["pooled", combination, metric], abs=1e-9)
    page = (tmp_path / "report.html").read_text()
    assert "simulated children" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_cohort_folder_gives_what_its_series_give(tmp_path):
    made = sim("cohort", "--out", str(tmp_path / "cohort"), "--seed", "41")
    assert made.returncode == 0, made.stderr
    runs = {}
    for name, source in {
        "folder": ("--cohort-dir", str(tmp_path / "cohort"), "--seed", "41"),
        "memory": ("--seed", "41"),
    }.items():
        done = sim(*REPRODUCE, *source, "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        records = json.loads((tmp_path / name / "results.json").read_text())["results"]
        runs[name] = {
            (r["method"], r["combination"], r["site"], r["metric"]): r["mean"] for r in records
        }
    assert runs["folder"] == pytest.approx(runs["memory"], nan_ok=True)


def test_table_writes_numbers_for_every_method_and_site(table, tmp_path):
    done = sim(
        *("table", str(table), "--label", "ill", "--site", "site", "--seeds", "2"),
        *("--ranges", str(table.parent / "ranges.csv"), "--epsilon", "4,1", "--delta", "1e-4"),
        *("--out", str(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["provenance"]["data"] == "real"
    sites = {r["site"] for r in content["results"] if r["method"] == "federated-dp"}
    assert {None, "p", "q", "r", "s"} <= sites
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("reproduce", "--epsilon", "four"), "--epsilon 'four'"),
        (("reproduce", "--epsilon", "4,-1"), "--epsilon '4,-1'"),
        (("reproduce", "--delta", "0.5"), "--delta 0.5"),
        (("reproduce", "--engine", "spark"), "--engine 'spark'"),
        (("reproduce", "--combinations", "some"), "--combinations 'some'"),
        (("reproduce", "--world", "flat"), "--world 'flat'"),
        (("reproduce", "--clinics", "60"), "60 clinics"),
        (("reproduce", "--clinics", "one"), "--clinics"),
        (("reproduce", "--cohort-dir", "/nowhere"), "/nowhere"),
        (("reproduce", "--cohorts", "0"), "--cohorts"),
        (("reproduce", "--colour"), "--colour"),
        (("table", "{table}", "--label", "x", "--site", "site", "--out", "o"), "--label 'x'"),
        (
            (*TABLE, "--epsilon", "1"),
            "--ranges or --public",
        ),
        (
            (*TABLE, "--ranges", "none.csv"),
            "none.csv",
        ),
        (("table", "nothing.csv", "--label", "y", "--site", "s", "--out", "o"), "nothing.csv"),
        (("heart", "/nowhere", "--out", "o"), "processed.cleveland.data"),
        (("constants", "--out", "o", "--features", "none.parquet"), "--source"),
        (("bench", "engine", "--clinics", "1"), "--clinics '1'"),
        (("reproduce", "--out", "{table}"), "is a file"),
        (("sites", "--out", "."), "not an empty folder"),
        (("sites", "--out", "new", "--epsilon", "1000"), "--epsilon '1000.0'"),
        (("tune-baseline", "--delta", "7"), "--delta 7"),
    ],
)
def test_mistakes_are_named_with_exit_code_2(arguments, told, table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "earlier").touch()
    typed = [part.replace("{table}", str(table)) for part in arguments]
    monkeypatch.setattr(sys, "argv", ["fedaffect-sim", *typed])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    assert left.value.code == 2
    assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_mistake_shows_a_message_and_no_traceback(tmp_path):
    done = sim("reproduce", "--epsilon", "four", "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "--epsilon 'four'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "command",
    ["reproduce", "table", "heart", "cohort", "calibrate", "sites", "constants", "tune-baseline"],
)
def test_every_command_has_help_with_an_example(command):
    done = sim(command, "--help")
    assert done.returncode == 0
    assert "Example: fedaffect-sim" in " ".join(done.stdout.split())
