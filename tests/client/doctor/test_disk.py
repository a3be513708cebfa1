import os
import shutil
from pathlib import Path

import filelock
import pytest

from client.doctor import disk as module
from client.doctor.disk import (
    check_file_system,
    check_rights,
    check_space,
    check_synced,
    synced_by,
)
from client.ledger.disk import Disk
from client.site_folder import create_site_folder


def test_space_is_compared_with_what_the_recordings_need(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    assert check_space(tmp_path, 1).numbers["free_bytes"] > 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=600_000_000))
    assert check_space(tmp_path, 10).status == "passed"
    full = check_space(tmp_path, 200)
    assert full.status == "failed"
    assert "600 MB free" in full.text
    assert "200 recordings" in full.text


def test_a_folder_is_tried_and_left_as_it_was(tmp_path):
    assert check_file_system(tmp_path).status == "passed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError(13, "Permission denied"), "the right to write there"),
        (OSError(28, "No space left on device"), "make room"),
    ],
)
def test_a_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch, error, advice):
    def refuse(**_):
        raise error

    monkeypatch.setattr(module.tempfile, "mkdtemp", refuse)
    found = check_file_system(tmp_path)
    assert found.status == "failed"
    assert error.strerror in found.text
    assert advice in found.advice


def test_a_folder_that_is_not_there_is_said(tmp_path):
    found = check_file_system(tmp_path / "none")
    assert found.status == "failed"
    assert "nothing can be written" in found.text


def test_a_disk_that_cannot_sync_is_refused(tmp_path):
    class NoSync(Disk):
        def sync(self, handle):
            raise OSError(22, "Invalid argument")

    found = check_file_system(tmp_path, NoSync())
    assert found.status == "failed"
    assert "Invalid argument" in found.text
    assert "own disk" in found.advice
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), NotImplementedError()])
def test_a_disk_that_cannot_lock_is_refused(tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert "cannot be locked" in check_file_system(tmp_path).text


def test_locks_that_lock_nothing_out_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module.filelock, "FileLock", _Open)
    assert "cannot be locked" in check_file_system(tmp_path).text


class _Open:
    def __init__(self, *_, **__):
        return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return

    def acquire(self):
        return

    def release(self):
        return


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
def test_a_site_folder_that_others_can_read_is_said(tmp_path):
    site = create_site_folder(tmp_path / "site", "North").root
    assert check_rights(site).status == "passed"
    (site / "secrets" / "mask.key").chmod(0o644)
    found = check_rights(site)
    assert found.status == "warning"
    assert "mask.key" in found.text
    assert f"chmod -R go-rwx {site}" in found.advice
    for number in range(5):
        (site / f"{number}.txt").touch(0o644)
    assert "and 3 more" in check_rights(site).text


@pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
def test_a_folder_of_another_user_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: -1)
    assert "belongs to another user" in check_rights(tmp_path).text


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("OneDrive - Clinic North/study", "OneDrive"),
        ("Dropbox/study", "Dropbox"),
        ("Library/Mobile Documents/com~apple~CloudDocs/site", "iCloud"),
        ("Library/CloudStorage/GoogleDrive-x/site", "a cloud service"),
        ("Box/site", "Box"),
        ("Inbox/boxes/site", None),
        ("my drive is here/site", None),
    ],
)
def test_folders_of_cloud_services_are_known_by_name(tmp_path, path, service):
    folder = tmp_path / path
    folder.mkdir(parents=True)
    assert synced_by(folder, {}) == service


def test_folders_of_cloud_services_are_known_by_their_marks(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "site"
    folder.mkdir(parents=True)
    assert synced_by(folder, {"OneDrive": str(tmp_path / "data")}) == "OneDrive"
    (tmp_path / "data" / ".stfolder").touch()
    assert synced_by(folder, {}) == "Syncthing"
    # In the home folder these are settings of the service, not what it copies.
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "data")
    assert synced_by(folder, {}) is None


def test_a_link_into_a_cloud_folder_is_seen_through(tmp_path):
    (tmp_path / "Dropbox").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "Dropbox")
    found = check_synced([tmp_path / "site"], {})
    assert found.status == "warning"
    assert "copied away by Dropbox" in found.text
    assert check_synced([tmp_path], {}).status == "passed"
