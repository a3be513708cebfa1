"""Import OpenVINO without the report it sends.

``import openvino`` alone tells Google Analytics about it and leaves a client number in the home
folder (package ``openvino-telemetry``, a dependency of OpenVINO). Where that package cannot be
imported OpenVINO takes a stand-in of its own that does nothing.
"""

import sys
from typing import Any

__all__ = ["import_openvino"]


def import_openvino() -> Any:
    """The module ``openvino``; its reports are off in this process from now on.

    Raises
    ------
    ImportError
        When OpenVINO is not installed, or does not run on this system.
    """
    # None in sys.modules makes every later import of that name an ImportError.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
