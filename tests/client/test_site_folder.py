import json
import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_federation import phi

from client.site_folder import FrozenParticipants, SiteFolder, create_site_folder
from shared.errors import InputError
from shared.privacy.masks import MaskKey

FROZEN = FrozenParticipants(("P1", "P2", "P3"), phi(3, 6), np.array([True, False, True]))


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))


def modes(root):
    return {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [root, *root.rglob("*")]
    }


@pytest.mark.skipif(os.name != "posix", reason="other systems keep no POSIX permissions")
@pytest.mark.parametrize("there_before", [False, True])
def test_a_new_site_is_its_owners_only(tmp_path, there_before):
    root = tmp_path / "a" / "site"
    if there_before:
        root.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        folder = create_site_folder(root, "Clinic North")
    finally:
        os.umask(before)
    found = modes(folder.root)
    folders = {".", "secrets", "studies"}
    files = {"site.toml", "ledger.jsonl", "secrets/mask.key", "secrets/noise.key"}
    assert found.keys() >= folders | files
    assert {found[name] for name in folders} == {0o700}
    assert {mode for name, mode in found.items() if name not in folders} == {0o600}


def test_a_new_site_has_limits_keys_and_an_empty_ledger(tmp_path):
    folder = create_site_folder(tmp_path / "site", " Clinic North ", epsilon=3, delta=1e-6)
    policy = folder.policy()
    assert (policy.name, policy.epsilon, policy.delta) == ("Clinic North", 3.0, 1e-6)
    assert policy.smallest_collusion_margin == 1
    with folder.ledger().locked() as book:
        assert book.created.clinic == "Clinic North"
        assert not book.studies
    assert len(folder.noise_secret()) == 32


def test_two_sites_share_no_secret(tmp_path):
    one, other = (create_site_folder(tmp_path / name, name) for name in ("a", "b"))
    assert one.mask_key() != other.mask_key()
    assert one.noise_secret() != other.noise_secret()
    assert one.mask_key().to_bytes() != one.noise_secret()
    assert one.mask_key().public == SiteFolder(one.root).mask_key().public


@pytest.mark.parametrize(
    "name", ['Kinderklinik "Süd" \\ Nord', "O'Hara = [1]\t", "診療所", "a" * 100]
)
def test_any_name_a_clinic_may_have_is_kept(tmp_path, name):
    folder = create_site_folder(tmp_path / "site", name)
    assert folder.policy().name == name.strip()


@pytest.mark.parametrize("name", ["Clinic \N{HOSPITAL}", "\N{CJK UNIFIED IDEOGRAPH-20000}"])
def test_a_name_beyond_the_basic_plane_is_kept(tmp_path, name):
    assert create_site_folder(tmp_path / "site", name).policy().name == name


@pytest.mark.parametrize("name", ["", "   ", "a" * 101])
def test_a_name_of_no_use_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(InputError, match="give 1 to 100 characters"):
        create_site_folder(tmp_path / "site", name)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("limits", [{"delta": 2.0}, {"epsilon": -1.0}, {"epsilon": 1e6}])
def test_limits_of_no_use_are_refused_before_anything_is_made(tmp_path, limits):
    with pytest.raises(InputError):
        create_site_folder(tmp_path / "site", "North", **limits)
    assert not (tmp_path / "site").exists()


def test_nothing_is_overwritten(tmp_path):
    folder = create_site_folder(tmp_path / "site", "North")
    before = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="is not an empty folder"):
        create_site_folder(folder.root, "South")
    assert {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()} == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not an empty folder"):
        create_site_folder(tmp_path / "file", "South")


@pytest.mark.parametrize("which", ["mask", "noise"])
@pytest.mark.parametrize("content", [None, b"", b"00" * 31, b"zz" * 32, b"\xff" * 64, b"00" * 33])
def test_a_lost_or_damaged_secret_is_told_and_not_made_anew(tmp_path, which, content):
    folder = create_site_folder(tmp_path / "site", "North")
    path = folder.root / "secrets" / f"{which}.key"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    read = folder.mask_key if which == "mask" else folder.noise_secret
    with pytest.raises(InputError, match=f"{which}.key is .*copy it back from a backup") as told:
        read()
    assert "zz" not in str(told.value)
    assert path.exists() == (content is not None)


def test_a_key_file_may_end_in_a_newline_of_any_system(tmp_path):
    folder = create_site_folder(tmp_path / "site", "North")
    key = folder.mask_key()
    (folder.root / "secrets" / "mask.key").write_bytes(key.to_bytes().hex().encode() + b"\r\n")
    assert folder.mask_key() == key
    assert isinstance(key, MaskKey)


@given(
    st.lists(st.text(max_size=10), max_size=5, unique=True),
    st.integers(1, 8),
    st.integers(0, 100),
)
def test_frozen_participants_come_back_as_they_were(tmp_path_factory, names, k, seed):
    labels = np.random.default_rng(seed).random(len(names)) < 0.5
    frozen = FrozenParticipants(tuple(names), phi(len(names), k, seed), labels)
    path = tmp_path_factory.mktemp("frozen") / "participants.json"
    frozen.write(path)
    found = FrozenParticipants.read(path)
    assert found.digest == frozen.digest
    assert found.participants == frozen.participants
    np.testing.assert_array_equal(found.vectors, frozen.vectors)
    assert found.vectors.dtype == np.int64
    assert found.asd.dtype == np.bool_


def test_the_digest_of_frozen_participants_tells_every_name_number_and_label():
    def altered(**changes):
        fields = {
            "participants": FROZEN.participants,
            "vectors": FROZEN.vectors.copy(),
            "asd": FROZEN.asd.copy(),
        }
        return FrozenParticipants(**(fields | changes)).digest

    vectors = FROZEN.vectors.copy()
    vectors[1, 3] += 1
    assert altered() == FROZEN.digest
    others = {
        altered(participants=("P1", "P2", "P4")),
        altered(participants=("P2", "P1", "P3")),
        altered(vectors=vectors),
        altered(vectors=FROZEN.vectors[[1, 0, 2]]),
        altered(asd=~FROZEN.asd),
    }
    assert len(others | {FROZEN.digest}) == 6


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-20],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace("vectors", "rows"),
        lambda text: text.replace('"dimension": 6', '"dimension": 5'),
        lambda text: json.dumps({**json.loads(text), "vectors": [[0.5] * 6] * 2 + [["x"] * 6]}),
        lambda text: None,
    ],
)
def test_damaged_participants_are_told(tmp_path, spoil):
    path = tmp_path / "participants.json"
    FROZEN.write(path)
    text = spoil(path.read_text())
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match=r"participants.json is missing or damaged; copy it back"):
        FrozenParticipants.read(path)
