"""OpenVINO without the report it sends, and one runtime of it a process.

``import openvino`` alone tells Google Analytics about it and leaves a client number in the home
folder (package ``openvino-telemetry``, a dependency of OpenVINO). Where that package cannot be
imported OpenVINO takes a stand-in of its own that does nothing.
"""

import sys
from functools import cache
from typing import Any

__all__ = ["import_openvino", "openvino_core"]


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


@cache
def openvino_core() -> Any:
    """The one ``openvino.Core`` of this process, kept until it ends.

    Each core's CPU plugin gives the thread a stack for signals of its own and puts the former one
    back when it goes. Of two that go in the order they came, the second puts back the stack that
    the first has freed, and the next Ctrl-C crashes the process (OpenVINO 2026.4).
    """
    return import_openvino().Core()
