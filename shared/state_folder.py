"""Where a user's programs keep what must not be copied along with a folder of data.

A clinic's ledger counter and a server's memory of ledger heads notice that something was copied
back; they can do so only where a copy of that something does not reach.
"""

import os
import sys
from pathlib import Path
from typing import Final

from shared.errors import InputError

__all__ = ["STATE_VARIABLE", "default_state_folder"]

STATE_VARIABLE: Final = "FEDAFFECT_STATE"
"""Environment variable that names the state folder, for administrators and tests."""


def default_state_folder() -> Path:
    """Per-user folder for state that must not be copied along with a site folder.

    ``$FEDAFFECT_STATE``, or ``fedaffect`` under ``%LOCALAPPDATA%`` (Windows), ``~/Library/
    Application Support`` (macOS), ``$XDG_STATE_HOME`` or ``~/.local/state`` (others).

    Raises
    ------
    InputError
        When this user has no home folder.
    """
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Path(named).absolute()
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            base = Path(local) if local else Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Application Support"
        else:
            # The XDG specification says that a relative path is to be ignored.
            base = Path(os.environ.get("XDG_STATE_HOME") or "")
            base = base if base.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise InputError(
            f"this user has no home folder for the ledger's counter; set {STATE_VARIABLE} to a "
            "folder outside the site folder"
        ) from None
    return base / "fedaffect"
