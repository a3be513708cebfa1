"""Decode a recording frame by frame, with the time each frame is shown.

Frames stay in the decoder's YUV; turning a whole 720p frame into RGB costs more than finding the
face in it. Rotation flags are reported, not applied, for the same reason. Damage is tolerated up to
a small share of the packets; a file that ends well before its header says is refused, and so is one
whose frames have no credible times: what is measured later is how a face changes over time.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from client.extraction.frame_times import CONVERT, FrameTimes
from client.extraction.video_file import LARGEST_PICTURE, VideoFile
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
_SAME_SHAPE: Final = 0.02
_MOST_THREADS: Final = 4
_ONE_THREAD_PIXELS: Final = 1920 * 1088
"""Of the decoder; each holds frames of its own, and a 4K frame is large."""


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
        In the decoder's pixel format, as stored, rotation not applied. All have the size of the
        first one.
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
    file : VideoFile
    stream : av.video.VideoStream
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
    file: VideoFile = field(repr=False)
    stream: Any = field(repr=False)
    frame_count: int = 0
    end_s: float = 0.0
    damaged_packets: int = 0

    def frames(self) -> Iterator[SourceFrame]:
        """Decode all frames in the order they are shown.

        Raises
        ------
        InputError
            When nothing can be decoded, too much is damaged, the file is truncated or cannot be
            read to its end, the picture changes its shape, or time stamps jump or do not move.
        """
        times = FrameTimes(
            float(self.stream.time_base) if self.stream.time_base else 1 / self.rate_hz,
            1 / self.rate_hz,
            by_order=self.file.container.format.name == "avi",
        )
        packets = 0
        for decoded in self._decoded():
            packets += 1
            for picture in decoded:
                time_s = times.of(picture)
                if time_s is None:
                    continue
                self.end_s = time_s + times.length_s(picture)
                yield SourceFrame(self.frame_count, time_s, self._in_first_size(picture))
                self.frame_count += 1
        self.file.check_disk()
        self._check_whole(packets)
        times.check()

    def _decoded(self) -> Iterator[list[Any]]:
        import av

        packets = self.file.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError):
                self.damaged_packets += 1
                return
            try:
                yield list(packet.decode())
            except (av.FFmpegError, OSError):
                self.damaged_packets += 1
                yield []

    def _in_first_size(self, picture: Any) -> Any:
        """The picture itself; scaled if the size changes, as in recordings of video calls."""
        size = picture.width, picture.height
        if self.frame_count == 0:
            self.width, self.height = size
        if size == (self.width, self.height):
            return picture
        if abs(size[0] * self.height / (size[1] * self.width) - 1) > _SAME_SHAPE:
            raise InputError(
                f"after {self.end_s:.1f} s the picture changes its shape from "
                f"{self.width} x {self.height} to {size[0]} x {size[1]} pixels; {CONVERT}"
            )
        return picture.reformat(width=self.width, height=self.height)

    def _check_whole(self, packets: int) -> None:
        if self.frame_count == 0:
            raise InputError(
                "no frame can be decoded: it is damaged, or its pictures have more than "
                f"{LARGEST_PICTURE // 10**6} million pixels; copy the recording again"
            )
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
        self.file.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_recording(path: Path) -> Recording:
    """Open a video file.

    Of several videos in it the one that players show by default is read, else the first.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        When the file is missing, unreadable, empty, no video, has no video stream, none that can be
        decoded, or a picture of more than ``LARGEST_PICTURE`` pixels.
    """
    file = VideoFile(path)
    try:
        return _recording(path, file)
    except BaseException:
        file.close()
        raise


def _recording(path: Path, file: VideoFile) -> Recording:
    stream = _main_stream(file.container)
    decoder = stream.codec_context
    width, height = int(decoder.width), int(decoder.height)
    if width * height > LARGEST_PICTURE:
        raise InputError(
            f"its picture has {width} x {height} pixels, and at most {LARGEST_PICTURE // 10**6} "
            "million are read; make it smaller with a video program"
        )
    decoder.options = {**decoder.options, "max_pixels": str(LARGEST_PICTURE)}
    decoder.thread_type = "AUTO"
    # Threads cost up to a fifth more; they pay where one alone would be the slowest step.
    decoder.thread_count = _threads() if width * height > _ONE_THREAD_PIXELS else 1
    rate = float(stream.average_rate or 0)
    return Recording(
        path=path,
        duration_s=_stated_length(file.container, stream),
        rate_hz=rate if 0.1 <= rate <= 1000 else 24.0,
        width=width,
        height=height,
        file=file,
        stream=stream,
    )


def _main_stream(container: Any) -> Any:
    import av

    kinds = av.stream.Disposition
    not_the_recording = kinds.attached_pic | kinds.timed_thumbnails | kinds.still_image
    streams = [s for s in container.streams.video if not s.disposition & not_the_recording]
    if not streams:
        raise InputError("the file has no video stream, only sound")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise InputError(
            "its kind of video compression is unknown here, or the video is locked; convert it "
            "with a video program"
        )
    return max(readable, key=lambda stream: bool(stream.disposition & kinds.default))


def _stated_length(container: Any, stream: Any) -> float | None:
    """Seconds of video that the file says it has."""
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska keeps it in a tag of the stream, as 00:06:30.250000000, and counts from the start of
    # the file, where the video may not have begun.
    begin_s = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
    try:
        hours, minutes, seconds = map(float, str(stream.metadata.get("DURATION")).split(":"))
        return hours * 3600 + minutes * 60 + seconds - begin_s
    except ValueError:
        # The length of the file is that of the sound, if the sound is longer.
        if container.duration is None or container.streams.audio:
            return None
        return float(container.duration) / 1e6 - begin_s


def _threads() -> int:
    return max(1, min(os.cpu_count() or 1, _MOST_THREADS))
