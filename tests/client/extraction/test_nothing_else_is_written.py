"""No picture leaves a recording: what an extraction writes is numbers, in the one folder for them.

``tests/support/write_watch.py`` says how it is watched. Taken together this would notice any file
that Python code of the command writes anywhere, any file that native code writes into the clinic's
folder, the home folder, the temporary folder or the working folder, pictures in shared memory, and,
where the kernel has Landlock, any other attempt of native code to write. It would not notice a
picture that is hidden in the numbers themselves, or that leaves through the network; the reader of
attribute files checks the ranges of the first, and nothing that the client imports for extraction
opens connections (``test_architecture.py``; here a connection would be noted).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from looped_clip import loop_clip
from real_command import ROOT, run_command
from video_making import encode, face
from write_watch import Writes, can_confine, watched

from shared.attributes import read_attributes, write_attributes
from shared.channels import CHANNELS

ALLOWED = re.compile(
    r"""(
        pc/site/attributes(
            /child\.parquet
            | /\.child\.lock
            | /\.child\.parquet\.\w+\.part
            | /\.child\.partial(/\d{5}\.parquet | /\.\d{5}\.parquet\.\w+\.part)?
        )?
        | pc/site
        | pc/site/\.ledger\.lock
        | state
        | state/ledger-[0-9a-f]+\.lock
    )""",
    re.VERBOSE,
)
COLUMNS = {
    *("time_s", "frame", "face_found", "face_confidence", "box_x", "box_y", "box_w", "box_h"),
    *("brightness", "sharpness", "faces_seen"),
    *CHANNELS,
}
NUMBERS = {pa.float64(), pa.float32(), pa.int64(), pa.int16(), pa.bool_()}
SMALLEST_PICTURE = 32 * 32


class Computer(NamedTuple):
    """A clinic's computer, as far as a command could write to it without an address in mind."""

    base: Path
    state: Path

    @property
    def everything(self) -> Path:
        return self.base.parent

    @property
    def attributes(self) -> Path:
        return self.base / "site" / "attributes"

    @property
    def short(self) -> tuple[object, ...]:
        """Words for the command: only the start of the recording, into the same place."""
        return (self.base / "short" / "child.mp4", "--out", self.attributes)

    def extract(
        self, *words: object, plant: str = ""
    ) -> tuple["subprocess.CompletedProcess[str]", Writes]:
        return watched(
            self.base,
            *("extract", *words, "--jobs", 1),
            plant=plant,
            cwd=self.base / "work",
            FEDAFFECT_STATE=str(self.state),
        )

    def unexpected(self, writes: Writes) -> set[str]:
        """What was written that should not be, by its path from the folder of all."""
        names = {
            path.relative_to(self.everything).as_posix()
            if path.is_relative_to(self.everything)
            else str(path)
            for path in writes.paths
        }
        return {name for name in names if not ALLOWED.fullmatch(name)}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Computer:
    """One child's recording of 21 s, so that finished stretches are kept, imported."""
    everything = tmp_path_factory.mktemp("clinic")
    base, state = everything / "pc", everything / "state"
    for name, times in (("recordings", 9), ("short", 1)):
        (base / name).mkdir(parents=True)
        video = base / name / "child.mp4"
        if reference := os.environ.get("FEDAFFECT_DATA"):
            loop_clip(Path(reference) / "media" / "single_face.mp4", video, times)
        else:
            encode(video, [face()] * 58 * times)
    table = everything / "children.csv"
    table.write_text("participant,video,diagnosis,consent,finished\nchild,child.mp4,ASD,yes,yes\n")
    site = ("--site", base / "site")
    for words in (
        ("init", base / "site", "--name", "North"),
        ("import", table, *site, "--recordings", base / "recordings"),
    ):
        done = run_command(*words, FEDAFFECT_STATE=str(state))
        assert done.returncode == 0, done.stderr
    return Computer(base, state)


@pytest.fixture
def computer(clinic) -> Computer:
    """The same for every test, nothing extracted yet."""
    shutil.rmtree(clinic.attributes, ignore_errors=True)
    for name in ("home", "tmp", "work"):
        shutil.rmtree(clinic.base / name, ignore_errors=True)
        (clinic.base / name).mkdir()
    return clinic


def picture_in(file: Path) -> str | None:
    """Why a file is not just the numbers of an attribute file; None if it is."""
    try:
        content = pq.ParquetFile(file)
    except pa.ArrowInvalid:
        return "not a Parquet file"
    schema = content.schema_arrow
    if set(schema.names) - COLUMNS or set(schema.types) - NUMBERS:
        return "columns that are not known numbers"
    notes = sum(len(key) + len(value) for key, value in (schema.metadata or {}).items())
    if set(schema.metadata or {}) != {b"fedaffect.attributes"} or notes > 2500:
        return "more than a note on the origin"
    groups = [content.metadata.row_group(index) for index in range(content.num_row_groups)]
    chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
    columns = sum(chunk.total_compressed_size for chunk in chunks)
    if file.stat().st_size - columns - content.metadata.serialized_size > 100:
        return "bytes that belong to no column"
    return None


