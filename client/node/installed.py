"""Is what is installed here what the invitation asks for?"""

import json
import re
from importlib.metadata import PackageNotFoundError, distribution

from shared.deployment.invitation import Invitation
from shared.errors import InputError
from shared.software import software

__all__ = ["check_software", "installed_wheel_sha256"]

_SHA256 = re.compile(r"[0-9a-f]{64}", flags=re.ASCII)


def check_software(invitation: Invitation, wheel_sha256: str) -> str:
    """Refuse another version, or another wheel, than the invitation names.

    Parameters
    ----------
    invitation : Invitation
    wheel_sha256 : str
        Of the wheel that is installed; empty when nobody can tell.

    Returns
    -------
    str
        Name and version of what is installed.

    Raises
    ------
    InputError
    """
    here = software()
    if here != invitation.software:
        raise InputError(
            f"the invitation is for {invitation.software}, and {here} is installed; install that "
            "version, then join again"
        )
    if invitation.wheel_sha256 and wheel_sha256 and wheel_sha256 != invitation.wheel_sha256:
        raise InputError(
            f"the invitation names the wheel with SHA-256 {invitation.wheel_sha256}, and the one "
            f"installed had {wheel_sha256}; install the coordinator's wheel, then join again"
        )
    return here


def installed_wheel_sha256() -> str:
    """SHA-256 that pip noted when it installed a wheel from a file or address (PEP 610).

    Returns
    -------
    str
        Empty when it noted none, as for a program that runs from its sources.
    """
    try:
        noted = json.loads(distribution("fedaffect").read_text("direct_url.json") or "{}")
        hashes = noted.get("archive_info", {}).get("hashes", {})
        found = str(hashes.get("sha256", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return ""
    return found if _SHA256.fullmatch(found) else ""
