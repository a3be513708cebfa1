import io
import json
import sys
import warnings

import pytest
from ledger_cases import LIMIT, Site, digest

from client.ledger.files import contributions_folder


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = Site(tmp_path)
    monkeypatch.setenv("FEDAFFECT_STATE", str(site.state))
    site.create()
    (site.folder / "site.toml").write_text(
        '[site]\nname = "north"\n[privacy]\nepsilon = 4.0\ndelta = 1e-5\n'
    )
    site.approve()
    site.contribute(1)
    return site


@pytest.fixture
def run(monkeypatch, capsys, site):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from client.cli import main

    def call(*arguments, place=True):
        where = ["--site", str(site.folder)] if place else []
        words = ["fedaffect-client", *map(str, arguments), *where]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, printed.out, " ".join(printed.err.split())

    return call


def test_status_shows_what_each_child_has_left(run, site):
    code, printed, _ = run("ledger", "status")
    assert code == 0
    assert f"clinic north: 3 events, head {site.head()}" in " ".join(printed.split())
    assert "most spent: mu 0.507, epsilon 2.02" in " ".join(printed.split())
    assert "1 of 5 rounds created" in " ".join(printed.split())
    assert "P02: spent mu 0.507, epsilon 2.02, left mu 0.774, epsilon 3.26" in printed
    code, printed, _ = run("ledger", "status", "--json")
    assert code == 0
    status = json.loads(printed)
    assert status["head"] == site.head()
    assert status["limit"]["mu"] == LIMIT.mu
    assert status["studies"][0]["rounds_planned"] == 5
    assert status["participants"]["P01"]["spent"]["mu"] ** 2 == pytest.approx(site.spent())
    assert status["largest_spent"] == status["participants"]["P01"]["spent"]


def test_verify_says_in_order_or_what_is_wrong(run, site):
    code, printed, _ = run("ledger", "verify")
    assert code == 0
    assert f"in order: 3 events, head {site.head()}" in " ".join(printed.split())
    code, printed, _ = run("ledger", "verify", "--json")
    assert json.loads(printed) == {"events": 3, "head": site.head()}
    site.ledger_file.write_bytes(site.ledger_file.read_bytes().replace(b"P02", b"P05"))
    code, _, error = run("ledger", "verify")
    assert code == 3
    assert "line 3: it does not continue the line before it" in error


def test_export_repair_restore_and_adopt(run, site, monkeypatch):
    export = site.base / "export.jsonl"
    assert run("ledger", "export", export)[0] == 0
    code, _, error = run("ledger", "export", export)
    assert code == 2
    assert "exists" in error
    assert "nothing to repair" in run("ledger", "repair")[1]

    with site.ledger_file.open("ab") as stream:
        stream.write(b'{"event"')
    code, printed, _ = run("ledger", "repair")
    assert code == 0
    assert "repaired: 4 events" in printed
    assert "cut off is kept in" in printed

    older, export = export, site.base / "newer.jsonl"
    run("ledger", "export", export)
    head = site.head()
    site.ledger_file.unlink()
    code, _, error = run("ledger", "restore", older)
    assert code == 3
    assert "export is older than this computer remembers" in error
    code, printed, _ = run("ledger", "restore", export)
    assert code == 0
    assert "restored: 5 events" in printed

    site.counter_file.unlink()
    assert run("ledger", "verify")[0] == 3
    assert run("ledger", "adopt", "--head", "none")[0] == 3
    monkeypatch.setattr("typer.prompt", lambda text: head)
    code, printed, _ = run("ledger", "adopt")
    assert code == 0
    assert f"adopted on this computer, head {site.head()}" in " ".join(printed.split())


def test_a_ledger_restored_on_a_new_computer_asks_to_be_adopted(run, site):
    export = site.base / "export.jsonl"
    run("ledger", "export", export)
    site.ledger_file.unlink()
    site.counter_file.unlink()
    code, printed, _ = run("ledger", "restore", export)
    assert code == 0
    assert "cannot be used yet" in " ".join(printed.split())


