"""What the headers of recordings say: size, frames a second, format, length.

Read in a process of its own, as everything is that opens a file of unknown origin with a decoder.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from client.doctor.clip import ENCODERS, ClipKind
from client.extraction.workers import Done, Handler, WorkerPool
from shared.errors import InputError

__all__ = ["Header", "commonest_kind", "read_headers"]

_USUAL: Final = ClipKind()


class Header(NamedTuple):
    """One recording.

    Attributes
    ----------
    width, height : int
        Pixels, as stored.
    rate_hz : float
    codec : str
        FFmpeg's name of the format.
    length_s : float or None
        None where the header does not say.
    size_bytes : int
    """

    width: int
    height: int
    rate_hz: float
    codec: str
    length_s: float | None
    size_bytes: int


def read_headers(files: Sequence[Path]) -> dict[Path, Header | None]:
    """Headers by file; None for a file that cannot be opened as a video."""
    found: dict[Path, Header | None] = dict.fromkeys(files)
    with WorkerPool[Path](_Reading(), 1) as pool:
        for file in files:
            pool.add(file)
        for event in pool.events():
            if isinstance(event, Done):
                found[event.task] = event.result
    return found


def commonest_kind(headers: Sequence[Header]) -> tuple[ClipKind, int]:
    """The kind most of the recorded time has, and how many recordings have it.

    The usual kind and 0 where there is none, or none of a format that a clip can be made in.
    """
    alike: dict[tuple[int, int, int, str], list[Header]] = defaultdict(list)
    for header in headers:
        if header.codec in ENCODERS and header.length_s:
            size = (header.width // 2 * 2, header.height // 2 * 2)
            alike[(*size, round(header.rate_hz), header.codec)].append(header)
    if not alike:
        return _USUAL, 0

    def seconds(those: list[Header]) -> float:
        return sum(header.length_s or 0.0 for header in those)

    key, those = max(alike.items(), key=lambda item: seconds(item[1]))
    width, height, rate_hz, codec = key
    bits_per_s = 8 * sum(header.size_bytes for header in those) / seconds(those)
    return ClipKind(width, height, float(max(rate_hz, 1)), codec, bits_per_s), len(those)


@dataclass(frozen=True)
class _Reading:
    """What the worker does."""

    def open(self) -> Handler:
        def handle(file: Path, report: Callable[[object], None]) -> Header | None:
            return _read(file)

        return handle


def _read(file: Path) -> Header | None:
    from client.extraction.recording import open_recording

    try:
        with open_recording(file) as recording:
            return Header(
                recording.width,
                recording.height,
                recording.rate_hz,
                str(recording.stream.codec_context.name),
                recording.duration_s,
                file.stat().st_size,
            )
    except (InputError, OSError):
        return None
