import dataclasses
import errno
import stat

import pytest

from client.site_folder import create_site_folder
from client.site_participants import read_site_participants, store_site_participants
from shared.errors import InputError
from shared.participants import ParticipantRow

ROWS = (
    ParticipantRow("P1", True, True, True, "a.mp4"),
    ParticipantRow("P2", False, False, True, "b.mp4"),
    ParticipantRow("P3", False, True, False, None),
    ParticipantRow("P4", False, True, True, "gone.mp4"),
)


@pytest.fixture
def folder(tmp_path):
    return create_site_folder(tmp_path / "site", "Süd 😀")


@pytest.fixture
def recordings(tmp_path):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "a.mp4").write_bytes(b"x")
    return tmp_path / "rec"


def test_what_was_stored_is_read_and_only_its_owner_can(folder, recordings):
    assert store_site_participants(folder, ROWS, recordings)
    read = read_site_participants(folder)
    assert [dataclasses.replace(row, line=0) for row in read.rows] == list(ROWS)
    assert read.recordings == recordings
    assert [row.participant for row in read.usable] == ["P1", "P4"]
    for path in (folder.participants, folder.recordings):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_storing_the_same_again_writes_nothing(folder, recordings):
    store_site_participants(folder, ROWS, recordings)
    before = folder.participants.stat().st_mtime_ns
    assert not store_site_participants(folder, ROWS, recordings)
    assert folder.participants.stat().st_mtime_ns == before
    assert store_site_participants(folder, ROWS[:2], recordings)


def test_only_recordings_of_usable_children_are_looked_for(folder, recordings):
    store_site_participants(folder, ROWS, recordings)
    first, second = read_site_participants(folder).to_read()
    assert (first.participant, first.file) == ("P1", recordings / "a.mp4")
    assert (second.participant, second.file) == ("P4", None)
    assert second.fault == "gone.mp4 names no file in the recordings folder"


def test_a_withdrawn_child_is_not_usable_whatever_the_table_says(folder, recordings):
    store_site_participants(folder, ROWS, recordings)
    with folder.ledger().locked() as book:
        book.withdraw("P1")
    read = read_site_participants(folder)
    assert read.withdrawn == {"P1"}
    assert [row.participant for row in read.usable] == ["P4"]


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_an_interrupted_store_never_joins_a_table_to_another_folder(
    folder, recordings, tmp_path, monkeypatch, moment
):
    """Writing fails at the n-th of its steps: staging two files, and taking the old place away."""
    store_site_participants(folder, ROWS, recordings)
    old = folder.participants.read_bytes()
    (tmp_path / "rec2").mkdir()
    steps = iter(range(3))
    real = type(folder.participants).write_bytes

    def write(path, content):
        if next(steps) == moment:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(type(folder.participants), "write_bytes", write)
    if moment == 2:

        def lost(source, target):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(type(folder.participants), "replace", lost)
    with pytest.raises(OSError, match=r"device|Input"):
        store_site_participants(folder, ROWS[:1], tmp_path / "rec2")
    assert folder.participants.read_bytes() == old
    assert not [file for file in folder.root.iterdir() if file.suffix == ".part"]
    if moment < 2:
        assert read_site_participants(folder).recordings == recordings
    else:
        with pytest.raises(InputError, match="cut short"):
            read_site_participants(folder)


def test_what_is_missing_is_named_with_the_next_step(folder, recordings):
    with pytest.raises(InputError, match=r"fedaffect-client import MANIFEST\.csv"):
        read_site_participants(folder)
    store_site_participants(folder, ROWS, recordings)
    for damage in (b"", b"folder = 3", b"\xff", b"folder = "):
        folder.recordings.write_bytes(damage)
        with pytest.raises(InputError, match="run `fedaffect-client import` again"):
            read_site_participants(folder)


def test_a_folder_name_that_is_no_text_is_refused(folder, recordings):
    from pathlib import Path

    with pytest.raises(InputError, match="cannot be written"):
        store_site_participants(folder, ROWS, Path("/rec\udcff"))
    assert not folder.participants.exists()
