import contextlib
import errno
import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bad_recordings import RECORDINGS
from real_command import ROOT
from recording_makers import huge_picture, play_lists
from video_making import encode, face, noise, wall
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

from client.extraction import recording, video_file
from client.extraction.recording import open_recording
from client.extraction.video_file import VideoFile
from shared.errors import InputError

OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def good(tmp_path) -> Path:
    encode(tmp_path / "good.mp4", [face()] * 12)
    return tmp_path / "good.mp4"


def read(path) -> int:
    with open_recording(path) as opened:
        return sum(1 for _ in opened.frames())


@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".m3u8", ""])
def test_a_video_is_known_by_its_content_not_by_its_name(good, suffix):
    assert read(good.rename(good.with_name(f"video{suffix}"))) == 12


@pytest.mark.parametrize("name", ["concat:a|b.mp4", "file:x.mp4", "pipe:0", "data:,x", "%03d.mp4"])
def test_a_name_is_a_name_and_no_address(good, monkeypatch, name):
    monkeypatch.chdir(good.parent)
    good.rename(good.with_name(name))
    assert read(Path(name)) == 12


class Opened(FileSystemEventHandler):
    """Waits until a file is opened by anybody."""

    def __init__(self) -> None:
        self.happened = threading.Event()

    def on_opened(self, event):
        self.happened.set()


@pytest.mark.parametrize("name", list(play_lists("")))
@pytest.mark.parametrize("way", ["beside", "absolute", "network"])
def test_no_list_makes_it_open_another_file_or_an_address(tmp_path, name, way):
    secrets, lists = tmp_path / "secrets", tmp_path / "lists"
    secrets.mkdir()
    lists.mkdir()
    secret = secrets / "secret.ts"
    encode(secret, [wall()] * 12, container_format="mpegts")
    opened, observer = Opened(), Observer()
    observer.schedule(opened, str(secrets))
    observer.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        other = {
            "beside": "../secrets/secret.ts",
            "absolute": str(secret),
            "network": f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts",
        }[way]
        path = lists / name
        path.write_text(play_lists(other)[name])
        with pytest.raises(InputError, match=r"list that only names other files|is text"):
            read(path)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert not opened.happened.is_set()
    secret.read_bytes()
    assert opened.happened.wait(5), "the watch does not see that a file is opened"
    observer.stop()
    observer.join()


def test_a_pipe_a_folder_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="a folder or a device"):
            VideoFile(path)


def test_a_file_that_becomes_a_pipe_while_it_is_opened_is_refused(good, monkeypatch):
    whole = good.stat()
    good.unlink()
    os.mkfifo(good)
    monkeypatch.setattr(Path, "stat", lambda path, **_: whole)
    with pytest.raises(InputError, match="a folder or a device"):
        VideoFile(good)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOENT, "no such file; it was moved"),
        (errno.EACCES, "may not be read; check its permissions"),
        (errno.EIO, r"cannot be opened \(Input/output error\); check its name"),
    ],
)
def test_a_refusal_of_the_system_is_told_in_plain_words(good, monkeypatch, number, message):
    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(io, "FileIO", refuse)
    with pytest.raises(InputError, match=message):
        VideoFile(good)


def test_a_disk_that_fails_while_reading_is_told_from_a_damaged_file(tmp_path, monkeypatch, capfd):
    class Failing(io.FileIO):
        reads, most = 0, 0

        def read(self, size=-1):
            Failing.reads += 1
            if Failing.reads > Failing.most:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    path = tmp_path / "large.mp4"
    encode(path, noise(12), container={"movflags": "faststart"})
    monkeypatch.setattr(io, "FileIO", Failing)
    monkeypatch.setattr(video_file, "_BUFFER_BYTES", 4096)
    Failing.most = 10**6
    assert read(path) == 12
    needed = Failing.reads
    assert needed > 10
    for most in range(needed - 1):
        Failing.reads, Failing.most = 0, most
        with pytest.raises(InputError, match=r"to its end \(Input/output error\); check the disk"):
            read(path)
    assert capfd.readouterr() == ("", "")


def test_no_file_stays_open_whatever_is_wrong_with_it(tmp_path):
    before = len(list(OPEN_FILES.iterdir()))
    for bad in RECORDINGS:
        if bad.status == "failed":
            path = tmp_path / bad.file_name
            path.touch()
            bad.make(path)
            with contextlib.suppress(InputError):
                read(path)
    assert len(list(OPEN_FILES.iterdir())) == before


def test_a_picture_larger_than_8k_is_refused_before_it_is_decoded(good, monkeypatch):
    monkeypatch.setattr(recording, "LARGEST_PICTURE", 320 * 240 - 1)
    with pytest.raises(InputError, match="320 x 240 pixels"):
        open_recording(good)


MEMORY = """
import sys
from pathlib import Path
from types import SimpleNamespace
from client.extraction.extract import Extractor
from client.extraction.tracking import TrackingSettings
from shared.errors import InputError

class Blind:
    identity = "sees nothing"
    def detect(self, picture):
        return []

reader = SimpleNamespace(sha256="0" * 64, precision="f32", preprocessing=None)
extractor = Extractor(reader, Blind(), TrackingSettings(), "test")
for name in sys.argv[1:]:
    try:
        rows = len(extractor.extract(Path(name), "P01").series.time_s)
    except InputError as error:
        rows = str(error)
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0], rows, sep="|")
"""


def test_memory_does_not_grow_with_the_length_or_with_what_a_header_claims(tmp_path):
    short, long = tmp_path / "short.mp4", tmp_path / "long.mp4"
    encode(short, [wall(64, 64)] * 24)
    encode(long, [wall(64, 64)] * 7200, rate=1, options={"g": "600"})
    names = ("stated.webm", "stated.avi", "hidden.webm", "hidden.avi")
    claims = [tmp_path / name for name in names]
    for path in claims:
        huge_picture(path, in_header=path.stem == "stated")
    files = [short, *claims, long]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *map(str, files)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    peaks, rows = zip(*(line.split("|") for line in done.stdout.splitlines()), strict=True)
    assert rows[0] == "24"
    assert "16000 x 16000 pixels, and at most 35 million are read" in rows[1]
    assert all("more than 35 million pixels" in said for said in rows[2:5])
    assert rows[5] == str(7200 * 24)
    # Kilobytes; the high-water mark never sinks.
    megabytes = [int(peak) / 1024 for peak in peaks]
    assert megabytes[4] - megabytes[0] < 20
    assert megabytes[5] - megabytes[0] < 100
