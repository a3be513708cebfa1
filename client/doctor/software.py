"""Python and the libraries: are they there, and do they load on this machine."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from client.doctor.ladder import Found
from shared.software import software

__all__ = ["check_libraries", "check_python"]

_OLDEST: Final = (3, 11)
_NEWEST: Final = (3, 13)

_NEEDED: Final = {
    # What is imported, and the package that has it.
    "av": "av",
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "torch": "torch",
    "safetensors": "safetensors",
}
_INSTALL: Final = "install the program again: `make install` in its folder"


def check_python(running: tuple[int, int] | None = None) -> Found:
    """Whether this Python is one the program was tested with."""
    major, minor = running or sys.version_info[:2]
    text = f"{major}.{minor}"
    if (major, minor) < _OLDEST:
        return Found(
            f"{text} is too old", "failed", "install Python 3.13, then the program again with it"
        )
    if (major, minor) > _NEWEST:
        return Found(
            f"{text} is newer than the program was tested with",
            "warning",
            "if something fails, install Python 3.13 and the program again with it",
        )
    return Found(text, numbers={"python": text})


def check_libraries() -> Found:
    """Whether the libraries that extraction needs can be loaded, and which versions they are."""
    from shared.affect.openvino_import import import_openvino

    there: dict[str, str] = {}
    broken: list[str] = []
    for module, package in _NEEDED.items():
        try:
            importlib.import_module(module)
        except Exception as error:
            broken.append(f"{package} ({type(error).__name__}: {error})")
        else:
            there[package] = _version(package)
    try:
        import_openvino()
    except Exception as error:
        no_openvino = f"{type(error).__name__}: {error}"
    else:
        no_openvino = ""
        there["openvino"] = _version("openvino")
    listed = f"{software()}; " + ", ".join(f"{name} {number}" for name, number in there.items())
    numbers = {"software": software(), "packages": there}
    if broken:
        text = "cannot be loaded: " + "; ".join(broken)
        return Found(text, "failed", _INSTALL, numbers)
    if no_openvino:
        return Found(
            f"{listed}; openvino cannot be loaded ({no_openvino}), PyTorch runs the network, "
            "several times slower",
            "warning",
            _INSTALL,
            numbers,
        )
    return Found(listed, numbers=numbers)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
