"""A few frames out of a long recording, upright and in RGB, found by their index.

Decoding six minutes for twelve frames would take most of the time, so the file's index is read and
the decoder starts at the key frame before each wanted frame. That is done only when every packet
is whole and has its own time stamp, and as many as frames were extracted: then the n-th time stamp
is frame n, and a frame is taken only with exactly its time stamp. In all other files, and when the
decoder does not deliver such a frame, frames are counted from the beginning as the extraction
counted them.
"""

import bisect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from client.extraction.picture import crop_rgb, upright_size
from client.extraction.recording import Recording, open_recording
from shared.errors import InputError

__all__ = ["upright_frames"]

_JUMP_FRAMES: Final = 8
"""What starting anew costs, in frames: buffers of the decoder fill again."""
_FURTHER_BACK_S: Final = (0.0, 2.0, 12.0)
"""Some files name a key frame too late; the frame is looked for again from further back."""


def upright_frames(
    video: Path,
    wanted: Iterable[int],
    provenance: Mapping[str, str],
    *,
    report: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frames of a recording, one at a time.

    Parameters
    ----------
    video : Path
    wanted : iterable of int
        Indices of the source frames, as in ``AttributeSeries.frame``.
    provenance : Mapping of str to str
        Of the series: how many frames there were, and whether packets were damaged.
    report : callable, optional
        Called with the number of frames decoded so far.

    Yields
    ------
    index : int
        Each wanted index once, ascending.
    picture : ndarray, shape (height, width, 3), uint8, RGB, upright

    Raises
    ------
    InputError
        When a frame cannot be decoded.
    """
    in_order = sorted(set(wanted))
    done = 0
    try:
        for index, frame in _found(video, in_order, _whole_frames(provenance)):
            done += 1
            if report is not None:
                report(done)
            width, height = upright_size(frame)
            yield index, crop_rgb(frame, (0.0, 0.0, float(width), float(height)), 0.0)
    except InputError as error:
        raise InputError(f"{video}: {error}") from None
    if done < len(in_order):
        raise InputError(f"{video}: a frame cannot be decoded any more; extract it again")


def _whole_frames(provenance: Mapping[str, str]) -> int | None:
    """Number of frames of an undamaged recording, None if that is not known."""
    try:
        source = json.loads(provenance["source"])
        return int(source["frames"]) if source["damaged_packets"] == 0 else None
    except (KeyError, ValueError, TypeError):
        return None


def _found(video: Path, wanted: list[int], frames: int | None) -> Iterator[tuple[int, Any]]:
    left = set(wanted)
    if frames is not None:
        with open_recording(video) as recording:
            index = _FileIndex.read(recording, frames)
            for position, frame in index.frames(wanted) if index else ():
                yield position, frame
                left.remove(position)
    if not left:
        return
    with open_recording(video) as recording:
        for shown in recording.frames():
            if shown.index in left:
                yield shown.index, shown.picture
            if shown.index >= wanted[-1]:
                return


class _FileIndex:
    """Time stamps of all frames of an open recording, and which of them are key frames."""

    def __init__(self, recording: Recording, stamps: list[int], keys: list[int]) -> None:
        self._container, self._stream = recording.file.container, recording.stream
        self._size = (recording.width, recording.height)
        self._stamps, self._keys = stamps, keys
        self._decoded: Iterator[Any] = iter(())
        self._last: int | None = None

    @classmethod
    def read(cls, recording: Recording, frames: int) -> "_FileIndex | None":
        """Read it from the packets, without decoding; None where it cannot be relied upon."""
        import av

        container = recording.file.container
        if container.format.name == "avi":
            # It has no times at which frames are shown.
            return None
        stamps, keys = [], []
        try:
            for packet in container.demux(recording.stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or packet.is_corrupt:
                    return None
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        except (av.FFmpegError, OSError):
            return None
        stamps.sort()
        if len(stamps) != frames or not keys or any(a == b for a, b in pairwise(stamps)):
            return None
        return cls(recording, stamps, sorted(keys))

    def frames(self, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        """Wanted frames in order, up to the first that is not delivered."""
        for position in wanted:
            frame = self._at(position)
            if frame is None:
                return
            yield position, frame

    def _at(self, position: int) -> Any | None:
        if position >= len(self._stamps):
            return None
        stamp = self._stamps[position]
        if self._near(position) and (frame := self._forward(stamp)) is not None:
            return frame
        base = float(self._stream.time_base)
        for back_s in _FURTHER_BACK_S:
            self._jump(stamp - round(back_s / base))
            if (frame := self._forward(stamp)) is not None:
                return frame
        return None

    def _near(self, position: int) -> bool:
        """Whether decoding on is quicker than starting at the key frame before ``position``."""
        if self._last is None or self._last >= self._stamps[position]:
            return False
        before = max(bisect.bisect_right(self._keys, self._stamps[position]) - 1, 0)
        from_key = position - bisect.bisect_left(self._stamps, self._keys[before])
        from_here = position - bisect.bisect_left(self._stamps, self._last)
        return from_here <= from_key + _JUMP_FRAMES

    def _jump(self, stamp: int) -> None:
        self._container.seek(max(stamp, self._stamps[0]), stream=self._stream, backward=True)
        self._decoded = self._decode()
        self._last = None

    def _decode(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            yield from packet.decode()

    def _forward(self, stamp: int) -> Any | None:
        """Decode up to the frame with this time stamp."""
        import av

        try:
            for frame in self._decoded:
                if frame.pts is None or frame.pts < stamp:
                    continue
                self._last = frame.pts
                return frame if frame.pts == stamp and self._sound(frame) else None
        except (av.FFmpegError, OSError):
            pass
        return None

    def _sound(self, frame: Any) -> bool:
        return not frame.is_corrupt and (frame.width, frame.height) == self._size
