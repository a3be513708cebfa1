import signal
import time

import pytest
from extraction_recipes import ScriptedRecipe
from worker_services import DiesAtStart, Refuses

from client.extraction.batch import extract_all, find_recordings
from client.extraction.outcome import ToExtract
from shared.attributes import read_attributes
from shared.errors import InputError


class Watcher:
    """A view that writes down what it is told."""

    def __init__(self):
        self.told = []
        self.steps = 0

    def length(self, participant, seconds):
        self.told.append(("length", participant, seconds))

    def begin(self, participant):
        self.told.append(("begin", participant))

    def step(self, participant, state):
        self.steps += 1

    def end(self, outcome):
        self.told.append(("end", outcome.participant))


@pytest.fixture
def scripts(tmp_path):
    """Function that writes scripts, one a participant, for ``ScriptedExtractor``."""
    folder = tmp_path / "scripts"
    folder.mkdir()

    def write(**texts):
        found = []
        for name, text in texts.items():
            path = folder / f"{name}.mp4"
            path.write_text(text.replace("; ", "\n"))
            found.append(ToExtract(name, path))
        return found

    return write


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_every_recording_gets_its_file_and_outcome_in_the_given_order(scripts, out, tmp_path):
    pids, watcher = tmp_path / "pids", Watcher()
    pids.mkdir()
    listed = scripts(P3="sleep 0.2; end", P1="end", P2="bug")
    listed.insert(1, ToExtract("P4", tmp_path / "gone.mp4"))
    found = extract_all(listed, out, ScriptedRecipe(pids), jobs=2, view=watcher)
    assert [outcome.participant for outcome in found] == ["P3", "P4", "P1", "P2"]
    assert [outcome.status for outcome in found] == ["extracted", "failed", "extracted", "failed"]
    assert found[0].text == "face in 1.0 of 2.0 s (50%)"
    assert (found[0].frames, found[0].video) == (48, listed[0].video)
    assert found[1].text == "no such file"
    assert "ValueError in extraction_recipes.py" in found[3].text
    assert "child" not in found[3].text
    assert names(out) == ["P1.parquet", "P3.parquet"]
    assert read_attributes(out / "P1.parquet").participant == "P1"
    assert len(names(pids)) == 2
    for name in ("P1", "P2", "P3", "P4"):
        mine = [what for what, who, *_ in watcher.told if who == name]
        assert mine == ["length", "begin", "end"]


def test_a_crash_is_the_outcome_of_that_recording_alone(scripts, out):
    crash = f"stretch; part; signal {signal.SIGSEGV:d}"
    listed = scripts(P1="end", P2=crash, P3=f"signal {signal.SIGKILL:d}", P4="end")
    found = extract_all(listed, out, ScriptedRecipe())
    assert [outcome.status for outcome in found] == ["extracted", "failed", "failed", "extracted"]
    assert found[1].text.startswith("the program that read it was stopped (signal 11); the file")
    assert found[2].text.startswith("the program that read it was stopped (signal 9), perhaps bec")
    # Locks and temporary files are gone, what was finished is kept.
    assert names(out) == [".P2.partial", "P1.parquet", "P4.parquet"]


def test_a_header_that_crashes_the_decoder_is_read_once(scripts, out):
    watcher = Watcher()
    listed = scripts(P1="end", P2="end", P3="end")
    recipe = ScriptedRecipe(crash_in_header_of="P2")
    found = extract_all(listed, out, recipe, view=watcher)
    assert [outcome.status for outcome in found] == ["extracted", "failed", "extracted"]
    assert "(signal 11)" in found[1].text
    assert ("begin", "P2") not in watcher.told
    assert ("end", "P2") in watcher.told


def test_when_no_worker_can_start_all_fail_and_are_told_why(scripts, out, tmp_path, capfd):
    found = extract_all(scripts(P1="end", P2="end"), out, DiesAtStart(tmp_path / "starts"))
    assert [outcome.status for outcome in found] == ["failed", "failed"]
    assert found[0].text.startswith("the program that reads it could not be started (code 7)")


def test_a_recipe_that_cannot_be_opened_is_refused_before_anything_is_made(scripts, out):
    with pytest.raises(InputError, match="no such network"):
        extract_all(scripts(P1="end"), out, Refuses())
    assert not out.exists()


def test_progress_comes_a_few_times_a_second_however_often_it_is_made(scripts, out):
    watcher, began = Watcher(), time.monotonic()
    extract_all(scripts(P1="report 20000; end"), out, ScriptedRecipe(), view=watcher)
    assert 1 <= watcher.steps <= 1 + 5 * (time.monotonic() - began)


class Enough(Exception):
    pass


def test_a_check_that_raises_stops_and_keeps_what_is_finished(scripts, out):
    listed = scripts(P1="end", P2="stretch; part; sleep 100; end", P3="end")
    watcher = Watcher()

    def check():
        if (out / ".P2.parquet.abc_defg.part").exists():
            raise Enough

    with pytest.raises(Enough):
        extract_all(listed, out, ScriptedRecipe(), view=watcher, check=check)
    assert names(out) == [".P2.partial", "P1.parquet"]
    listed[1].video.write_text("end")
    found = extract_all(listed, out, ScriptedRecipe())
    assert [outcome.status for outcome in found] == ["skipped", "extracted", "extracted"]
    assert names(out) == ["P1.parquet", "P2.parquet", "P3.parquet"]


def test_nothing_to_read_starts_nothing(out):
    assert extract_all([], out, Refuses()) == []


def test_lengths_come_from_the_headers_before_anything_is_read(media, tmp_path):
    """Real clips, which are no scripts: what is in them is not read here."""
    watcher = Watcher()
    clips = [ToExtract(name, media / name) for name in ("single_face.mp4", "no_face.mp4")]
    extract_all(clips, tmp_path / "out", ScriptedRecipe(), view=watcher)
    assert [who for what, who, *_ in watcher.told[:2]] == [clip.participant for clip in clips]
    lengths = [told[2] for told in watcher.told[:2]]
    assert lengths == pytest.approx([2.4, 3.9], abs=0.1)


def test_a_folder_means_its_recordings(tmp_path):
    for name in ("b.MP4", "a.mov", "notes.txt", ".hidden.mp4", "deeper/c.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    named = tmp_path / "anything.dat"
    found = find_recordings([tmp_path, named, tmp_path / "a.mov"])
    assert [path.name for path in found] == ["a.mov", "b.MP4", "c.mkv", "anything.dat"]


def test_folders_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(InputError, match="no recording in this folder"):
        find_recordings([tmp_path])
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.mov").write_bytes(b"x")
    with pytest.raises(InputError, match="both be participant a"):
        find_recordings([tmp_path])
