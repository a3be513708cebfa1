import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.recordings_folder import RecordingsFolder
from shared.errors import InputError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "rec" / "sub").mkdir(parents=True)
    (tmp_path / "rec" / "sub" / "a.mp4").write_bytes(b"x")
    (tmp_path / "outside.mp4").write_bytes(b"secret")
    return tmp_path / "rec"


def find(root, video):
    folder = RecordingsFolder(root)
    return folder.find(folder.relative_path(video))


@pytest.mark.parametrize("form", ["sub/a.mp4", "sub\\a.mp4", "./sub//a.mp4", "{root}/sub/a.mp4"])
def test_every_way_to_write_a_path_inside_gives_the_same(root, form):
    assert find(root, form.format(root=root)) == ("sub/a.mp4", root / "sub" / "a.mp4")


def test_the_folder_itself_may_be_reached_through_a_link(root):
    link = root.with_name("link")
    link.symlink_to(root)
    assert find(link, f"{link}/sub/a.mp4") == ("sub/a.mp4", root / "sub" / "a.mp4")


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ("../outside.mp4", r"has '\.\.' in it"),
        ("sub/../../outside.mp4", r"has '\.\.' in it"),
        ("..\\outside.mp4", r"has '\.\.' in it"),
        ("{root}/../outside.mp4", r"has '\.\.' in it"),
        ("{root}/../rec/sub/a.mp4", r"has '\.\.' in it"),
        ("/etc/passwd", "absolute path outside"),
        ("{root}more/a.mp4", "absolute path outside"),
        ("C:\\videos\\a.mp4", "Windows path outside"),
        ("\\\\server\\videos\\a.mp4", "path outside"),
        (".", "the recordings folder itself"),
        ("a\nb.mp4", "line break"),
        ("none.mp4", "names no file"),
        ("sub/a.mp4/b", "names no file"),
        ("x" * 5000, "names no file"),
        ("sub", "is not a file"),
        ("empty.mp4", r"empty \(0 bytes\)"),
        ("out.mp4", "leads out of"),
        ("outdir/outside.mp4", "leads out of"),
        ("nowhere.mp4", "leads nowhere"),
        ("loop.mp4", "leads nowhere"),
        ("pipe", "is not a file"),
    ],
)
def test_what_is_not_a_recording_below_the_folder_is_refused(root, video, message):
    (root / "empty.mp4").touch()
    (root / "out.mp4").symlink_to(root.parent / "outside.mp4")
    (root / "outdir").symlink_to(root.parent)
    (root / "nowhere.mp4").symlink_to(root / "gone")
    (root / "loop.mp4").symlink_to(root / "loop.mp4")
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError, match=message) as caught:
        find(root, video.format(root=root))
    assert "outside.mp4" not in str(caught.value)


def test_a_link_that_stays_inside_is_followed(root):
    (root / "b.mp4").symlink_to(root / "sub" / "a.mp4")
    (root / "other").symlink_to(root / "sub")
    assert find(root, "b.mp4") == ("b.mp4", root / "sub" / "a.mp4")
    assert find(root, "other/a.mp4") == ("other/a.mp4", root / "sub" / "a.mp4")


def test_accents_written_in_the_other_way_are_found(root):
    on_disk = unicodedata.normalize("NFD", "José.mp4")
    (root / on_disk).write_bytes(b"x")
    assert find(root, unicodedata.normalize("NFC", "José.mp4"))[0] == on_disk


def test_a_file_that_may_not_be_read_is_refused(root, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="may not be read"):
        find(root, "sub/a.mp4")


def test_a_folder_is_needed(root):
    with pytest.raises(InputError, match="no such folder of recordings"):
        RecordingsFolder(root / "none")
    with pytest.raises(InputError, match="is a file"):
        RecordingsFolder(root / "sub" / "a.mp4")


PIECES = st.lists(st.sampled_from(["..", ".", "a", "/", "\\"])).map("".join)


@given(video=st.text(max_size=40) | PIECES)
def test_no_words_lead_out_of_the_folder(tmp_path_factory, video):
    folder = RecordingsFolder(tmp_path_factory.getbasetemp())
    try:
        relative = folder.relative_path(video)
    except InputError:
        return
    assert os.path.normpath(folder.root / relative).startswith(f"{folder.root}{os.sep}")
    assert folder.relative_path(relative) == relative