def test_a_withdrawal_asks_and_deletes_and_lists_models(run, site, monkeypatch):
    with site.open().locked() as book:
        book.record_model(digest("study"), digest("model"))
    asked = []
    monkeypatch.setattr("typer.confirm", lambda text, abort: asked.append(text))
    code, printed, _ = run("withdraw", "P02")
    assert code == 0
    assert asked == ["Withdraw P02 for good?"]
    words = " ".join(printed.split())
    assert "P02 is in 'study', which this clinic leaves for good" in words
    assert "1 running studies ended, 1 stored contributions deleted" in words
    assert digest("model") in words
    assert list(contributions_folder(site.folder, digest("study")).iterdir()) == []
    code, printed, _ = run("withdraw", "P02", "--yes", "--json")
    assert code == 0
    again = json.loads(printed)
    assert (again["recorded_now"], again["contributions_deleted"]) == (False, 0)
    assert again["lineage"][0]["models"] == [digest("model")]
    assert "P02 (withdrawn): spent" in run("ledger", "status")[1]


def test_a_withdrawal_without_an_answer_does_nothing(run, site, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    before = site.ledger_file.read_bytes()
    assert run("withdraw", "P02")[0] == 1
    assert site.ledger_file.read_bytes() == before


def test_a_child_of_no_study_is_told_apart_from_a_slip(run):
    printed = run("withdraw", "P2", "--yes")[1]
    assert "in no study of this ledger" in printed
    site_without_release = run("withdraw", "P01", "--yes")[1]
    assert "no model is recorded here" in " ".join(site_without_release.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ledger", "restore", "none.jsonl", "--site", "x"], "none.jsonl cannot be read"),
        (["ledger", "status", "--site", "x"], "no site.toml in x"),
        (["withdraw", "--site", "x"], "Missing argument"),
        (["ledger", "reset"], "reset"),
    ],
)
def test_bad_options_are_named_and_exit_with_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*arguments, place=False)
    assert code == 2
    assert message in error


def test_a_folder_without_a_ledger_is_named(run, site):
    site.ledger_file.unlink()
    code, _, error = run("ledger", "verify")
    assert code == 3
    assert "holds no privacy ledger" in error


@pytest.mark.parametrize(
    "command",
    [
        "ledger status",
        "ledger verify",
        "ledger export",
        "ledger repair",
        "ledger restore",
        "ledger adopt",
        "withdraw",
    ],
)
def test_help_has_an_example_and_exit_codes(run, command):
    code, printed, _ = run(*command.split(), "--help", place=False)
    assert code == 0
    assert f"Example: fedaffect-client {command}" in " ".join(printed.split())
    assert "Exit codes: 0" in printed


def test_a_withdrawal_names_what_is_left_of_the_child_and_deletes_it_when_asked(run, site):
    folder = site.folder
    mine = [
        folder / "attributes" / "P-02.parquet",
        folder / "attributes" / ".P-02.partial" / "00000.parquet",
        folder / "looks" / "P-02-sheet.png",
    ]
    others = [folder / "attributes" / "P-03.parquet", folder / "looks" / "P-02-1-sheet.png"]
    for file in [*mine, *others]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    printed = run("withdraw", "P-02", "--yes")[1]
    assert printed.count("still here") == 3
    assert "--delete-files" in printed
    assert all(file.exists() for file in mine)
    printed = run("withdraw", "P-02", "--yes", "--delete-files")[1]
    assert printed.count("deleted:") == 3
    assert not any(file.exists() for file in mine)
    assert all(file.exists() for file in others)
    printed = run("withdraw", "P-02", "--yes", "--delete-files", "--json")[1]
    assert json.loads(printed)["files_deleted"] == []


@pytest.mark.parametrize("name", ["../P03", "a/b", "..", ""])
def test_what_is_no_pseudonym_leads_to_no_file(site, name):
    from client.site_folder import SiteFolder
    from client.site_traces import delete_traces

    outside = site.folder / "P03.parquet"
    outside.write_bytes(b"x")
    assert delete_traces(SiteFolder(site.folder), name) == []
    assert outside.exists()
