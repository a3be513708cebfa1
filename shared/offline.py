"""Switch off everything in the libraries that would speak to the outside world.

Flower and Ray report usage, look for updates and install packages at run time unless told not to.
Commands call this before they import either.
"""

import os
from typing import Final

__all__ = ["OFFLINE_ENVIRONMENT", "stay_offline"]

OFFLINE_ENVIRONMENT: Final = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def stay_offline() -> None:
    """Set the switches for this process and its children."""
    os.environ.update(OFFLINE_ENVIRONMENT)
