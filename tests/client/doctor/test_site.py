import pytest

from client.doctor.clip import ClipKind, make_clip
from client.doctor.site import (
    check_ledger,
    check_participants,
    check_recordings,
    check_settings,
)
from client.site_folder import create_site_folder
from client.site_participants import read_site_participants, store_site_participants
from shared.errors import InputError, LedgerError
from shared.participants import ParticipantRow


@pytest.fixture
def folder(tmp_path):
    return create_site_folder(tmp_path / "site", "Clinic North")


def person(name, video, *, consent=True):
    return ParticipantRow(name, asd=True, consented=consent, finished=True, video=video)


@pytest.fixture
def imported(folder, tmp_path):
    """Three usable participants with a whole, a damaged and a missing recording; one other."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    make_clip(str(recordings / "whole.mp4"), ClipKind(320, 192, bits_per_s=2e5), 48)
    (recordings / "damaged.mp4").write_bytes(b"no video")
    rows = [
        person("P1", "whole.mp4"),
        person("P2", "damaged.mp4"),
        person("P3", "missing.mp4"),
        person("P4", "secret.mp4", consent=False),
    ]
    store_site_participants(folder, rows, recordings)
    return folder


def test_a_new_site_is_in_order(folder):
    assert "Clinic North" in check_settings(folder).text
    assert check_ledger(folder).numbers == {"events": 1}
    found = check_participants(folder)
    assert found.status == "warning"
    assert f"import MANIFEST.csv --site {folder.root}" in found.advice
    assert check_recordings(folder, found.value).status == "warning"


@pytest.mark.parametrize(
    "addition", ["[quality]\nshortest = 3", "[quality]\ndoubtful_face_share = 0.1", "broken ="]
)
def test_wrong_settings_are_said(folder, addition):
    path = folder.root / "site.toml"
    path.write_text(path.read_text() + addition)
    with pytest.raises(InputError, match=r"site\.toml"):
        check_settings(folder)


def test_a_ledger_that_was_edited_is_said(folder):
    path = folder.root / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"North", b"South"))
    with pytest.raises(LedgerError):
        check_ledger(folder)


def test_participants_are_counted(imported):
    found = check_participants(imported)
    assert found.status == "passed"
    assert found.text == "4 imported, 3 of them usable"
    assert found.value.usable == read_site_participants(imported).usable


def test_a_list_without_anybody_usable_is_said(folder, tmp_path):
    store_site_participants(folder, [person("P1", "a.mp4", consent=False)], tmp_path)
    found = check_participants(folder)
    assert found.status == "warning"
    assert "nobody consented and finished" in found.text


def test_recordings_that_cannot_be_opened_are_named(imported):
    found = check_recordings(imported, read_site_participants(imported))
    assert found.status == "warning"
    assert found.text == "1 of 3 can be opened, 0 are extracted; not P2, P3"
    assert found.numbers["recorded_s"] == pytest.approx(2.0)
    assert found.value.headers == found.value.to_do
    imported.attributes.mkdir()
    (imported.attributes / "P1.parquet").touch()
    found = check_recordings(imported, read_site_participants(imported))
    assert "1 are extracted" in found.text
    assert len(found.value.headers) == 1
    assert found.value.to_do == ()


def test_recordings_none_of_which_opens_fail(imported, tmp_path):
    (tmp_path / "recordings" / "whole.mp4").unlink()
    found = check_recordings(imported, read_site_participants(imported))
    assert found.status == "failed"
    assert "P1, P2, P3" in found.text


def test_a_recordings_folder_that_is_gone_is_said(imported, tmp_path):
    (tmp_path / "recordings").rename(tmp_path / "unplugged")
    with pytest.raises(InputError, match="plug in the disk"):
        check_recordings(imported, read_site_participants(imported))
