import os
import stat
import warnings

import numpy as np
import pytest
from deployed import gradient, table_of
from typer.testing import CliRunner

from client.site_folder import SiteFolder
from shared.errors import BudgetError, FedaffectError, InputError, PrivacyError
from shared.features import write_features
from shared.privacy.masks import fingerprint

with warnings.catch_warnings():
    # typer 0.20 takes two names from click that newer versions of click call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from client.cli import app

ASPEN = "Aspen"


@pytest.fixture
def run(capsys):
    """Call the command; return exit code and what was printed, or the error a person would read."""

    def call(*arguments, answer=None):
        result = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
        printed = capsys.readouterr().out + result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            assert isinstance(result.exception, FedaffectError), result.exception
            return result.exception, printed
        return result.exit_code, printed

    return call


def test_init_makes_a_site_and_mask_key_prints_its_key_again(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    site = tmp_path / "site"
    code, printed = run("init", site, "--name", "Clinic North", "--epsilon", "3")
    assert code == 0
    key = SiteFolder(site).mask_key()
    assert "Site folder of Clinic North" in printed
    assert key.public in printed
    assert fingerprint(key.public) in printed
    assert key.to_bytes().hex() not in printed
    assert SiteFolder(site).noise_secret().hex() not in printed
    assert SiteFolder(site).policy().epsilon == 3
    if os.name == "posix":
        assert stat.S_IMODE(site.stat().st_mode) == 0o700
        assert stat.S_IMODE((site / "secrets" / "mask.key").stat().st_mode) == 0o600
    code, again = run("mask-key", "--site", site)
    assert code == 0
    assert key.public in again
    assert fingerprint(key.public) in again


def test_init_overwrites_nothing(run, deployed):
    root = deployed.site(ASPEN).root
    key = deployed.site(ASPEN).mask_key()
    error, _ = run("init", root, "--name", "Other")
    assert isinstance(error, InputError)
    assert "is not an empty folder" in str(error)
    assert deployed.site(ASPEN).mask_key() == key


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "{new}"),
        ("init", "{new}", "--name", "N", "--epsilon", "0"),
        ("init", "{new}", "--name", "N", "--epsilon", "many"),
    ],
)
def test_init_with_wrong_options_makes_nothing(run, tmp_path, arguments):
    new = tmp_path / "new"
    code, _ = run(*(part.format(new=new) for part in arguments))
    assert code == 2
    assert not new.exists()


def test_mask_key_of_no_site_is_told(run, tmp_path):
    error, _ = run("mask-key", "--site", tmp_path)
    assert isinstance(error, InputError)
    assert "mask.key is missing" in str(error)


@pytest.fixture
def study(deployed):
    study = deployed.study()
    deployed.write(study)
    return study


def approve(run, deployed, study, *options, answer=None):
    path = deployed.write(study)
    return run("approve", path, "--site", deployed.site(ASPEN).root, *options, answer=answer)


def is_open(deployed, study):
    studies = deployed.at(ASPEN, lambda book: dict(book.studies))
    return study.digest in studies and not studies[study.digest].closed


def test_approve_shows_the_study_asks_and_opens_it(run, deployed, study):
    code, printed = approve(run, deployed, study, answer="y\n")
    assert code == 0
    assert study.digest in printed
    assert "Approve this study?" in printed
    assert "Approved." in printed
    for clinic in study.roster:
        assert fingerprint(clinic.mask_key) in printed
    assert is_open(deployed, study)


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_approved(run, deployed, study, answer):
    code, printed = approve(run, deployed, study, answer=answer)
    assert code == 1
    assert study.digest in printed
    assert deployed.events() == ["ledger.created"]
    assert not deployed.site(ASPEN).study(study.digest).exists()


def test_scripts_approve_with_yes_once(run, deployed, study):
    code, printed = approve(run, deployed, study, "--yes")
    assert code == 0
    assert "Approve this study?" not in printed
    error, _ = approve(run, deployed, study, "--yes")
    assert isinstance(error, PrivacyError)
    assert "was approved here before" in str(error)
    assert deployed.events().count("study.opened") == 1


def test_children_without_budget_are_left_out_when_asked(run, deployed):
    site = deployed.site(ASPEN)
    whole = table_of(ASPEN)
    write_features(site.features, whole.select(np.arange(6) < 1))
    assert approve(run, deployed, deployed.study(title="a", epsilon=7.9), "--yes")[0] == 0
    write_features(site.features, whole)
    study = deployed.study()
    error, _ = approve(run, deployed, study, "--yes")
    assert isinstance(error, BudgetError)
    assert error.exit_code == 3
    assert "--exclude-spent" in str(error)
    code, printed = approve(run, deployed, study, "--yes", "--exclude-spent")
    assert code == 0
    assert "left out: 1 (Aspen-child-0 (budget spent))" in printed


def test_features_and_constants_can_be_named(run, deployed, study, tmp_path):
    other = tmp_path / "other.parquet"
    write_features(other, table_of(ASPEN, 2))
    code, printed = approve(run, deployed, study, "--yes", "--features", other)
    assert code == 0
    assert "2 participants take part" in printed
    error, _ = approve(run, deployed, study, "--yes", "--constants", tmp_path / "none.json")
    assert "no public constants" in str(error)


def test_a_file_that_is_no_study_is_told(run, deployed, tmp_path):
    site = deployed.site(ASPEN).root
    error, _ = run("approve", tmp_path / "none.toml", "--site", site)
    assert "no study at" in str(error)
    error, _ = run("approve", site / "site.toml", "--site", site)
    assert "site.toml: " in str(error)


def test_end_closes_an_open_study_by_the_first_digits_of_its_hash(run, deployed, study):
    deployed.approve(study)
    deployed.ask(study, gradient(study))
    site = deployed.site(ASPEN).root
    code, printed = run("end", study.digest[:8].upper(), "--site", site, answer="y\n")
    assert code == 0
    assert "This cannot be undone" in printed
    assert f"Ended. Study {study.digest}" in printed
    assert not is_open(deployed, study)
    # Rounds never created return to the budget; the one that was stays spent.
    spent = deployed.at(ASPEN, lambda book: book.spent(f"{ASPEN}-child-0"))
    assert spent == pytest.approx(deployed.opened(study).plan.sigma_gradient ** -2)
    error, _ = run("end", study.digest, "--site", site, "--yes")
    assert "0 open studies" in str(error)


def test_end_without_a_yes_ends_nothing(run, deployed, study):
    deployed.approve(study)
    code, _ = run("end", study.digest, "--site", deployed.site(ASPEN).root, answer="n\n")
    assert code == 1
    assert is_open(deployed, study)


@pytest.mark.parametrize("given", ["", "abc", "{short}", "{other}"])
def test_end_needs_digits_that_name_one_open_study(run, deployed, study, given):
    deployed.approve(study)
    other = ("0" if study.digest[0] != "0" else "1") * 8
    asked = given.format(short=study.digest[:7], other=other)
    error, _ = run("end", asked, "--site", deployed.site(ASPEN).root, "--yes")
    assert isinstance(error, InputError)
    assert "ledger status" in str(error)
    assert is_open(deployed, study)


@pytest.mark.parametrize("command", ["init", "mask-key", "approve", "end"])
def test_help_has_an_example(run, command):
    code, printed = run(command, "--help")
    assert code == 0
    assert f"Example: fedaffect-client {command}" in " ".join(printed.split())
