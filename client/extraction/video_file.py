"""Open one video file, and nothing but that file.

A recording comes from outside, and FFmpeg opens far more than videos: play lists and lists of files
that name other files of this computer or addresses in the network, raw devices, pictures by the
thousand. So the file is opened here, as a regular file, FFmpeg gets its bytes and nothing else, and
only containers that cameras and tablets write are tried. What a name ends in says nothing about the
content and is not looked at.

A tiny file can declare a huge picture. Pictures above ``LARGEST_PICTURE`` are refused before memory
is taken for them; only in MPEG program streams FFmpeg takes the memory for one (about 1.2 GB at
most) before its size is known here.
"""

import io
import os
import stat
from pathlib import Path
from typing import Any, Final

from shared.errors import InputError

__all__ = ["LARGEST_PICTURE", "VideoFile"]

LARGEST_PICTURE: Final = 8192 * 4320
"""Pixels; 8K cinema, sixteen times as many as a clinic's tablet records."""

_CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpeg",
    "mpegts",
    "asf",
    "flv",
    "ogg",
)
"""Names of FFmpeg's demultiplexers; none of them refers to other files unless told to."""

_BUFFER_BYTES: Final = 1 << 18
_COPY_AGAIN: Final = "copy the recording again from the device"
_OTHER_CONTENT: Final = (
    (b"PK\x03\x04", "is a ZIP archive; unpack it and name the video in it"),
    (b"\xff\xd8\xff", "is a picture (JPEG), not a video"),
    (b"\x89PNG", "is a picture (PNG), not a video"),
    (b"GIF8", "is a picture (GIF), not a video"),
    (b"#EXTM3U", "is a play list that only names other files; name the video itself"),
    (b"ffconcat", "is a list that only names other files; name the video itself"),
    (b"[playlist]", "is a play list that only names other files; name the video itself"),
    (b"%PDF", "is a PDF document, not a video"),
    (b"ID3", "has only sound, no video"),
    (b"fLaC", "has only sound, no video"),
)


class VideoFile:
    """A file that FFmpeg has opened as a container with streams.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    container : av.container.InputContainer

    Raises
    ------
    InputError
        When there is no such file, it may not be read, it is no regular file, it is empty, or it
        holds no video in a known container.
    """

    def __init__(self, path: Path) -> None:
        import av

        self._bytes = _Bytes(_regular_file(path))
        try:
            head = self._bytes.read(_BUFFER_BYTES)
            self._bytes.seek(0)
            if not head:
                self.check_disk()
                raise InputError(f"the file is empty (0 bytes); {_COPY_AGAIN}")
            try:
                self.container: Any = av.open(
                    self._bytes,
                    metadata_errors="ignore",
                    buffer_size=_BUFFER_BYTES,
                    options={
                        "format_whitelist": ",".join(_CONTAINERS),
                        "protocol_whitelist": "none",
                        "max_pixels": str(LARGEST_PICTURE),
                    },
                )
            except (av.FFmpegError, ValueError):
                self.check_disk()
                raise InputError(_what_it_is(head)) from None
        except BaseException:
            self._bytes.close()
            raise

    def check_disk(self) -> None:
        """Tell a fault of the disk or the network from a fault of the recording.

        FFmpeg sees the end of the file in both cases.

        Raises
        ------
        InputError
            When the system could not read the file so far.
        """
        fault = self._bytes.fault
        if fault is not None:
            raise InputError(
                f"the file could not be read to its end ({fault.strerror or 'unknown reason'}); "
                "check the disk or network drive it is on, then extract it again"
            )

    def close(self) -> None:
        """Close the container and the file."""
        self.container.close()
        self._bytes.close()


class _Bytes:
    """What FFmpeg may call. An error here would be printed by PyAV, so it is kept instead."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            self.fault = error
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            self.fault = error
            return -1

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def _regular_file(path: Path) -> io.FileIO:
    # Opening a pipe waits for its other end, for ever if need be; O_NONBLOCK does not.
    flags = getattr(os, "O_NONBLOCK", 0)

    def opener(name: str, wanted: int) -> int:
        return os.open(name, wanted | flags)

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError("this is a folder or a device, not a file")
        file = io.FileIO(path, "r", opener=opener)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            "no such file; it was moved, renamed or deleted, or its disk is not connected"
        ) from None
    except PermissionError:
        raise InputError("the file may not be read; check its permissions") from None
    except OSError as error:
        raise InputError(
            f"the file cannot be opened ({error.strerror or 'unknown reason'}); check its name "
            "and the disk or network drive it is on"
        ) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError("this is a folder or a device, not a file")
    return file


def _what_it_is(head: bytes) -> str:
    """A refused file in words, from how it begins."""
    for start, words in _OTHER_CONTENT:
        if head.startswith(start):
            return f"the file {words}"
    if not any(head):
        return f"the file holds only zeros, as when copying was broken off; {_COPY_AGAIN}"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head[:512]):
        return f"the file is text, not a video; {_COPY_AGAIN}"
    return f"not a video this program can read, or its index is missing; {_COPY_AGAIN}"
