"""``fedaffect-sim compare`` and ``bench stacked`` as they are typed."""

import json
import sys

import pytest
from typer.testing import CliRunner

from shared.console import run_command
from shared.privacy import expected_loss
from simulations.cli import app


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--participants", "88,88"), "--participants '88,88'"),
        (("--participants", "20"), "at least 40"),
        (("--participants", "many"), "--participants 'many'"),
        (("--constants", "left"), "--constants 'left'"),
        (("--epsilon", "0"), "--epsilon '0'"),
        (("--delta", "0.002"), "--delta 0.002"),
        (("--out", "{file}"), "is a file"),
        (("--store", "--constants", "pilot"), "add right"),
    ],
)
def test_mistakes_are_named_before_any_work(arguments, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    typed = [part.replace("{file}", str(tmp_path / "file")) for part in arguments]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fedaffect-sim", "compare", *typed])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    assert left.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_small_run_writes_its_files_and_stores_losses(tmp_path, monkeypatch):
    stored = tmp_path / "expected_loss.json"
    monkeypatch.setattr(expected_loss, "EXPECTED_LOSS", stored)
    out = tmp_path / "out"
    typed = ["--participants", "44", "--cohorts", "1", "--draws", "1", "--epsilon", "4,8"]
    done = CliRunner().invoke(
        app, ["compare", *typed, "--constants", "right", "--store", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "results.json"]
    assert {row["epsilon"] for row in json.loads(stored.read_text())["losses"]} == {4.0, 8.0}
    assert "Secure sum (default)" in done.output


def test_stacked_bench_names_its_numbers():
    done = CliRunner().invoke(app, ["bench", "stacked", "--participants", "20", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    assert "from one release" in done.output
    assert "Opacus (extrapolated)" in done.output
