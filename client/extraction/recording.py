"""Decode a recording frame by frame, with the time each frame is shown.

Frames stay in the decoder's YUV; turning a whole 720p frame into RGB costs more than finding the
face in it. Rotation flags are reported, not applied, for the same reason. Damage is tolerated up to
a small share of the packets; a file that ends well before its header says is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.errors import InputError

__all__ = ["VIDEO_SUFFIXES", "Recording", "SourceFrame", "open_recording"]

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".3gp",
        ".avi",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".webm",
        ".wmv",
    }
)
"""File names that count as recordings when a folder is given."""

_MAXIMUM_DAMAGED_SHARE: Final = 0.02
_MISSING_SHARE: Final = 0.05
_MISSING_S: Final = 0.5
"""A file that lacks more than 5 % and more than half a second of its stated length is truncated."""
_LONGEST_S: Final = 24 * 3600.0


@dataclass(frozen=True)
class SourceFrame:
    """One decoded frame.

    Attributes
    ----------
    index : int
        Position in the recording, from 0.
    time_s : float
        When it is shown, seconds after the first frame.
    picture : av.VideoFrame
        In the decoder's pixel format, as stored, rotation not applied.
    """

    index: int
    time_s: float
    picture: Any


@dataclass
class Recording:
    """An open recording; iterate ``frames()`` once, then ``end_s`` is known.

    Attributes
    ----------
    path : Path
    duration_s : float or None
        As the header states it.
    rate_hz : float
        Mean frame rate as the header states it, 24 if it does not.
    width, height : int
        As stored, before rotation.
    frame_count : int
        Frames decoded so far.
    end_s : float
        When the last frame decoded so far stops being shown.
    damaged_packets : int
    """

    path: Path
    duration_s: float | None
    rate_hz: float
    width: int
    height: int
    container: Any = field(repr=False)
    frame_count: int = 0
    end_s: float = 0.0
    damaged_packets: int = 0

    def frames(self) -> Iterator[SourceFrame]:
        """Decode all frames in the order they are shown.

        Raises
        ------
        InputError
            When nothing can be decoded, too much is damaged, the file is truncated, or its time
            stamps jump.
        """
        stream = self._stream()
        time_base = float(stream.time_base) if stream.time_base else 1 / self.rate_hz
        start: float | None = None
        last = -1.0
        packets = 0
        for decoded in self._decoded(stream):
            packets += 1
            for picture in decoded:
                stamp = picture.pts * time_base if picture.pts is not None else None
                if stamp is None:
                    stamp = (start or 0.0) + last + 1 / self.rate_hz if last >= 0 else 0.0
                start = stamp if start is None else start
                time_s = stamp - start
                if time_s > _LONGEST_S:
                    raise InputError(
                        f"a time stamp jumps to {time_s / 3600:.0f} h; convert the recording "
                        "with a video program and extract it again"
                    )
                if time_s <= last:
                    # Two frames for one moment: a broken stamp; the first one is kept.
                    continue
                last = time_s
                shown = float(picture.duration or 0) * time_base
                self.end_s = time_s + (shown if 0 < shown < 10 else 1 / self.rate_hz)
                yield SourceFrame(self.frame_count, time_s, picture)
                self.frame_count += 1
        self._check_whole(packets)

    def _stream(self) -> Any:
        return next(s for s in self.container.streams.video if not _is_cover(s))

    def _decoded(self, stream: Any) -> Iterator[list[Any]]:
        import av

        packets = self.container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self.damaged_packets += 1
                return
            try:
                yield list(packet.decode())
            except av.FFmpegError:
                self.damaged_packets += 1
                yield []

    def _check_whole(self, packets: int) -> None:
        if self.frame_count == 0:
            raise InputError("no frame can be decoded; copy the recording again")
        if self.damaged_packets > 1 and self.damaged_packets > _MAXIMUM_DAMAGED_SHARE * packets:
            raise InputError(
                f"{self.damaged_packets} of {packets} packets are damaged; copy the recording again"
            )
        if self.duration_s is not None:
            missing = self.duration_s - self.end_s
            if missing > max(_MISSING_S, _MISSING_SHARE * self.duration_s):
                raise InputError(
                    f"the video ends after {self.end_s:.1f} s, its header states "
                    f"{self.duration_s:.1f} s; the file is truncated: copy the recording again"
                )

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _is_cover(stream: Any) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def open_recording(path: Path) -> Recording:
    """Open a video file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        When the file is missing, unreadable, empty, no video, or has no video stream.
    """
    import av

    if not path.is_file():
        raise InputError("no such file")
    if path.stat().st_size == 0:
        raise InputError("the file is empty (0 bytes); copy the recording again")
    try:
        container: Any = av.open(str(path), metadata_errors="ignore")
    except PermissionError:
        raise InputError("the file may not be read; check its permissions") from None
    except (av.FFmpegError, ValueError):
        raise InputError(
            "not a video this program can read, or its index is missing; copy the recording again"
        ) from None
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        container.close()
        raise InputError("the file has no video stream, only sound")
    stream = streams[0]
    # Slice threads keep the frames' order and memory bounded; frame threads would add delay.
    stream.thread_type = "AUTO"
    duration = None
    if stream.duration is not None and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / 1e6
    rate = float(stream.average_rate or 0)
    return Recording(
        path=path,
        duration_s=duration,
        rate_hz=rate if 0.1 <= rate <= 1000 else 24.0,
        width=int(stream.codec_context.width),
        height=int(stream.codec_context.height),
        container=container,
    )