def test_only_attributes_are_written_and_they_are_only_numbers(computer):
    done, writes = computer.extract("--site", computer.base / "site")
    assert done.returncode == 0, done.stderr
    assert computer.unexpected(writes) == set()
    # No connection, no other program, no link.
    assert {kind for kind, _ in writes.noted} == {"open", "rename", "os.mkdir"}
    assert not writes.shared_memory or max(writes.shared_memory.values()) < SMALLEST_PICTURE
    # Every file got its name in the end: two stretches and the whole.
    assert len(writes.copies) == 3
    assert [picture_in(file) for file in writes.copies] == [None] * 3
    left = {path.name for path in computer.attributes.iterdir()}
    assert left == {"child.parquet"}
    for folder in ("home", "tmp", "work"):
        assert not list((computer.base / folder).iterdir())


PLANT = """
if "--multiprocessing-fork" in sys.orig_argv:
    import cv2, mmap, numpy, client.extraction.rows as rows
    from multiprocessing.shared_memory import SharedMemory
    from pathlib import Path
    crop_rgb, kept = rows.crop_rgb, []

    def crop_and_write(*arguments):
        crop = crop_rgb(*arguments)
        if not kept:
            kept.append(SharedMemory(create=True, size=crop.nbytes))
            kept[0].unlink()
            cv2.imwrite(os.environ["TMPDIR"] + "/native.png", crop)
            numpy.save(os.environ["HOME"] + "/python.npy", crop)
            hidden = Path({hidden!r})
            hidden.parent.mkdir(exist_ok=True)
            Path(str(hidden) + ".x").write_bytes(crop.tobytes())
            Path(str(hidden) + ".x").replace(hidden)
        return crop

    rows.crop_rgb = crop_and_write
"""


def test_the_watch_catches_a_crop_wherever_it_is_written(computer):
    hidden = computer.attributes / ".child.partial" / "00000.parquet"
    done, writes = computer.extract(*computer.short, plant=PLANT.format(hidden=str(hidden)))
    assert done.returncode == 0, done.stderr
    python = {path for kind, path in writes.noted if kind == "open"}
    assert str(computer.base / "home" / "python.npy") in python
    # OpenCV writes by itself, which the interpreter does not know.
    assert str(computer.base / "tmp" / "native.png") not in python
    assert {"pc/home/python.npy", "pc/tmp/native.png"} <= computer.unexpected(writes)
    assert max(writes.shared_memory.values()) >= SMALLEST_PICTURE
    # Under a name that is allowed, and replaced by the real stretch later.
    assert [picture_in(file) for file in writes.copies].count("not a Parquet file") == 1


def test_a_picture_in_an_attribute_file_is_no_number(tmp_path, extractor):
    encode(tmp_path / "child.mp4", [face()] * 12)
    file = tmp_path / "child.parquet"
    write_attributes(file, extractor.extract(tmp_path / "child.mp4", "child").series)
    assert picture_in(file) is None
    table, crop = pq.read_table(file), face().tobytes()
    notes = {**table.schema.metadata, b"thumbnail": crop}
    for reason, changed in {
        "columns that are not known numbers": table.append_column("crop", pa.array([crop] * 12)),
        "more than a note on the origin": table.replace_schema_metadata(notes),
    }.items():
        pq.write_table(changed, tmp_path / "changed.parquet")
        assert picture_in(tmp_path / "changed.parquet") == reason
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + crop + whole[4:])
    assert picture_in(file) == "bytes that belong to no column"
    file.write_bytes(crop)
    assert picture_in(file) == "not a Parquet file"


SUPPORT = Path(__file__).parents[2] / "support"

if can_confine():

    def test_the_command_works_where_it_can_write_nowhere_else(computer):
        attributes = computer.attributes
        attributes.mkdir()
        done = run_command(
            *("extract", *computer.short, "--jobs", 1),
            before=f"import write_watch; write_watch.confine([{str(attributes)!r}])",
            PYTHONPATH=f"{ROOT}{os.pathsep}{SUPPORT}",
        )
        assert done.returncode == 0, done.stderr
        assert read_attributes(attributes / "child.parquet").face_found.all()
        assert [path.name for path in attributes.iterdir()] == ["child.parquet"]

    def test_confined_code_can_write_nowhere_else(tmp_path):
        inside, outside = tmp_path / "inside", tmp_path / "outside"
        inside.mkdir()
        outside.mkdir()
        program = f"""
import cv2, numpy, os, write_watch
write_watch.confine([{str(inside)!r}])
for folder in ({str(inside)!r}, {str(outside)!r}, "/dev/shm"):
    cv2.imwrite(folder + "/native.png", numpy.zeros((9, 9)))
    try:
        open(folder + "/python", "w").close()
    except PermissionError:
        print("refused")
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(SUPPORT), "OPENCV_LOG_LEVEL": "OFF"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "refused\nrefused\n"
        assert {path.name for path in inside.iterdir()} == {"native.png", "python"}
        assert not list(outside.iterdir())
