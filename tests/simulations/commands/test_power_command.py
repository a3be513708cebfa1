"""``fedaffect-sim power`` and ``bench nested`` as they are typed."""

import json
import sys

import pytest
from typer.testing import CliRunner

from shared.console import run_command
from simulations.cli import app


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--cohorts", "0", "--null-cohorts", "0"), "at least one cohort"),
        (("--epsilon", "0"), "--epsilon 0"),
        (("--delta", "0.02"), "--delta 0.02"),
        (("--nested-permutations", "5"), "--nested-permutations 5"),
        (("--out", "{file}"), "is a file"),
        (("--cache", "{file}"), "is a file"),
    ],
)
def test_mistakes_are_named_before_any_work(arguments, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    typed = [part.replace("{file}", str(tmp_path / "file")) for part in arguments]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fedaffect-sim", "power", *typed])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    assert left.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_small_run_writes_its_numbers_and_keeps_features(tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    typed = ["--cohorts", "0", "--null-cohorts", "1", "--nested-permutations", "0"]
    more = ["--permutations", "19", "--processes", "1", "--cache", str(cache), "--out", str(out)]
    done = CliRunner().invoke(app, ["power", *typed, *more])
    assert done.exit_code == 0, done.output
    said = json.loads((out / "power.json").read_text())
    assert [world["world"] for world in said["worlds"]] == ["none"]
    assert said["protocol"]["effect_seeds"] is None
    assert [path.suffix for path in cache.iterdir()] == [".parquet"]
    assert "9000000 to 9000000" in " ".join(done.output.split())


def test_nested_bench_says_what_is_included():
    done = CliRunner().invoke(app, ["bench", "nested", "--cohorts", "1", "--processes", "1"])
    assert done.exit_code == 0, done.output
    assert "features" in done.output
    assert "3,900 logistic regressions" in " ".join(done.output.split())
