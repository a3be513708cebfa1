"""A coordinator's server folder and the files that pass between it and a clinic."""

import datetime
from pathlib import Path
from typing import Any

from client.node.joining import Joined, join
from server.deployment.clinics import KnownClinic
from server.deployment.inviting import invite
from server.deployment.registering import register
from server.deployment.server_folder import ServerFolder
from server.deployment.setting_up import create_server_folder
from server.deployment.settings import ServerSettings
from shared.deployment.invitation import Invitation

NOW = datetime.datetime(2027, 3, 1, 9, 30, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NORTH = "Clinic North"
SOFTWARE = "fedaffect 0.1.0"


def set_up(root: Path, *hosts: str, now: datetime.datetime = NOW, **settings: Any) -> ServerFolder:
    chosen = ServerSettings(hosts=hosts or ("fl.example.org",), **settings)
    return create_server_folder(root, chosen, now)


def invited(server: ServerFolder, name: str = NORTH, **options: Any) -> Invitation:
    fields: dict[str, Any] = {"software": SOFTWARE, "days": 14, "now": NOW}
    return invite(server, name, **(fields | options))


def joined(
    invitation: Invitation, site: Path, now: datetime.datetime = NOW, software: str = SOFTWARE
) -> Joined:
    return join(invitation, site, software=software, now=now)


def registered(server: ServerFolder, answer: Joined, now: datetime.datetime = NOW) -> KnownClinic:
    return register(server, answer.registration, answer.registration.fingerprint, now)
