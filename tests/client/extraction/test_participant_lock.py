import os
import signal
import subprocess
import sys

import filelock
import pytest

from client.extraction.participant_lock import clear_leftovers, participant_lock
from shared.errors import InputError

HOLD = """
import sys
from pathlib import Path
from client.extraction.participant_lock import participant_lock
with participant_lock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def program(text, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )


@pytest.fixture
def other_run(tmp_path):
    with program(HOLD, tmp_path, "P1") as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_participant_is_written_by_one_run_at_a_time(other_run, tmp_path):
    with pytest.raises(InputError, match="being read by another run"):
        participant_lock(tmp_path, "P1").__enter__()
    with participant_lock(tmp_path, "P2"):
        pass
    other_run.communicate("")
    with participant_lock(tmp_path, "P1"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_run_that_was_killed_is_free(other_run, tmp_path):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    assert (tmp_path / ".P1.lock").exists()
    with participant_lock(tmp_path, "P1"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_but_nothing_else(tmp_path):
    gone = [".P1.parquet.k3_x0abc.part", ".P1.lock"]
    stays = [
        "P1.parquet",
        ".P2.parquet.k3_x0abc.part",
        ".P1.parquet.parquet.k3_x0abc.part",
        ".P1x.parquet.k3_x0abc.part",
        "xP1.parquet.k3_x0abc.part",
    ]
    for name in gone + stays:
        (tmp_path / name).touch()
    (tmp_path / ".P1.partial").mkdir()
    clear_leftovers(tmp_path, "P1")
    assert {path.name for path in tmp_path.iterdir()} == {*stays, ".P1.partial"}


def test_names_are_no_patterns(tmp_path):
    (tmp_path / ".P1.parquet.k3_x0abc.part").touch()
    (tmp_path / ".P*(.parquet.k3_x0abc.part").touch()
    (tmp_path / ".P*(.lock").touch()
    clear_leftovers(tmp_path, "P*(")
    assert [path.name for path in tmp_path.iterdir()] == [".P1.parquet.k3_x0abc.part"]


def test_leftovers_of_a_run_that_is_still_there_stay(other_run, tmp_path):
    (tmp_path / ".P1.parquet.k3_x0abc.part").touch()
    clear_leftovers(tmp_path, "P1")
    assert (tmp_path / ".P1.parquet.k3_x0abc.part").exists()
    clear_leftovers(tmp_path / "nowhere", "P1")
    assert not (tmp_path / "nowhere").exists()


def test_taking_the_lock_file_away_lets_nobody_in_beside_the_next_run(tmp_path, monkeypatch):
    """The next run may get the lock at the very moment it is released."""
    real, next_run = filelock.FileLock.release, []

    def release(lock, *arguments, **options):
        real(lock, *arguments, **options)
        if not next_run:
            next_run.append(program(HOLD, tmp_path, "P1"))
            assert next_run[0].stdout.readline() == "held\n"

    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "release", release)
        with participant_lock(tmp_path, "P1"):
            pass
    try:
        with pytest.raises(InputError, match="being read by another run"):
            participant_lock(tmp_path, "P1").__enter__()
    finally:
        next_run[0].communicate("")
    assert list(tmp_path.iterdir()) == []
