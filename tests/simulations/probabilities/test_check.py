import dataclasses
import io
import json
import math
import re
import sys

import numpy as np
import pytest
import typer
from rich.console import Console
from scipy.special import expit
from typer.testing import CliRunner

from shared.console import run_command
from simulations.commands.probabilities import probabilities_command
from simulations.probabilities import check, fitting
from simulations.probabilities.check import (
    CheckProtocol,
    Found,
    check_populations,
    summarise_check,
)
from simulations.probabilities.situations import SITUATIONS, Situation
from simulations.probabilities.terminal import print_check

SMALL = CheckProtocol(
    situations=(SITUATIONS[3], Situation("share", 4, 88, asd_share=0.3)),
    populations=2,
    studies=2,
    children=6,
    recordings=2,
    half_samples=10,
    reference=120,
    pool=140,
    held_out=60,
)


def found(distort, seed, covered=0.9):
    rng = np.random.default_rng(seed)
    log_odds = 1.5 * rng.standard_normal(3000)
    asd = rng.random(3000) < expit(log_odds)
    hit = rng.random(1000) < covered
    told = np.arange(1000) % 4 == 0
    return Found(distort(log_odds), asd, hit, told, told & (np.arange(1000) % 8 == 0))


@pytest.mark.parametrize(
    ("distort", "slope", "off"),
    [
        (lambda x: x, 1.0, 0.0),
        (lambda x: 2 * x, 0.5, 0.0),
        (lambda x: x + 0.5, 1.0, -0.08),
    ],
)
def test_a_wrong_probability_is_found_out(distort, slope, off):
    protocol = dataclasses.replace(SMALL, situations=SITUATIONS[:1])
    population = [{SITUATIONS[0].name: found(distort, seed)} for seed in range(6)]
    (one,) = summarise_check(protocol, population, resamples=100)
    assert one.slope == pytest.approx(slope, abs=0.05)
    assert one.off == pytest.approx(off, abs=0.02)
    assert one.slope_low < one.slope < one.slope_high
    assert one.off_low < one.off < one.off_high


def test_coverage_is_over_children_and_its_lowest_over_populations():
    protocol = dataclasses.replace(SMALL, situations=SITUATIONS[:1])
    name = SITUATIONS[0].name
    population = [{name: found(lambda x: x, s, covered=c)} for s, c in ((0, 1.0), (1, 0.5))]
    (one,) = summarise_check(protocol, population, resamples=10)
    assert one.coverage == pytest.approx(0.75, abs=0.02)
    assert one.coverage_lowest == pytest.approx(0.5, abs=0.04)
    assert (one.told, one.told_right) == (0.25, 0.5)


def test_a_small_population_goes_the_whole_way(quick_features):
    first, second = check_populations(SMALL, 1)
    plain, other = first[SMALL.situations[0].name], first["share"]
    assert plain.log_odds.shape == plain.asd.shape == (120,)
    assert plain.covered.shape == plain.told.shape == plain.told_right.shape == (12,)
    assert other.asd.mean() == pytest.approx(0.3, abs=0.03)
    assert other.covered.size == 0
    assert not np.array_equal(plain.log_odds, second[SMALL.situations[0].name].log_odds)
    checked = summarise_check(SMALL, [first, second], resamples=20)
    assert math.isnan(checked[1].coverage)
    stream = io.StringIO()
    print_check(SMALL, checked, Console(file=stream, width=80, force_terminal=True))
    page = stream.getvalue()
    page = re.sub(r"\x1b\[[0-9;]*m", "", page)
    assert max(map(len, page.splitlines())) <= 80
    assert SMALL.situations[0].name in page
    assert "Simulated children, not patients" in " ".join(page.split())


def test_every_kind_of_situation_can_be_looked_at(quick_features):
    wanted = [s for s in SITUATIONS if s.participants == 88 and s.epsilon == 4]
    protocol = dataclasses.replace(SMALL, situations=tuple(wanted), populations=1)
    (found_,) = check_populations(protocol, 1)
    assert set(found_) == {s.name for s in wanted}
    assert found_["ε 4, 88, a new clinic's"].covered.size == 0
    assert all(np.isfinite(one.log_odds).all() for one in found_.values())


@pytest.fixture
def command(monkeypatch, quick_features):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(probabilities_command)

    def small(populations):
        return dataclasses.replace(SMALL, populations=populations)

    monkeypatch.setattr(check, "CheckProtocol", small)
    monkeypatch.setattr("simulations.reproduce.usable_cores", lambda: 1)
    return app


def test_the_command_prints_and_keeps_the_figures(command, tmp_path, monkeypatch, capsys):
    stored = tmp_path / "stored.json"
    monkeypatch.setattr("shared.privacy.expected_calibration.EXPECTED_CALIBRATION", stored)
    little = fitting.FitProtocol(
        epsilons=(4.0,),
        participants=(44,),
        combinations=(("valence",),),
        populations=2,
        reference=60,
        pool=60,
        held_out=20,
    )
    monkeypatch.setattr(fitting, "FitProtocol", lambda populations: little)
    out = tmp_path / "check.json"
    result = CliRunner().invoke(command, ["--populations", "2", "--store", "--out", str(out)])
    assert result.exit_code == 0, result.output
    printed = result.output + capsys.readouterr().out
    assert "Probabilities of held-out simulated children" in printed
    assert [row["groups"] for row in json.loads(stored.read_text())["rows"]] == ["valence"]
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [row["situation"] for row in document["checked"]] == [s.name for s in SMALL.situations]
    assert document["checked"][1]["coverage"] is None
    assert document["protocol"]["populations"] == 2


def test_a_wrong_file_is_named_before_any_work(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fedaffect-sim", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        run_command(command)
    assert left.value.code == 2
    assert "ending in .json" in " ".join(capsys.readouterr().err.split())
