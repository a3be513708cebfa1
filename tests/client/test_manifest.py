import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.manifest import Flow, read_manifest
from shared.errors import InputError

HEADER = "participant,video,diagnosis,consent,finished\n"


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "rec"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (folder / name).write_bytes(b"x")
    return folder


def manifest(folder, text):
    path = folder.parent / "m.csv"
    path.write_text(HEADER + text)
    return path


def test_the_flow_goes_from_recorded_to_usable(recordings):
    rows = [f"P{i:03},v{i}.mp4,ASD,{'no' if i < 8 else 'yes'}," for i in range(105)]
    rows = [row + ("no" if 8 <= i < 17 or i == 2 else "yes") for i, row in enumerate(rows)]
    for i in range(8, 105):
        (recordings / f"v{i}.mp4").write_bytes(b"x")
    read = read_manifest(manifest(recordings, "\n".join(rows)), recordings)
    assert read.flow == Flow(105, 97, 88, 88)
    assert str(read.flow) == "105 recorded → 97 consented → 88 finished → 88 usable"
    assert len(read.rows) == 105


def test_recordings_without_consent_are_never_touched(recordings, monkeypatch):
    text = "P1,a.mp4,ASD,yes,yes\nP2,secret.mp4,ASD,no,yes\nP3,secret2.mp4,non-ASD,no,no\n"
    touched = []
    real_stat, real_lstat, real_access = os.stat, os.lstat, os.access

    def watched(real):
        def call(path, *arguments, **options):
            touched.append(str(path))
            return real(path, *arguments, **options)

        return call

    path = manifest(recordings, text)
    monkeypatch.setattr(os, "stat", watched(real_stat))
    monkeypatch.setattr(os, "lstat", watched(real_lstat))
    monkeypatch.setattr(os, "access", watched(real_access))
    read = read_manifest(path, recordings)
    assert [row.video for row in read.rows] == ["a.mp4", "secret.mp4", "secret2.mp4"]
    assert any("a.mp4" in name for name in touched)
    assert not any("secret" in name for name in touched)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P1,none.mp4,ASD,yes,yes\n", "line 2: column video names no file"),
        ("P1,none.mp4,ASD,yes,no\n", "line 2: column video names no file"),
        ("P1,,ASD,yes,yes\n", "line 2: column video is empty"),
        ("P1,../m.csv,ASD,yes,yes\n", r"line 2: column video has '\.\.'"),
        ("P1,../m.csv,ASD,no,yes\n", r"line 2: column video has '\.\.'"),
        ("P1,/etc/passwd,ASD,yes,yes\n", "line 2: column video is an absolute path outside"),
        ("P1,a.mp4,ASD,yes,yes\nP2,./a.mp4,ASD,yes,yes\n", "line 3: column video names a record"),
        ("P1,a.mp4,ASD,yes,yes\nP2,link.mp4,ASD,yes,yes\n", "line 2: column video names a record"),
        ("P1,a.mp4,autism,yes,yes\n", "line 2: column diagnosis holds 'autism'"),
        ("P1,a.mp4,ASD,yes,yes\nP1,b.mp4,ASD,yes,yes\n", "line 2: participant P1 stands on line 3"),
    ],
)
def test_a_bad_row_refuses_the_manifest_with_its_line(recordings, text, message):
    (recordings / "link.mp4").symlink_to(recordings / "a.mp4")
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(manifest(recordings, text), recordings)
    assert "Nothing was imported" in str(caught.value)


def test_a_child_who_did_not_finish_needs_no_recording(recordings):
    read = read_manifest(manifest(recordings, "P1,,ASD,yes,no\nP2,,ASD,no,yes\n"), recordings)
    assert [row.video for row in read.rows] == [None, None]


def test_bad_rows_are_skipped_when_asked_and_listed_with_their_reason(recordings):
    text = (
        "P1,a.mp4,ASD,yes,yes\nP2,none.mp4,ASD,yes,yes\nP3,b.mp4,ASD,perhaps,yes\n"
        "P4,c.mp4,ASD,yes,yes\nP5,c.mp4,ASD,yes,yes\n"
    )
    read = read_manifest(manifest(recordings, text), recordings, skip_bad=True)
    assert [row.participant for row in read.rows] == ["P1"]
    assert [(row.line, row.participant) for row in read.skipped] == [
        *((3, "P2"), (4, "P3"), (5, "P4"), (6, "P5"))
    ]
    assert all(row.faults for row in read.skipped)
    assert read.flow == Flow(recorded=5, consented=4, finished=4, usable=1)


def test_a_manifest_without_any_good_row_is_refused_even_then(recordings):
    with pytest.raises(InputError, match="No row is left"):
        read_manifest(manifest(recordings, "P1,x,ASD,yes,yes\n"), recordings, skip_bad=True)


def test_the_column_video_is_needed(recordings):
    path = recordings.parent / "m.csv"
    path.write_text("participant,diagnosis,consent,finished\nP1,ASD,yes,yes\n")
    with pytest.raises(InputError, match="lacks the column 'video'"):
        read_manifest(path, recordings)


def test_two_hundred_thousand_rows_take_seconds(recordings):
    consents = ("yes" if i % 400 else "no" for i in range(200_000))
    rows = (f'P{i:06},"x;{i}/""{i}"" 😀.mp4",ASD,{said},no' for i, said in enumerate(consents))
    path = manifest(recordings, "\n".join(rows))
    begun = time.process_time()
    with pytest.raises(InputError, match="199500 faults"):
        read_manifest(path, recordings)
    read = read_manifest(path, recordings, skip_bad=True)
    assert read.flow == Flow(200_000, 199_500, 0, 0)
    # Two passes; about 6 s each on a slow machine, and a quadratic step would take hours.
    assert time.process_time() - begun < 60


@given(content=st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_refusal(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("m")
    path = folder / "m.csv"
    for start in (b"", HEADER.encode()):
        path.write_bytes(start + content)
        try:
            read = read_manifest(path, folder, skip_bad=True)
        except InputError:
            continue
        assert read.rows


@given(
    cells=st.lists(
        st.tuples(
            st.sampled_from(["P1", "P2", "p1", "", "😀", 'a"b']),
            st.sampled_from(["a.mp4", "", "../x", "b;c.mp4"]),
            st.sampled_from(["ASD", "non-asd", "x"]),
            st.sampled_from(["yes", "no", ""]),
            st.sampled_from(["yes", "No", "1"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_row_is_lost_and_nobody_stands_twice(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("m")
    (folder / "a.mp4").write_bytes(b"x")
    lines = (",".join('"' + c.replace('"', '""') + '"' for c in row) for row in cells)
    path = folder / "m.csv"
    path.write_text(HEADER + "\n".join(lines))
    try:
        read = read_manifest(path, folder, skip_bad=True)
    except InputError:
        return
    assert sorted([row.line for row in [*read.rows, *read.skipped]]) == list(
        range(2, len(cells) + 2)
    )
    names = [row.participant.casefold() for row in read.rows]
    assert len(set(names)) == len(names)
    assert all(row.video == "a.mp4" for row in read.rows if row.analysed)
