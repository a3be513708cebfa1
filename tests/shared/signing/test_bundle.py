import hashlib
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_bundles import small

from shared.errors import InputError
from shared.signing.bundle import LARGEST_BUNDLE, parse_bundle, read_bundle


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return small(tmp_path_factory.mktemp("program") / "source").content


def repacked(content, change=lambda files: files, *, manifest=True):
    """The bundle with other files in it, and a list that fits them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [(n, archive.read(n)) for n in archive.namelist() if n != ".info/CONTENT"]
        listed = archive.read(".info/CONTENT")
    files = change(files)
    if manifest:
        listed = "\n".join(
            f"{name},{hashlib.sha256(data).hexdigest()},{len(data) * 8}" for name, data in files
        ).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in [*files, (".info/CONTENT", listed)]:
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def test_a_bundle_says_what_it_is_and_what_it_needs(good, tmp_path):
    path = tmp_path / "program.fab"
    path.write_bytes(good)
    bundle = read_bundle(path)
    facts = bundle.facts
    assert facts.app == "@fedaffect/fedaffect"
    assert facts.name == "fedaffect"
    assert facts.version == "0.1.0"
    assert facts.sha256 == hashlib.sha256(good).hexdigest()
    assert facts.requires_python == ">=3.11"
    assert facts.requires == ("flwr>=1.41,<1.42",)
    assert facts.file_name == f"fedaffect.fedaffect.0-1-0.{facts.sha256[:8]}.fab"
    assert "small/client_side.py" in bundle.files
    assert ".info/CONTENT" not in bundle.files
    assert parse_bundle(repacked(good), "x").files == bundle.files


def test_flower_reads_the_same_name_and_version(good):
    from flwr.cli.config_utils import get_fab_metadata

    assert get_fab_metadata(good) == ("fedaffect/fedaffect", "0.1.0")


def swap(name, data):
    return lambda files: [(n, data if n == name else old) for n, old in files]


PROJECT = "pyproject.toml"


@pytest.mark.parametrize(
    ("change", "manifest", "why"),
    [
        (swap("small/client_side.py", b"print()"), False, "not those that its own list names"),
        (lambda f: [*f, ("more.py", b"")], False, "not those that its own list names"),
        (lambda f: f[:-1], False, "not those that its own list names"),
        (lambda f: [*f, ("../up.py", b"")], True, "leaves its folder"),
        (lambda f: [*f, ("/root.py", b"")], True, "leaves its folder"),
        (lambda f: [*f, ("a\\b.py", b"")], True, "leaves its folder"),
        (lambda f: [*f, ("C:/b.py", b"")], True, "leaves its folder"),
        (lambda f: [*f, ("a//b.py", b"")], True, "leaves its folder"),
        (lambda f: [p for p in f if p[0] != PROJECT], True, "is missing"),
        (swap(PROJECT, b"[project"), True, "lacks"),
        (swap(PROJECT, b"\xff"), True, "lacks"),
        (swap(PROJECT, b"project = 1"), True, "lacks"),
        (swap(PROJECT, b"a = " + b"[" * 50_000), True, "lacks"),
        (lambda f: [(f"{i}.py", b"") for i in range(5001)], True, "more than a program"),
    ],
)
def test_what_is_no_whole_bundle_is_refused(good, change, manifest, why):
    with pytest.raises(InputError, match=why):
        parse_bundle(repacked(good, change, manifest=manifest), "x")


def edited_project(good, old, new):
    def change(files):
        assert any(old in data for name, data in files if name == PROJECT)
        return [(n, d.replace(old, new) if n == PROJECT else d) for n, d in files]

    return repacked(good, change)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'version = "0.1.0"', b'version = "0.1"'),
        (b'version = "0.1.0"', b'version = "0.1.0rc1"'),
        (b'version = "0.1.0"', b"version = 1"),
        (b'publisher = "fedaffect"', b'publisher = "fed affect"'),
        (b"requires-python", b"requires-snake"),
        (b"dependencies", b"independencies"),
        (b"clientapp", b"clintapp"),
    ],
)
def test_a_bundle_without_a_name_a_plain_version_or_needs_is_refused(good, old, new):
    with pytest.raises(InputError, match="no whole bundle"):
        parse_bundle(edited_project(good, old, new), "x")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused(good):
    target = io.BytesIO(good)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("small/client_side.py", "print('other')")
    with pytest.raises(InputError, match="two entries"):
        parse_bundle(target.getvalue(), "x")


def test_a_bomb_is_not_unpacked(good):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(11):
            archive.writestr(f"{number}.json", b"\0" * LARGEST_BUNDLE)
    assert len(target.getvalue()) < LARGEST_BUNDLE
    with pytest.raises(InputError, match="more than a program"):
        parse_bundle(target.getvalue(), "x")


def test_another_packing_is_refused(good):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(PROJECT, b"x")
    with pytest.raises(InputError, match="packed in a way"):
        parse_bundle(target.getvalue(), "x")


def test_missing_and_large_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_bundle(tmp_path / "none.fab")
    large = tmp_path / "large.fab"
    with large.open("wb") as stream:
        stream.truncate(LARGEST_BUNDLE + 1)
    with pytest.raises(InputError, match="larger than"):
        read_bundle(large)


@settings(max_examples=150)
@given(data=st.data())
def test_any_change_of_bytes_is_refused_or_changes_the_hash(good, data):
    where = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.integers(where, min(len(good), where + 40)))
    other = good[:where] + data.draw(st.binary(max_size=40)) + good[cut:]
    try:
        found = parse_bundle(other, "x")
    except InputError:
        return
    assert (found.facts.sha256 == hashlib.sha256(good).hexdigest()) == (other == good)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_bundle_are_refused(content):
    with pytest.raises(InputError, match="no whole bundle"):
        parse_bundle(content, "x")
