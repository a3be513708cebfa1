"""An extraction that is killed goes on where it was, and ends as if nothing had happened.

The real command is killed with SIGKILL, which no program can answer: all of it, as by a power cut;
only the program that staff started, as from a task manager; only its worker, as by the system when
memory runs out.
"""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from looped_clip import loop_clip
from real_command import command_line, environment

from shared.attributes import read_attributes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

LONGEST_S = 200
"""For one run on a machine that is busy with other things."""


class Undisturbed(NamedTuple):
    """A run that nobody killed."""

    video: Path
    content: bytes
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(media, tmp_path_factory) -> Undisturbed:
    """50 s of a real clip: two stretches of 20 s, and a last one that is shorter."""
    folder = tmp_path_factory.mktemp("undisturbed")
    video = loop_clip(media / "single_face.mp4", folder / "child.mp4", 21)
    begun = time.monotonic()
    code, text = finish(start(video, folder / "out"))
    assert code == 0, text
    content = (folder / "out" / "child.parquet").read_bytes()
    assert len(read_attributes(folder / "out" / "child.parquet").time_s) == pytest.approx(
        1209, abs=2
    )
    return Undisturbed(video, content, time.monotonic() - begun)


def start(video: Path, out: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command_line("extract", video, "--out", out, "--jobs", 1, "--threads", 1),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    printed, errors = process.communicate(timeout=LONGEST_S)
    return process.returncode, printed + errors


def children(process_id: int) -> list[int]:
    text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    return [int(word) for word in text.split()]


def worker_of(process: "subprocess.Popen[str]") -> int | None:
    """The child that reads: the one with the most memory; the other is Python's own helper."""
    sizes = {}
    with contextlib.suppress(OSError):
        for child in children(process.pid):
            sizes[int(Path(f"/proc/{child}/statm").read_text().split()[1])] = child
    return sizes[max(sizes)] if sizes else None


def kill_everything(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)


def kill_program(process: "subprocess.Popen[str]") -> None:
    process.kill()


def kill_worker(process: "subprocess.Popen[str]") -> None:
    worker = worker_of(process)
    if worker is not None:
        os.kill(worker, signal.SIGKILL)


KILLS: list[Callable[["subprocess.Popen[str]"], None]] = [
    kill_everything,
    kill_program,
    kill_worker,
]


def stretches(out: Path) -> dict[str, tuple[int, int]]:
    """Finished stretches; a file that was written again has another identity."""
    found = {}
    with contextlib.suppress(OSError):
        for file in (out / ".child.partial").glob("*.parquet"):
            status = file.stat()
            found[file.name] = status.st_ino, status.st_mtime_ns
    return found


def rerun(video: Path, out: Path) -> tuple[int, str, set[tuple[int, int]]]:
    """Run again; also every identity that the first stretch had meanwhile."""
    seen: set[tuple[int, int]] = set()
    process = start(video, out)

    def watch() -> None:
        while process.poll() is None:
            if (first := stretches(out).get("00000.parquet")) is not None:
                seen.add(first)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    code, text = finish(process)
    watcher.join()
    return code, text, seen


def check_rerun(undisturbed: Undisturbed, out: Path) -> bool:
    """The same bytes, nothing left over; whether the work of the killed run was used."""
    left = stretches(out)
    done = (out / "child.parquet").exists()
    code, text, seen = rerun(undisturbed.video, out)
    assert code == 0, text
    assert "Traceback" not in text
    assert [file.name for file in out.iterdir()] == ["child.parquet"]
    assert (out / "child.parquet").read_bytes() == undisturbed.content
    if left and not done:
        assert seen == {left["00000.parquet"]}, "finished stretches were thrown away"
    return bool(left) and not done


def test_a_killed_extraction_goes_on_behind_its_last_finished_stretch(undisturbed, tmp_path):
    out = tmp_path / "out"
    process = start(undisturbed.video, out)
    while not stretches(out) and process.poll() is None:
        time.sleep(0.005)
    time.sleep(random.uniform(0, 0.5))
    kill_program(process)
    finish(process)
    assert not (out / "child.parquet").exists()
    assert check_rerun(undisturbed, out)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_kills_at_random_moments_leave_no_trace(undisturbed, tmp_path):
    chance = random.Random(20)
    resumed = 0
    for number in range(20):
        out = tmp_path / str(number)
        process = start(undisturbed.video, out)
        # Counted in stretches, so that a busy machine is not killed before it has begun. The last
        # stretch is short: what follows it, to the whole file and no leftovers, is hit as well.
        before = number // len(KILLS) % 3
        while len(stretches(out)) < before and process.poll() is None:
            time.sleep(0.005)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 1.5 if before else undisturbed.seconds / 2))
        if process.poll() is None:
            KILLS[number % len(KILLS)](process)
        code, text = finish(process)
        assert "Traceback" not in text
        assert code in (0, 2, -signal.SIGKILL), text
        resumed += check_rerun(undisturbed, out)
    assert resumed >= 4
