"""``show`` as a clinic types it: what is written, where, and what is said."""

import re
import stat
import sys
import warnings
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from client.extraction import detector as detectors
from client.extraction.detector import Detection
from client.look import making
from client.look.kept import kept_looks
from client.site_folder import SiteFolder, create_site_folder
from client.site_participants import store_site_participants
from shared.affect.weights import DEFAULT_WEIGHTS
from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.channels import CHANNELS
from shared.files import sha256_of
from shared.participants import ParticipantRow

BOX = (60, 30, 40, 40)


@pytest.fixture
def run(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from client.commands.look import show_command
        from shared.console import run_command

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("show")(show_command)
    app.callback()(lambda: None)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fedaffect-client", "show", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command(app)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


@pytest.fixture
def video(tmp_path, write_video, scene):
    folder = tmp_path / "rec"
    folder.mkdir()
    return write_video(folder / "one.mp4", [scene(BOX)] * 96)


@pytest.fixture
def attributes(tmp_path, video):
    """Four seconds, the face lost in the second one."""
    found = np.arange(96) // 24 != 1
    values = np.full((96, len(CHANNELS)), 0.1, np.float32)
    values[80, CHANNELS.index("au12")] = 0.9
    series = AttributeSeries(
        participant="P017",
        time_s=np.arange(96) / 24,
        frame=np.arange(96),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=np.where(found[:, None], np.array(BOX, np.float32), np.nan),
        values=np.where(found[:, None], values, np.nan),
        provenance={"video_sha256": sha256_of(video)},
    )
    path = tmp_path / "P017.parquet"
    write_attributes(path, series)
    return path


@pytest.fixture
def site(tmp_path, video, attributes):
    folder = create_site_folder(tmp_path / "site", "Clinic North")
    row = ParticipantRow("P017", True, True, True, "one.mp4")
    other = ParticipantRow("P018", True, False, True, "two.mp4")
    store_site_participants(folder, [row, other], video.parent)
    write_attributes(folder.attributes / "P017.parquet", read_attributes(attributes))
    return folder.root


@pytest.fixture
def finder(monkeypatch, detector):
    monkeypatch.setattr(detectors, "open_detector", lambda name, file: detector)
    return detector


def files_below(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_a_picture_is_kept_in_the_site_folder_and_nowhere_else(run, site, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(work))
    before = files_below(tmp_path)
    code, printed, _ = run("P017", "--site", site)
    assert code == 0
    sheet = site / "looks" / "P017-sheet.png"
    assert files_below(tmp_path) - before == {sheet}
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert stat.S_IMODE(sheet.parent.stat().st_mode) == 0o700
    assert pixels_of(sheet).shape[1] == 1600
    assert f"12 moments, evenly spaced: {sheet}" in printed
    assert "It shows the child and stays in the site folder" in printed


def test_the_site_folder_is_the_one_named_site_here(run, site, monkeypatch):
    monkeypatch.chdir(site.parent)
    assert run("P017", "--moments", 2)[0] == 0
    assert (site / "looks" / "P017-sheet.png").exists()


def test_a_folder_that_others_could_enter_is_closed(run, site):
    (site / "looks").mkdir(mode=0o755)
    run("P017", "--site", site, "--moments", 1)
    assert stat.S_IMODE((site / "looks").stat().st_mode) == 0o700


def test_named_times_and_peaks(run, site):
    code, printed, _ = run("P017", "--site", site, "--at", "0:00.5", "--at", "0:01,5")
    assert code == 0
    assert "2 moments, at the given times" in printed
    code, printed, _ = run("P017", "--site", site, "--peaks", "AU12", "--moments", 1)
    assert "1 moment, where AU 12 lip corner pulled is highest" in printed
    names = {path.name for path in (site / "looks").iterdir()}
    assert names == {"P017-at_0m00.5s_and_1_more.png", "P017-peaks_au12.png"}


def test_a_clip(run, site):
    code, printed, _ = run("P017", "--site", site, "--clip", "0:00.5", "1.5")
    assert code == 0
    path = site / "looks" / "P017-clip_0m00.5s_0m01.5s.mp4"
    assert f"clip from 0:00.5 to 1.5: {path}" in printed
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 24
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_anonymised_files_have_a_name_of_their_own_and_no_face(run, site, finder):
    code, printed, _ = run("P017", "--site", site, "--anonymise", "--moments", 4)
    assert code == 0
    assert "Faces are covered. Clothes, the room, and a face that no detector sees" in printed
    assert "1 of 4 pictures are hidden as a whole" in printed
    assert "It shows the child" not in printed
    picture = pixels_of(site / "looks" / "P017-sheet_anonymised.png")
    assert finder.looks > 0
    run("P017", "--site", site, "--moments", 4)
    plain = pixels_of(site / "looks" / "P017-sheet.png")
    square = (abs(plain - 250).max(axis=2) <= 2).sum()
    assert square > 20_000
    assert (abs(picture - 250).max(axis=2) <= 2).sum() < square / 20


def test_making_it_again_replaces_it(run, site):
    run("P017", "--site", site, "--moments", 1)
    sheet = site / "looks" / "P017-sheet.png"
    first = sheet.stat().st_size
    assert run("P017", "--site", site, "--moments", 4)[0] == 0
    assert sheet.stat().st_size > first
    assert [path.name for path in sheet.parent.iterdir()] == [sheet.name]


@pytest.mark.parametrize("what", [["--moments", 1], ["--clip", 0, 1]])
def test_when_making_fails_nothing_is_left(run, site, monkeypatch, what):
    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("client.look.canvas.Canvas.save_png", broken)
    monkeypatch.setattr(making, "write_clip", broken)
    code, _, error = run("P017", "--site", site, *what)
    assert code == 1
    assert "No space left on device" in error
    assert list((site / "looks").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["P999"], "P999 is not among the imported children"),
        (["P018"], "P018 has no consent; the recording is not opened"),
        (["P017", "--at", "0:05"], r"time 0:05 asked; the recording is 0:04\.0 long"),
        (["P017", "--at", "soon"], "time 'soon' asked; write minutes and seconds"),
        (["P017", "--clip", "1", "9"], "time 9 asked; the recording is"),
        (["P017", "--clip", "2", "1"], "must end after it begins"),
        (["P017", "--clip", "1", "2", "--moments", "3"], "--clip shows a stretch"),
        (["P017", "--clip", "1", "2", "--peaks", "joy"], "--clip shows a stretch"),
        (["P017", "--peaks", "smile"], "channel 'smile' asked; one of"),
        (["P017", "--saliency", "smile"], "channel 'smile' asked; one of"),
        (["P017", "--saliency", "joy", "--clip", "1", "2"], "--saliency single moments"),
        (["P017", "--weights", "a.safetensors"], "--weights belongs to --saliency"),
        (["P017", "--saliency", "joy"], "was read with unknown weights"),
        (["P017", "--moments", "0"], "up to 0 moments asked"),
        (["P017", "--detector", "eyes", "--anonymise"], "--detector eyes asked"),
        (["P017", "--out", "a.png"], "--site has its own folders"),
        ([], "Missing argument: which child"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_nothing_is_written(run, site, arguments, message):
    code, _, error = run("--site", site, *arguments)
    assert code == 2
    assert re.search(message, error)
    assert not (site / "looks").exists() or not list((site / "looks").iterdir())


@pytest.fixture
def read_with_shipped_weights(site, attributes):
    path = site / "attributes" / "P017.parquet"
    series = read_attributes(path)
    provenance = {**series.provenance, "weights_sha256": sha256_of(DEFAULT_WEIGHTS)}
    write_attributes(path, replace(series, provenance=provenance))


def test_saliency_shows_the_peaks_of_what_is_explained(run, site, read_with_shipped_weights):
    code, printed, error = run("P017", "--site", site, "--saliency", "AU 12", "--moments", 1)
    assert (code, error) == (0, "")
    sheet = site / "looks" / "P017-saliency_au12_peaks_au12.png"
    assert f"where AU 12 lip corner pulled is highest: {sheet}" in printed
    assert "It shows the child and stays in the site folder" in printed
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert kept_looks(SiteFolder(site), "P017") == [sheet]


def test_anonymised_saliency_holds_no_picture_and_says_what_was_lost(
    run, site, read_with_shipped_weights
):
    code, printed, _ = run(
        *("P017", "--site", site, "--saliency", "joy", "--at", "1.5", "--at", "3", "--anonymise")
    )
    assert code == 0
    sheet = site / "looks" / "P017-saliency_joy_at_0m01.5s_and_1_more_anonymised.png"
    assert "at 1 of 2 moments the face was lost" in printed
    assert "It shows no picture of the child" in printed
    assert sheet.exists()


def test_a_changed_recording_is_refused(run, site, video, write_video, scene):
    write_video(video, [scene(None)] * 96)
    code, _, error = run("P017", "--site", site)
    assert code == 2
    assert "it has changed since; extract it again" in error


def test_a_withdrawn_child_is_refused(run, site):
    with SiteFolder(site).ledger().locked() as book:
        book.withdraw("P017")
    code, _, error = run("P017", "--site", site)
    assert code == 2
    assert "P017 was withdrawn" in error


def test_loose_files(run, tmp_path, attributes, video, finder):
    out = tmp_path / "look.png"
    given = ["--attributes", attributes, "--video", video]
    code, printed, _ = run(*given, "--out", out, "--moments", 2)
    assert code == 0
    assert "It shows the child. Keep it where only the clinic can read it" in printed
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert pixels_of(out).shape[1] == 1600
    assert run("P017", *given, "--out", tmp_path / "a.mp4", "--clip", 0, 1, "--anonymise")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "new.png"], "belong together; give all three"),
        (["--out", "new.mp4", "--attributes", "A", "--video", "V"], "the picture is written as"),
        (["--out", "a.png", "--attributes", "A", "--video", "V", "--clip", "0", "1"], "as .mp4"),
        (["--out", "V", "--attributes", "A", "--video", "V", "--clip", "0", "1"], "there already"),
        (["P018", "--out", "a.png", "--attributes", "A", "--video", "V"], "another child"),
        (["--out", "a.png", "--attributes", "A", "--video", "V", "--site", "s"], "--site has its"),
    ],
)
def test_loose_files_that_make_no_sense_are_refused(
    run, tmp_path, attributes, video, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in files_below(tmp_path)}
    code, _, error = run(*({"A": attributes, "V": video}.get(a, a) for a in arguments))
    assert code == 2
    assert message in error
    assert {path: path.read_bytes() for path in files_below(tmp_path)} == before


def test_two_faces_in_one_picture(run, tmp_path, write_video, scene, attributes, monkeypatch):
    """A parent's face, which the attribute file does not know, is covered as well."""
    picture = scene(BOX)
    picture[90:115, 10:35] = 250

    class Finder:
        identity = "two squares"

        def detect(self, picture):
            return [Detection(*BOX, 0.9), Detection(10, 90, 25, 25, 0.3)]

    monkeypatch.setattr(detectors, "open_detector", lambda name, file: Finder())
    video = write_video(tmp_path / "two.mp4", [picture] * 96)
    series = read_attributes(attributes)
    series.provenance["video_sha256"] = sha256_of(video)
    write_attributes(attributes, series)
    out = tmp_path / "a.mp4"
    given = ["--attributes", attributes, "--video", video, "--out", out]
    assert run(*given, "--clip", "2.5", "3.5", "--anonymise")[0] == 0
    with av.open(str(out)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for frame in frames:
        area = frame[58:526, 128:752]
        assert (area.min(axis=2) > 230).mean() < 0.02
        assert (area.max(axis=2) < 70).mean() > 0.2
