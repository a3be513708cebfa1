import json
import warnings

import pytest
from deployed import MAP, FlakyJournal
from typer.testing import CliRunner

from shared.errors import FedaffectError, InputError
from shared.privacy.accountant import mu_of
from shared.privacy.grid import GRID
from shared.study import load_study

with warnings.catch_warnings():
    # typer 0.20 takes two names from click that newer versions of click call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from server.cli import app


@pytest.fixture
def run(capsys):
    """Call the command; return exit code and what was printed, or the error a person would read."""

    def call(*arguments):
        result = CliRunner().invoke(app, [*map(str, arguments)])
        printed = capsys.readouterr().out + result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            assert isinstance(result.exception, FedaffectError), result.exception
            return result.exception, printed
        return result.exit_code, printed

    return call


def test_plan_shows_the_promise_in_words_and_every_exchange(run):
    code, printed = run("plan", "--participants", 88, "--clinics", 4, "--epsilon", 4)
    assert code == 0
    assert "over 4 clinics, 88 participants declared" in printed
    assert "Together (4, 1e-05)-differentially private" in printed
    assert printed.count("gradient ") >= 4
    assert "8.0 %" in printed  # of the threshold
    assert "units of what one participant can change" in printed


def test_plan_as_json_gives_the_noise_of_every_release(run):
    code, printed = run("plan", "--rounds", 1, "--evaluation-bins", 2, "--json")
    assert code == 0
    content = json.loads(printed)
    assert [release["kind"] for release in content["releases"]] == [
        "gradient",
        "threshold",
        "evaluation",
    ]
    spent = sum(release["sigma"] ** -2 for release in content["releases"])
    assert spent == pytest.approx(content["mu"] ** 2)
    for release in content["releases"]:
        # Three of four clinics do not collude.
        assert release["share_sd"] ** 2 * 3 == pytest.approx(release["sigma"] ** 2, rel=1e-9)


def test_plan_tells_what_an_evaluation_would_take_and_tell(run):
    code, printed = run("plan", "--participants", 264, "--evaluation-bins", 4)
    assert code == 0
    assert "one of counts by label and 4 score bins" in printed
    assert "sensitivity and specificity to about ±0.10" in printed
    assert "4 (asked)" in printed
    assert "without it sensitivity and specificity have ±0.07" in printed
    _, content = run("plan", "--participants", 264, "--json")
    offered = json.loads(content)["evaluations"]
    assert [row["bins"] for row in offered] == [2, 4, 6, 8]
    assert [row["share"] for row in offered[:2]] == [0.1, 0.1]
    assert json.loads(content)["sigma_evaluation"] is None
    # Three of four clinics do not collude, so there is a little more noise than planned.
    assert offered[0]["noise_sd"] ** 2 == pytest.approx(4 / 3 * 10 / mu_of(4.0, 1e-5) ** 2)


def test_local_noise_makes_the_evaluation_less_precise(run, deployed):
    rates = {}
    for mode in ("secure-sum", "local"):
        path = deployed.write(deployed.study(mode=mode))
        rates[mode] = json.loads(run("plan", path, "--json")[1])["evaluations"][0]["noise_sd"]
    assert rates["local"] ** 2 == pytest.approx(2 * rates["secure-sum"] ** 2, rel=1e-6)


def test_another_number_of_bins_is_told(run):
    error, _ = run("plan", "--evaluation-bins", 3)
    assert "evaluation_bins" in str(error)


def test_plan_of_a_study_file_is_the_one_the_clinics_derive(run, deployed):
    study = deployed.study()
    code, printed = run("plan", deployed.write(study), "--json")
    assert code == 0
    plan = study.plan(MAP)
    content = json.loads(printed)
    assert content["sigma_gradient"] == plan.sigma_gradient
    assert content["releases"][0]["share_sd"] == study.share(plan.sigma_gradient) ** 0.5 / GRID


def test_a_promise_that_cannot_be_planned_is_told(run):
    error, _ = run("plan", "--participants", 88, "--delta", 0.02)
    assert "1/88" in str(error)


@pytest.mark.parametrize(
    "options", [("--clinics", 3, "--collusion-margin", 3), ("--delta", 2), ("--epsilon", "inf")]
)
def test_numbers_that_make_no_study_are_told(run, options):
    error, _ = run("plan", *options)
    assert isinstance(error, FedaffectError)


def test_successor_writes_the_study_that_goes_on(run, deployed):
    study = deployed.approved(rounds=3)
    path = deployed.write(study)
    with pytest.raises(InterruptedError):
        deployed.train(study, journal=FlakyJournal(deployed.rounds, ("after the answers", 1)))
    out = deployed.base / "server" / "next" / "study.toml"
    options = ("--without", "Cedar", "--participants", 12, "--out", out)
    code, printed = run("successor", path, *options)
    assert code == 0
    made = load_study(out)
    assert made.digest in printed
    assert f"end {study.digest[:12]}" in printed
    assert (made.clinics, made.participants) == (("Aspen", "Birch"), 12)
    assert made.parent.spent_mu2 == pytest.approx(study.plan(MAP).sigma_gradient ** -2)
    error, _ = run("successor", path, *options)
    assert isinstance(error, InputError)
    assert "is there already" in str(error)
    assert load_study(out) == made


@pytest.mark.parametrize("command", ["plan", "successor"])
def test_help_has_an_example(run, command):
    code, printed = run(command, "--help")
    assert code == 0
    assert f"Example: fedaffect-server {command}" in " ".join(printed.split())
