"""``features --site``: unusable recordings stay out of a study unless somebody wants them in."""

import hashlib
import sys
import warnings

import numpy as np
import pytest

from client.site_folder import SiteFolder, create_site_folder
from client.site_participants import store_site_participants
from shared.attributes import AttributeSeries, PictureMeasures, write_attributes
from shared.channels import CHANNELS
from shared.features import read_features
from shared.participants import ParticipantRow

PROVENANCE = {"weights_sha256": "a", "detector": "d", "software": "s", "parameters": "{}"}


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from client.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", "features", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture
def site(tmp_path):
    """P1 is fine, P2 is dark, P3 looked away, P4 has no consent, P5 was not extracted."""
    folder = SiteFolder(create_site_folder(tmp_path / "site", "North").root)
    people = [
        ParticipantRow(f"P{n}", bool(n % 2), n != 4, True, f"{n}.mp4") for n in (1, 2, 3, 4, 5)
    ]
    for n in (1, 2, 3, 4, 5):
        (tmp_path / f"{n}.mp4").write_text(f"P{n}")
    store_site_participants(folder, people, tmp_path)
    attribute_file(folder, "P1")
    attribute_file(folder, "P2", brightness=12.0)
    attribute_file(folder, "P3", seen=0.3)
    attribute_file(folder, "P4", seen=0.3)
    return folder


def attribute_file(folder, participant, *, brightness=120.0, seen=1.0, seconds=400):
    n = seconds * 24
    rng = np.random.default_rng(5)
    found = np.arange(n) < seen * n
    walk = np.cumsum(rng.normal(0, 0.05, (n, len(CHANNELS))), axis=0)
    values = (1 / (1 + np.exp(-walk))).astype(np.float32)
    values[:, :8] /= values[:, :8].sum(1, keepdims=True)
    box = np.ones((n, 4), np.float32)
    values[~found], box[~found] = np.nan, np.nan
    measured = np.where(found, 1.0, np.nan).astype(np.float32)
    series = AttributeSeries(
        participant=participant,
        time_s=np.arange(n) / 24,
        frame=np.arange(n),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=box,
        values=values,
        provenance={
            **PROVENANCE,
            "video_sha256": hashlib.sha256(participant.encode()).hexdigest(),
        },
        pictures=PictureMeasures(measured * brightness, measured * 200, found.astype(np.int16)),
    )
    write_attributes(folder.attributes / f"{participant}.parquet", series)


def test_unusable_recordings_are_left_out_and_named_with_the_reason(run, site):
    code, printed, _ = run("--site", site.root)
    assert code == 0
    left_out = [line for line in printed.splitlines() if "left out, the" in line]
    assert len(left_out) == 2
    assert (
        left_out[0] == "P2: left out, the recording is unusable: the face is dark (brightness 12)"
    )
    assert left_out[1].startswith("P3: left out, the recording is unusable: the face is seen in 30")
    assert "1 participants x" in printed
    assert "2 unusable left out, 1 of 4 usable children have no attributes yet" in printed
    table = read_features(site.features)
    assert table.participants == ("P1",)
    assert table.asd.tolist() == [True]


def test_they_are_kept_when_that_is_asked(run, site):
    code, printed, _ = run("--site", site.root, "--with-unusable")
    assert code == 0
    assert "left out" not in printed
    assert read_features(site.features).participants == ("P1", "P2", "P3")


def test_the_limits_are_those_of_the_site(run, site):
    with (site.root / "site.toml").open("a") as file:
        file.write("[quality]\nunusable_dark = 10.0\n")
    assert run("--site", site.root)[0] == 0
    # Doubtful is not unusable: that is for a person to decide.
    assert read_features(site.features).participants == ("P1", "P2")


def test_when_nobody_is_left_nothing_is_written(run, site):
    (site.attributes / "P1.parquet").unlink()
    code, printed, error = run("--site", site.root)
    assert code == 2
    assert "P2: left out" in printed
    assert (
        "no recording is usable, so there is no table to write; look at `fedaffect-client q"
        in error
    )
    assert not site.features.exists()


def test_a_damaged_file_is_no_poor_recording_but_an_error(run, site):
    (site.attributes / "P2.parquet").write_bytes(b"damaged")
    code, _, error = run("--site", site.root)
    assert code == 2
    assert "P2.parquet" in error
    assert not site.features.exists()


def test_without_a_site_there_is_nothing_to_keep(run, site, tmp_path):
    code, _, error = run(site.attributes, "--out", tmp_path / "f.parquet", "--with-unusable")
    assert code == 2
    assert "--with-unusable belongs to --site" in error
    code, _, _ = run(site.attributes, "--out", tmp_path / "f.parquet")
    assert code == 0
    assert read_features(tmp_path / "f.parquet").participants == ("P1", "P2", "P3", "P4")


def test_help_names_the_exit_codes(run):
    _, printed, _ = run("--help")
    words = " ".join(printed.split())
    assert (
        "Exit codes: 0 the table was written, and whoever is not in it was named; 2 noth" in words
    )


def test_attributes_of_another_recording_are_not_used(run, site, tmp_path):
    # P1's and P2's recordings stood the wrong way round in the spreadsheet.
    (tmp_path / "1.mp4").write_text("P2")
    (tmp_path / "2.mp4").write_text("P1")
    code, printed, _ = run("--site", site.root, "--with-unusable")
    assert code == 0
    assert "P1: left out, its attributes were read from another recording" in printed
    assert "2 of another recording left out" in printed
    assert read_features(site.features).participants == ("P3",)


def test_attributes_that_cannot_be_compared_are_not_used(run, site, tmp_path):
    (tmp_path / "3.mp4").unlink()
    code, printed, _ = run("--site", site.root, "--with-unusable")
    assert code == 0
    assert "P3: left out, its recording cannot be compared" in printed
    assert read_features(site.features).participants == ("P1", "P2")
