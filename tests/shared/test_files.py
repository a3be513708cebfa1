import hashlib

import pytest

from shared.files import atomic_path, sha256_of, write_atomic


def test_writes_text_and_bytes_and_makes_the_folder(tmp_path):
    target = tmp_path / "new" / "deep" / "file.txt"
    write_atomic(target, "first – ε\n")
    assert target.read_text(encoding="utf-8") == "first – ε\n"
    write_atomic(target, b"\x00second")
    assert target.read_bytes() == b"\x00second"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path):
    target = tmp_path / "file.txt"
    write_atomic(target, "old")

    def fail_half_way():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            assert target.read_text() == "old"  # not there before the end
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_only_the_owner_can_read_the_file(tmp_path):
    write_atomic(tmp_path / "file.txt", "x")
    assert (tmp_path / "file.txt").stat().st_mode & 0o077 == 0


def test_sha256(tmp_path):
    write_atomic(tmp_path / "file", b"abc" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()
