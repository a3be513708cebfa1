"""Every bad recording in one folder, read by the real command: what a clinic's staff would see.

All are good when they are imported and become bad afterwards, as happens to files, so that the
extraction has to cope with every one of them.
"""

import csv
import json
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_recordings import RECORDINGS
from real_command import command_line, environment, run_command
from video_making import encode, face, wall

from shared.attributes import AttributeSeries, read_attributes

BY_NAME = {recording.participant: recording for recording in RECORDINGS}
TICK_S = 1 / 24


@dataclass(frozen=True)
class Run:
    """What became of all recordings."""

    site: Path
    state: Path
    code: int
    outcomes: dict[str, dict[str, Any]]
    screen: str

    def series(self, participant: str) -> AttributeSeries:
        return read_attributes(self.site / "attributes" / f"{participant}.parquet")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    base = tmp_path_factory.mktemp("clinic")
    recordings, site, state = base / "recordings", base / "site", base / "state"
    recordings.mkdir()
    files = [(r.participant, r.file_name) for r in RECORDINGS]
    files += [("growing", "growing.mp4"), ("vanishing", "vanishing.mp4")]
    with (base / "children.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["participant", "video", "diagnosis", "consent", "finished"])
        for participant, name in files:
            rows.writerow([participant, name, "ASD", "yes", "yes"])
            (recordings / name).write_bytes(b"x")
    _ok(run_command("init", site, "--name", "North", FEDAFFECT_STATE=str(state)))
    _ok(
        run_command(
            *("import", base / "children.csv", "--site", site, "--recordings", recordings),
            FEDAFFECT_STATE=str(state),
        )
    )
    for recording in RECORDINGS:
        recording.make(recordings / recording.file_name)
    growing, vanishing = recordings / "growing.mp4", recordings / "vanishing.mp4"
    for path in (growing, vanishing):
        encode(path, [face()] * 48)
    process = subprocess.Popen(
        command_line("extract", "--site", site, "--jobs", 1, "--json"),
        env=environment(FEDAFFECT_STATE=str(state)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    meddler = threading.Thread(
        target=_meddle, args=(process, site / "attributes", growing, vanishing), daemon=True
    )
    meddler.start()
    printed, screen = process.communicate(timeout=240)
    meddler.join()
    outcomes = {item["participant"]: item for item in json.loads(printed)["recordings"]}
    return Run(site, state, process.returncode, outcomes, screen)


def _ok(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stderr


def _meddle(process: Any, attributes: Path, growing: Path, vanishing: Path) -> None:
    """Once the command has read a recording: remove one, and go on copying another."""
    while process.poll() is None and not list(attributes.glob("*.parquet")):
        time.sleep(0.01)
    vanishing.unlink()
    while process.poll() is None:
        with growing.open("ab") as file:
            file.write(bytes(8))
        time.sleep(0.002)


@pytest.mark.parametrize("participant", BY_NAME)
def test_every_recording_has_the_outcome_that_explains_it(run, participant):
    expected, outcome = BY_NAME[participant], run.outcomes[participant]
    assert (outcome["status"], outcome["text"]) == (expected.status, outcome["text"])
    assert re.search(expected.says, outcome["text"]), outcome["text"]
    # One line of plain words: no trace, no path of this computer, no name of a library.
    assert not re.search(
        r"\n|Traceback|Error|Errno|/|\bav\b|ffmpeg", outcome["text"], re.IGNORECASE
    )


def test_every_recording_has_one_outcome_and_the_exit_code_says_that_some_failed(run):
    assert set(run.outcomes) == {*BY_NAME, "growing", "vanishing"}
    assert run.code == 1
    assert "Traceback" not in run.screen
    written = {path.stem for path in (run.site / "attributes").glob("*")}
    read = {name for name, item in run.outcomes.items() if item["status"] != "failed"}
    assert written == read


def test_a_file_that_disappears_or_is_still_being_copied_is_said_to(run):
    assert run.outcomes["vanishing"]["status"] == "failed"
    assert "no such file; it was moved, renamed or deleted" in run.outcomes["vanishing"]["text"]
    assert run.outcomes["growing"]["status"] == "failed"
    assert "was changed while it was read" in run.outcomes["growing"]["text"]


@pytest.mark.parametrize("participant", [r.participant for r in RECORDINGS if r.seconds])
def test_what_can_be_read_has_the_length_of_the_recording(run, participant):
    expected, series = BY_NAME[participant], run.series(participant)
    assert abs(len(series.time_s) * TICK_S - expected.seconds) < 1.01 * TICK_S
    source = json.loads(series.provenance["source"])
    assert source["damaged_packets"] == 0
    assert expected.frames in (None, source["frames"])


@pytest.mark.parametrize("participant", [r.participant for r in RECORDINGS if r.box])
def test_the_face_is_where_it_is_and_upright(run, participant):
    expected, series = BY_NAME[participant], run.series(participant)
    off = np.abs(series.box[series.face_found] - expected.box)
    assert (off < 0.25 * expected.box[3]).all(), series.box[0]
    # A face that lies on its side is found with less than .8, if at all.
    assert series.face_confidence[series.face_found].min() > 0.8
    until_s = expected.face_until_s or expected.seconds + TICK_S
    sure = np.abs(series.time_s - until_s) > 1.01 * TICK_S
    np.testing.assert_array_equal(series.face_found[sure], series.time_s[sure] < until_s)


def test_the_second_run_skips_what_is_done_and_says_again_what_failed(run):
    done = run_command("extract", "--site", run.site, FEDAFFECT_STATE=str(run.state))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for name, outcome in run.outcomes.items():
        if name == "growing":
            continue
        if outcome["status"] == "failed":
            assert f"failed {name}: " in done.stdout
        else:
            assert f"skipped {name}: already extracted" in done.stdout
    # Its copying has ended in the meantime.
    assert "ok growing: face in 2.0 of 2.0 s" in done.stdout
    readable = sum(outcome["status"] != "failed" for outcome in run.outcomes.values())
    assert f"{readable + 1} of {len(run.outcomes)} recordings" in done.stdout


def test_a_disk_that_takes_no_more_fails_one_recording_and_the_next_run_mends_it(run, tmp_path):
    good, out = run.site.parent / "recordings" / "good.mp4", tmp_path / "out"
    encode(tmp_path / "large.mp4", [wall(64, 64)] * 150, rate=1 / 8)
    words = ("extract", tmp_path / "large.mp4", good, "--out", out, "--jobs", 1)
    # The largest file that a process may write (SIGXFSZ is ignored by Python); a disk that is full
    # does the same, with another number of the error.
    limit = 2 * (run.site / "attributes" / "good.parquet").stat().st_size
    full = run_command(
        *words,
        before=f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))",
    )
    assert full.returncode == 1
    assert "Traceback" not in full.stdout + full.stderr
    assert re.search(r"failed large: .*(too large|full)", full.stdout)
    assert "ok good: face in" in full.stdout
    assert {path.name for path in out.glob("*.parquet")} == {"good.parquet"}
    again = run_command(*words)
    assert again.returncode == 0, again.stderr
    assert {path.name for path in out.iterdir()} == {"good.parquet", "large.parquet"}
