import pytest

from client.doctor.clip import ClipKind, make_clip
from client.doctor.headers import Header, commonest_kind, read_headers

USUAL = Header(1280, 720, 24.0, "h264", 400.0, 250_000_000)


def test_headers_are_read_and_a_bad_file_is_none(tmp_path):
    kind = ClipKind(320, 192, 30.0, "hevc", 4e5)
    good, bad, missing = (tmp_path / name for name in ("good.mp4", "bad.mp4", "missing.mp4"))
    make_clip(str(good), kind, 60)
    bad.write_bytes(b"no video")
    found = read_headers([good, bad, missing])
    assert list(found) == [good, bad, missing]
    assert found[bad] is None
    assert found[missing] is None
    header = found[good]
    assert header[:4] == (320, 192, 30.0, "hevc")
    assert header.length_s == pytest.approx(2.0)
    assert header.size_bytes == good.stat().st_size


def test_no_files_are_no_headers():
    assert read_headers([]) == {}


def test_the_commonest_kind_is_that_of_most_recorded_time():
    short = [Header(640, 360, 30.0, "h264", 10.0, 10_000)] * 5
    long = [
        Header(1921, 1081, 29.97, "hevc", 300.0, 300_000_000),
        Header(1920, 1080, 30.0, "hevc", 100.0, 100_000_000),
    ]
    kind, alike = commonest_kind([*short, *long])
    assert alike == 2
    assert kind == ClipKind(1920, 1080, 30.0, "hevc", 8e6)


@pytest.mark.parametrize(
    "headers",
    [[], [USUAL._replace(codec="prores")], [USUAL._replace(length_s=None)]],
)
def test_without_a_kind_that_can_be_made_the_usual_one_is_taken(headers):
    assert commonest_kind(headers) == (ClipKind(), 0)
