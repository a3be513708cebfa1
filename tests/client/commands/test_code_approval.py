import warnings

import pytest
from signed_bundles import bundle_file, sign_beside
from typer.testing import CliRunner

from client.code_approval import approved_code, trust_file
from client.site_folder import create_site_folder
from shared.errors import FedaffectError, InputError
from shared.signing import fitting
from shared.signing.bundle import read_bundle
from shared.signing.reviewer_key import ReviewerKey

with warnings.catch_warnings():
    # typer 0.20 takes two names from click that newer versions of click call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from client.cli import app

KEY = ReviewerKey.generate("A. [red]Lind")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A site, a signed bundle, and the reviewer's file."""
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    installed = {"fedaffect": "0.1.0", "flwr": "1.41.0"}
    monkeypatch.setattr(fitting, "version", installed.__getitem__)
    create_site_folder(tmp_path / "site", "North")
    KEY.write(tmp_path / "r")
    path = bundle_file(tmp_path / "b")
    sign_beside(path, read_bundle(path), KEY)
    return tmp_path


@pytest.fixture
def run(capsys, place):
    def call(*more, answer=None):
        arguments = ["approve-code", place / "b" / "program.fab", "--site", place / "site", *more]
        result = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
        printed = capsys.readouterr().out + result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            assert isinstance(result.exception, FedaffectError), result.exception
            return result.exception, printed
        return result.exit_code, printed

    return call


def test_it_shows_asks_and_records(run, place):
    known = ("--reviewer", place / "r" / "reviewer.yaml")
    code, printed = run(*known, answer="n\n")
    assert code == 1
    assert approved_code(place / "site") is None
    assert not trust_file(place / "site").exists()
    code, printed = run(*known, answer="y\nK. Berg\n")
    assert code == 0
    assert KEY.reviewer.fingerprint in printed
    assert "A. [red]Lind" in printed
    assert "Let this program run beside this clinic's data?" in printed
    assert "Approved by K. Berg" in printed
    assert approved_code(place / "site").approved_by == "K. Berg"
    assert trust_file(place / "site").exists()


def test_a_script_gives_a_name_and_is_not_asked(run, place):
    known = ("--reviewer", place / "r" / "reviewer.yaml")
    error, _ = run(*known, "--yes")
    assert isinstance(error, InputError)
    assert "--by" in str(error)
    assert run(*known, "--yes", "--by", "a script of K. Berg")[0] == 0
    assert approved_code(place / "site").approved_by == "a script of K. Berg"


def test_a_refusal_is_an_error_and_writes_nothing(run, place):
    error, _ = run("--yes", "--by", "K. Berg")
    assert isinstance(error, InputError)
    assert "does not know" in str(error)
    assert not (place / "site" / "code").exists()


def test_a_signature_from_elsewhere_is_taken(run, place):
    (beside,) = (place / "b").glob("*.signature.json")
    elsewhere = beside.rename(place / "mailed.json")
    known = ("--reviewer", place / "r" / "reviewer.yaml", "--yes", "--by", "K")
    assert "is not signed" in str(run(*known)[0])
    assert run(*known, "--signature", elsewhere)[0] == 0
