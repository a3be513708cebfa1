"""Make videos with PyAV, and change what stands in them."""

import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from drawn_face import draw_face, face_span
from numpy.typing import NDArray

__all__ = [
    "HEIGHT",
    "RATE",
    "WIDTH",
    "Picture",
    "encode",
    "face",
    "face_box",
    "mark_rotated",
    "noise",
    "patch_box",
    "remux",
    "wall",
]

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]

WIDTH, HEIGHT, RATE = 320, 240, 24
_TICK = 15360
_FAST = {"preset": "ultrafast", "crf": "20"}
_SIZE = 0.9

_TURNS = {
    90: (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30),
    180: (-1 << 16, 0, 0, 0, -1 << 16, 0, 0, 0, 1 << 30),
    270: (0, -1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30),
}


@cache
def face(width: int = WIDTH, height: int = HEIGHT, size: float = _SIZE) -> Picture:
    """A picture with one face, left of the middle."""
    return draw_face(width, height, (0.4 * width, 0.5 * height), size)


def face_box(width: int = WIDTH, height: int = HEIGHT, size: float = _SIZE) -> Box:
    """Where the face is in ``face``: x, y, width, height."""
    return face_span((0.4 * width, 0.5 * height), size)


@cache
def wall(width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A picture without a face."""
    return np.full((height, width, 3), (90, 110, 130), np.uint8)


def noise(n: int, width: int = 160, height: int = 120) -> Iterable[Picture]:
    """Pictures that cannot be compressed, so that a file is large enough to be cut."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(n))


def encode(
    path: Path,
    pictures: Iterable[Picture],
    *,
    rate: float = RATE,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    container_format: str | None = None,
    colour: tuple[int, int, int, int] | None = None,
) -> None:
    """Write pictures, shown ``rate`` times a second or at ``times`` (seconds).

    ``colour`` is range, primaries, transfer and matrix as codes of ITU-T H.273.
    """
    clock = Fraction(rate).limit_denominator(1001)
    settings = {**(_FAST if codec in ("libx264", "libx265") else {}), **(options or {})}
    with av.open(str(path), "w", format=container_format, options=container or {}) as target:
        stream: Any = target.add_stream(codec, rate=clock, options=settings)
        stream.pix_fmt = pixels
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, _TICK)
        if colour is not None:
            context = stream.codec_context
            context.color_range, context.color_primaries = colour[:2]
            context.color_trc, context.colorspace = colour[2:]
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, 1 / clock
            if times is not None:
                frame.pts, frame.time_base = round(times[index] * _TICK), Fraction(1, _TICK)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())


def remux(
    source: Path,
    path: Path,
    change: Callable[[int, Any], Any] = lambda index, packet: packet,
    **kind: Any,
) -> None:
    """Copy a video into another container, each packet as ``change(index, packet)`` says."""
    with av.open(str(source)) as old, av.open(str(path), "w", **kind) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for index, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None:
                sent = change(index, packet)
                sent.stream = stream
                new.mux(sent)


def patch_box(path: Path, name: bytes, offset: int, content: bytes) -> None:
    """Overwrite a part of the first box ``name`` of an MP4 file, counted from behind its name."""
    whole = bytearray(path.read_bytes())
    place = whole.index(name) + len(name) + offset
    whole[place : place + len(content)] = content
    path.write_bytes(whole)


def mark_rotated(path: Path, degrees: int) -> None:
    """Set the display matrix of an MP4 file (ISO/IEC 14496-12, 8.3.2): turn by this, clockwise."""
    patch_box(path, b"tkhd", 40, struct.pack(">9i", *_TURNS[degrees]))
