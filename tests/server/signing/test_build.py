import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from signed_bundles import program_folder

from server.signing.build import build_bundle, program_source
from shared.errors import InputError

ROOT = Path(__file__).parents[3]


def test_the_same_source_gives_the_same_bytes_wherever_and_whenever(tmp_path):
    first = build_bundle(program_folder(tmp_path / "one"))
    copied = tmp_path / "two" / "copied"
    shutil.copytree(tmp_path / "one", copied)
    for path in sorted(copied.rglob("*")):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    assert build_bundle(copied).content == first.content
    # A version control tool on another system changed the line ends.
    for path in copied.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert build_bundle(copied).content == first.content
    (copied / "small" / "client_side.py").write_text("app = None\n")
    assert build_bundle(copied).facts.sha256 != first.facts.sha256


def test_no_entry_depends_on_the_computer(tmp_path):
    with zipfile.ZipFile(io.BytesIO(build_bundle(program_folder(tmp_path)).content)) as archive:
        marks = {
            (m.create_system, m.external_attr, m.date_time, m.compress_type)
            for m in archive.infolist()
        }
    assert marks == {(3, 0o600 << 16, (2024, 10, 1, 0, 0, 0), zipfile.ZIP_STORED)}


def test_the_bytes_are_those_of_flowers_own_build(tmp_path):
    from flwr.cli.build import build_fab_from_disk

    source = program_folder(tmp_path)
    assert build_bundle(source).content == build_fab_from_disk(source)


def test_files_that_do_not_belong_do_not_enter(tmp_path):
    source = program_folder(tmp_path / "program")
    before = build_bundle(source).content
    (source / ".gitignore").write_text("secret_*\n")
    (source / "small" / "secret_notes.py").write_text("x = 1\n")
    (source / "small" / "test_small.py").write_text("x = 1\n")
    (source / "small" / "__pycache__").mkdir()
    (source / "small" / "__pycache__" / "a.py").write_text("x = 1\n")
    (source / "children.csv").write_text("a,b\n")
    (source / "more").mkdir()
    (source / "more" / "a.py").write_text("x = 1\n")
    (tmp_path / "outside.py").write_text("x = 1\n")
    if os.name == "posix":
        (source / "small" / "linked.py").symlink_to(tmp_path / "outside.py")
    assert build_bundle(source).content == before


def test_this_program_becomes_a_bundle_with_both_of_its_parts(tmp_path):
    assert program_source() == ROOT
    bundle = build_bundle(ROOT)
    assert {"client/app.py", "server/app.py", "LICENSE", "pyproject.toml"} <= set(bundle.files)
    assert not [name for name in bundle.files if name.startswith(("tests/", "simulations/"))]
    # Flower unpacks it and the clinic's part starts from it, without the checkout.
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        archive.extractall(tmp_path)
    program = "import client.app, server.app, shared; print(shared.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no pyproject\.toml"):
        build_bundle(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(InputError, match="no bundle can be built"):
        build_bundle(tmp_path)
    source = program_folder(tmp_path / "program")
    (source / "LICENSE").unlink()
    with pytest.raises(InputError, match="LICENSE"):
        build_bundle(source)
    text = (source / "pyproject.toml").read_text()
    (source / "LICENSE").write_text("x")
    (source / "pyproject.toml").write_text(text.replace("0.1.0", "0.1.0rc1"))
    with pytest.raises(InputError, match="a version of three numbers"):
        build_bundle(source)


def test_an_installed_program_says_that_its_source_is_needed(tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr("shared.__file__", str(tmp_path / "shared" / "__init__.py"))
    with pytest.raises(InputError, match="--source"):
        program_source()
