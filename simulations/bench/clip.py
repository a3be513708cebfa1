"""A recording to measure with: 720p, 24 Hz, H.264, of any length, from a short clip with a face.

The short clip runs forward and backward, so that there is no cut in it: at a cut the detector looks
at more frames. It is encoded once, as one closed group of pictures; a longer recording repeats its
packets, which costs a decoder what new ones would and no time to make.
"""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.files import atomic_path

__all__ = ["ClipShape", "make_clips"]

_LONGEST_SOURCE: Final = 120
"""Frames taken of the short clip; they are held in memory."""


class ClipShape(NamedTuple):
    """Width and height in pixels, both even, and x264's constant rate factor."""

    width: int = 1280
    height: int = 720
    crf: int = 23


def make_clips(source: Path, targets: dict[Path, int], shape: ClipShape | None = None) -> None:
    """Write recordings of different lengths from one short clip.

    Parameters
    ----------
    source : Path
        A video of any size; its first 120 frames are used. Scaled to fit, with black bars where its
        proportions differ.
    targets : dict of Path to int
        Frames of each recording to write, at 24 Hz; at least 2.
    shape : ClipShape, optional
        1280 x 720 with a constant rate factor of 23 by default.

    Raises
    ------
    InputError
        When ``source`` is no video with at least two frames, or this PyAV cannot write H.264.
    """
    shape = shape or ClipShape()
    pictures = _read(source, shape)
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    period = len(there_and_back)
    whole = _encoded(there_and_back, shape)
    for target, frames in targets.items():
        repeats, rest = divmod(frames, period)
        parts = [(whole, period)] * repeats
        if rest:
            parts.append((_encoded(there_and_back[:rest], shape), rest))
        with atomic_path(target) as temporary:
            _join(parts, temporary)


def _read(source: Path, shape: ClipShape) -> list[NDArray[np.uint8]]:
    """Frames as yuv420p of the wanted shape, as PyAV lays it out: (height * 3 / 2, width)."""
    import av

    pictures: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(source)) as container:
            frames = container.decode(video=0) if container.streams.video else []
            for frame in itertools.islice(frames, _LONGEST_SOURCE):
                pictures.append(_fitted(frame, shape))
    except (OSError, ValueError, av.FFmpegError):
        # What there is of a damaged clip would do, but a person should know.
        pictures.clear()
    if len(pictures) < 2:
        raise InputError(
            f"{source}: not a video of two frames or more that can be read; name a short clip "
            "that shows a face with --clip"
        )
    return pictures


def _fitted(frame: Any, shape: ClipShape) -> NDArray[np.uint8]:
    """One frame scaled to fit, centred on black."""
    import av

    scale = min(shape.width / frame.width, shape.height / frame.height)
    # Chroma has half the resolution, so sizes and offsets are even.
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (frame.width, frame.height))
    small = frame.reformat(width, height, format="yuv420p", interpolation="BICUBIC")
    if (width, height) == (shape.width, shape.height):
        return np.asarray(small.to_ndarray(), np.uint8)
    black = np.full((shape.height * 3 // 2, shape.width), 16, np.uint8)
    black[shape.height :] = 128
    canvas = av.VideoFrame.from_ndarray(black, format="yuv420p")
    left, top = (shape.width - width) // 4 * 2, (shape.height - height) // 4 * 2
    for plane, part in zip(canvas.planes, small.planes, strict=True):
        down = shape.height // plane.height
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        new = np.frombuffer(part, np.uint8).reshape(-1, part.line_size)[:, : part.width]
        y, x = top // down, left // down
        rows[y : y + part.height, x : x + part.width] = new[: part.height]
    return np.asarray(canvas.to_ndarray(), np.uint8)


def _encoded(pictures: list[NDArray[np.uint8]], shape: ClipShape) -> bytes:
    """The pictures as an MP4 file in memory; it begins with a key frame and needs nothing else."""
    import av

    file = io.BytesIO()
    options = {"crf": str(shape.crf), "preset": "medium", "x264-params": "open-gop=0:threads=1"}
    with av.open(file, "w", format="mp4") as container:
        try:
            stream = container.add_stream("libx264", rate=round(FRAME_RATE_HZ), options=options)
        except (av.FFmpegError, ValueError):
            raise InputError(
                "this PyAV cannot write H.264 (libx264 is missing); install its wheel from PyPI"
            ) from None
        stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _join(parts: list[tuple[bytes, int]], target: Path) -> None:
    """Write the packets of several encoded parts one after the other."""
    import av

    with av.open(str(target), "w", format="mp4") as container:
        written: Any = None
        before = 0
        for data, frames in parts:
            with av.open(io.BytesIO(data)) as opened:
                stream = opened.streams.video[0]
                if written is None:
                    written = container.add_stream_from_template(stream)
                per_frame = round(1 / (stream.time_base * round(FRAME_RATE_HZ)))
                for packet in _packets(opened, stream):
                    packet.pts += before * per_frame
                    packet.dts += before * per_frame
                    packet.stream = written
                    container.mux(packet)
            before += frames


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    # The last packet that demux gives has no data: it tells the decoder to finish.
    return (packet for packet in container.demux(stream) if packet.dts is not None)
