"""The file of the YuNet face detector: which one it is, where it comes from, where it is kept.

A detector from an unknown file could report anything, so size and SHA-256 are checked whenever the
file is used. Nothing here opens a connection; ``detector_download`` does, when a person asks.
"""

import hashlib
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.files import write_atomic
from shared.state_folder import default_state_folder

__all__ = [
    "YUNET_ADDRESSES",
    "YUNET_BYTES",
    "YUNET_LICENCE",
    "YUNET_NAME",
    "YUNET_SHA256",
    "fault_of_yunet",
    "keep_yunet",
    "read_yunet",
    "stored_yunet",
]

YUNET_NAME: Final = "face_detection_yunet_2023mar.onnx"
"""As OpenCV's model zoo calls it; its authors call the same bytes ``yunet_s_640_640.onnx``."""
YUNET_BYTES: Final = 232_589
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_LICENCE: Final = "MIT (OpenCV's model zoo), Apache-2.0 (its authors)"

YUNET_ADDRESSES: Final = (
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/" + YUNET_NAME,
    # At a fixed commit, where OpenCV's own tests take it from. The zoo keeps its files in a store
    # with a monthly quota and answers with a stand-in when that is used up.
    "https://github.com/ShiqiYu/libfacedetection.train/raw/"
    "02246e79b1e976c83d1e135a85e0628120c93769/onnx/yunet_s_640_640.onnx",
)
"""Official addresses, to be asked in this order."""


def stored_yunet() -> Path:
    """Where ``fedaffect-client detector get`` keeps the file, whether or not it is there.

    Raises
    ------
    InputError
        When this user has no home folder.
    """
    return default_state_folder() / "detectors" / YUNET_NAME


def fault_of_yunet(content: bytes) -> str | None:
    """What is wrong with ``content``; None when it is the known file."""
    if len(content) != YUNET_BYTES:
        return f"{len(content)} bytes; {YUNET_NAME} has {YUNET_BYTES}"
    digest = hashlib.sha256(content).hexdigest()
    if digest != YUNET_SHA256:
        return f"SHA-256 {digest[:12]}…; {YUNET_NAME} has {YUNET_SHA256[:12]}…"
    return None


def read_yunet(file: Path | None = None) -> bytes:
    """Content of the detector file, checked.

    Parameters
    ----------
    file : Path, optional
        By default the stored one.

    Raises
    ------
    InputError
        When it is missing, cannot be read, or is not the known file.
    """
    stored = stored_yunet() if file is None else None
    path = stored or file
    assert path is not None
    again = "; fetch it again with `fedaffect-client detector get`" if stored else ""
    try:
        size = path.stat().st_size
        # The size first, so that a file of gigabytes is not read in vain.
        content = path.read_bytes() if path.is_file() and size == YUNET_BYTES else b""
    except FileNotFoundError:
        if stored is None:
            raise InputError(f"{path}: no such detector file") from None
        raise InputError(
            "--detector yunet needs its file: fetch it with `fedaffect-client detector get`, or "
            "name it with --detector-file"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}){again}") from None
    if not path.is_file():
        raise InputError(f"{path}: not a file; name the detector's file")
    if size != YUNET_BYTES:
        raise InputError(f"{path}: {size} bytes; {YUNET_NAME} has {YUNET_BYTES}{again}")
    fault = fault_of_yunet(content)
    if fault is not None:
        raise InputError(f"{path}: {fault}{again}")
    return content


def keep_yunet(content: bytes) -> Path:
    """Keep the file where ``read_yunet`` finds it.

    Parameters
    ----------
    content : bytes
        Checked here once more.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        When it is not the known file.
    OSError
        When the system refuses, as with a full disk; then nothing is left behind.
    """
    fault = fault_of_yunet(content)
    if fault is not None:
        raise InputError(fault)
    target = stored_yunet()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(target, content)
    return target
