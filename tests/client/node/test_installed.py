import json

import pytest
from set_up_server import invited, set_up

from client.node import installed
from client.node.installed import check_software, installed_wheel_sha256
from shared.errors import InputError


@pytest.fixture
def invitation(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "software", lambda: "fedaffect 0.1.0")
    return invited(set_up(tmp_path / "server"), wheel_sha256="ab" * 32)


def test_the_version_of_the_invitation_is_accepted(invitation):
    assert check_software(invitation, "ab" * 32) == "fedaffect 0.1.0"
    assert check_software(invitation, "") == "fedaffect 0.1.0"  # nobody can tell


def test_another_version_is_refused(invitation, monkeypatch):
    monkeypatch.setattr(installed, "software", lambda: "fedaffect 0.2.0")
    with pytest.raises(InputError, match=r"for fedaffect 0\.1\.0, and fedaffect 0\.2\.0 is"):
        check_software(invitation, "")


def test_another_wheel_is_refused(invitation):
    with pytest.raises(InputError, match="install the coordinator's wheel"):
        check_software(invitation, "cd" * 32)


@pytest.mark.parametrize(
    ("noted", "found"),
    [
        (json.dumps({"archive_info": {"hashes": {"sha256": "ab" * 32}}}), "ab" * 32),
        (json.dumps({"url": "file:///w", "archive_info": {}}), ""),
        (json.dumps({"url": "file:///w", "dir_info": {"editable": True}}), ""),
        (json.dumps({"archive_info": {"hashes": {"sha256": "no hash"}}}), ""),
        (json.dumps({"archive_info": None}), ""),
        ("damaged", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_what_pip_noted_is_read(monkeypatch, noted, found):
    class Distribution:
        def read_text(self, name):
            assert name == "direct_url.json"
            return noted

    monkeypatch.setattr(installed, "distribution", lambda name: Distribution())
    assert installed_wheel_sha256() == found


def test_from_sources_nothing_is_noted(monkeypatch):
    def missing(name):
        raise installed.PackageNotFoundError(name)

    monkeypatch.setattr(installed, "distribution", missing)
    assert installed_wheel_sha256() == ""
