"""A recording to try a computer with: the drawn face, as a camera in the hand would take it.

Up to two seconds are drawn and encoded, as one closed group of pictures that ends where it begins.
A longer clip repeats its packets, which costs a decoder what new ones would and no time to make.
"""

import io
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.doctor.drawn_face import draw_face

__all__ = ["ENCODERS", "ClipKind", "make_clip", "missing_encoder"]

ENCODERS: Final = {"h264": "libx264", "hevc": "libx265"}
"""Encoder by the name of the format."""

_OPTIONS: Final = {
    # Fast presets that still use what a camera's encoder uses, such as the loop filter.
    "h264": {"preset": "veryfast", "x264-params": "open-gop=0:scenecut=0:log-level=-1"},
    "hevc": {"preset": "ultrafast", "x265-params": "open-gop=0:scenecut=0:log-level=-1"},
}
_FACE_SHARE: Final = 0.4
"""Height of the face as a share of the picture's shorter side."""
_SWAY_SHARE: Final = 0.008
"""How far the camera moves, as a share of the picture's width."""
_GRAIN: Final = 14
"""Sensor noise, peak to peak in grey levels of 255."""
_TEXTURE_GRID: Final = 24

_MOST_PIXELS: Final = 60 * 1280 * 720
_LEAST_PICTURES: Final = 8
"""Different pictures of a clip: fewer where they are large, since encoding takes its time."""


class ClipKind(NamedTuple):
    """How a clip is stored.

    ``bits_per_s`` is what the encoder aims at. At 720p tablets write about 5 Mbit/s, and
    recordings that were compressed again about 1; the default lies between.
    """

    width: int = 1280
    height: int = 720
    rate_hz: float = 24.0
    codec: str = "h264"
    bits_per_s: float = 3e6
    pixel_format: str = "yuv420p"


def missing_encoder(codec: str) -> str | None:
    """Name of the encoder that clips of this format need and this installation lacks."""
    import av

    name = ENCODERS.get(codec)
    if name is None:
        return codec
    try:
        av.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return name
    return None


def make_clip(target: Any, kind: ClipKind, frames: int, *, seed: int = 0) -> None:
    """Write an MP4 file.

    Parameters
    ----------
    target : str or binary file
        A name, or a file that can be read, written and searched.
    kind : ClipKind
        Width and height even.
    frames : int
        Whole repetitions are written, so it may be some frames longer.
    seed : int
        Of the background and the noise.
    """
    import av

    affordable = round(_MOST_PIXELS / (kind.width * kind.height))
    count = min(max(affordable, _LEAST_PICTURES), round(2 * kind.rate_hz), frames)
    encoded = _encode(kind, count, seed)
    with (
        av.open(io.BytesIO(encoded)) as source,
        av.open(target, "w", format="mp4") as container,
    ):
        stream = source.streams.video[0]
        written = container.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        contents = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in packets]
        period = sum(packet.duration for packet in packets)
        time_base = stream.time_base
        for repeat in range(-(-frames // count)):
            for content, pts, dts, duration, is_keyframe in contents:
                packet = av.Packet(content)
                packet.stream, packet.time_base = written, time_base
                packet.pts, packet.dts = pts + repeat * period, dts + repeat * period
                packet.duration, packet.is_keyframe = duration, is_keyframe
                container.mux(packet)


def _encode(kind: ClipKind, count: int, seed: int) -> bytes:
    from fractions import Fraction

    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        rate = Fraction(kind.rate_hz).limit_denominator(1001)
        stream: Any = container.add_stream(
            ENCODERS[kind.codec], rate=rate, options=_OPTIONS[kind.codec]
        )
        stream.width, stream.height, stream.pix_fmt = kind.width, kind.height, kind.pixel_format
        stream.bit_rate = round(kind.bits_per_s)
        stream.gop_size = count
        for number, picture in enumerate(_pictures(kind, count, seed)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _pictures(kind: ClipKind, count: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The face before a blurred room, from a camera that moves once round a small ellipse."""
    import cv2

    rng = np.random.default_rng(seed)
    sway = max(1, round(_SWAY_SHARE * kind.width))
    size = (kind.width + 2 * sway, kind.height + 2 * sway)
    coarse = (-(-size[1] // _TEXTURE_GRID), -(-size[0] // _TEXTURE_GRID), 3)
    room = cv2.resize(
        rng.integers(70, 150, coarse).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC
    )
    shorter = min(kind.width, kind.height)
    scene = draw_face(room, (size[0] / 2, size[1] / 2), _FACE_SHARE * shorter)
    # Noise is drawn once and shifted: drawing it for every picture would take longest of all.
    noise = rng.binomial(_GRAIN, 0.5, (size[1], size[0], 1)).astype(np.uint8).repeat(3, axis=2)
    for number in range(count):
        turn = 2 * math.pi * number / count
        x, y = round(sway * (1 + math.sin(turn))), round(sway * (1 + math.cos(turn)) / 2)
        left, top = rng.integers(0, 2 * sway, 2, endpoint=True)
        window = scene[y : y + kind.height, x : x + kind.width]
        grain = noise[top : top + kind.height, left : left + kind.width]
        yield cv2.add(window, grain)
