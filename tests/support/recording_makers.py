"""Makers of recordings that clinics have: each writes one file, given its path."""

import os
import struct
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from video_making import (
    RATE,
    WIDTH,
    Picture,
    encode,
    face,
    mark_rotated,
    noise,
    patch_box,
    wall,
)

Make = Callable[[Path], None]

COUNT = 12
"""Frames of a whole recording: half a second."""

LONG_S = 7200
LONG_STEP_S = 4
"""Seconds from frame to frame; a faster one takes longer and tests no more."""


def video(pictures: list[Picture] | None = None, **settings: Any) -> Make:
    """A maker of a whole video; by default one second of the face."""
    return lambda path: encode(path, [face()] * COUNT if pictures is None else pictures, **settings)


def named(path: Path) -> None:
    """A video with any name; encoders want to see a suffix that they know."""
    plain = path.with_name("encoded.mp4")
    encode(plain, [face()] * 2)
    plain.replace(path)


def content(what: bytes | str) -> Make:
    """A maker of a file that is no video."""
    return lambda path: Path(path).write_bytes(what.encode() if isinstance(what, str) else what)


def cut(share: float, **settings: Any) -> Make:
    """A maker of a video of which only the first part is there."""

    def make(path: Path) -> None:
        encode(path, noise(3 * RATE), **settings)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])

    return make


def rotated(degrees: int) -> Make:
    """A maker of an upright face that is stored lying and has a rotation flag."""

    def make(path: Path) -> None:
        encode(path, [np.ascontiguousarray(np.rot90(face(), degrees // 90))] * COUNT)
        mark_rotated(path, degrees)

    return make


def zip_archive(path: Path) -> None:
    """As mail programs pack a video."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("P01.mov", b"video")


def picture_file(suffix: str) -> bytes:
    """A photograph of the face."""
    return cv2.imencode(suffix, face())[1].tobytes()


def garbage(path: Path) -> None:
    """A right beginning, then nothing that means anything."""
    encode(path, [face()] * COUNT)
    start = path.read_bytes()[:32]
    path.write_bytes(start + np.random.default_rng(0).bytes(20_000))


def streams(
    path: Path, videos: list[list[Picture]], sound_s: float = 0, cover: bool = False
) -> None:
    """Streams in one file, the last video the main one; with ``cover`` the first is a picture."""
    with av.open(str(path), "w") as target:
        made: list[Any] = []
        for number, pictures in enumerate(videos):
            is_cover = cover and number == 0
            stream: Any = target.add_stream("mjpeg" if is_cover else "libx264", rate=RATE)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if is_cover else "yuv420p"
            kinds = av.stream.Disposition
            stream.disposition = kinds.attached_pic if is_cover else kinds(0)
            if pictures is videos[-1]:
                stream.disposition = kinds.default
            made.append(stream)
        if sound_s:
            made.append(target.add_stream("aac", rate=16000, layout="mono"))
        for stream, pictures in zip(made, videos, strict=False):
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, RATE)
                target.mux(stream.encode(frame))
        for index in range(round(sound_s * 16000 / 1024)):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 16000, index * 1024
            target.mux(made[-1].encode(silence))
        for stream in made:
            target.mux(stream.encode())


def trimmed(path: Path) -> None:
    """Cut with an edit list, as the photo program of an iPad does: 0.5 s out of 2 s are shown."""
    encode(path, [face()] * (2 * RATE), options={"bf": "2", "g": "12"})
    # Length in the film's units (1/1000 s), start in the track's (12288 a second).
    patch_box(path, b"elst", 8, struct.pack(">ii", 500, 12288))


def joined(first: list[Picture], second: list[Picture], second_start_s: float) -> Make:
    """Two transport streams behind one another, as camcorders and ``copy /b`` join them."""

    def make(path: Path) -> None:
        both = b""
        for pictures, start_s in ((first, 0.0), (second, second_start_s)):
            times = [start_s + index / RATE for index in range(len(pictures))]
            encode(path, pictures, times=times, container_format="mpegts")
            both += path.read_bytes()
        path.write_bytes(both)

    return make


def huge_picture(path: Path, *, in_header: bool = False) -> None:
    """A small file whose pictures claim 16000 x 16000 pixels.

    An .avi claims it in its JPEG pictures, a .webm in its key frame, if asked for also the header.
    """
    old, new = (WIDTH, 300), (16000, 16000)
    if path.suffix == ".avi":
        encode(path, [face(*old)] * COUNT, codec="mjpeg", pixels="yuvj420p")
        # Frame header (ITU-T T.81, B.2.2): height, then width.
        changes = {
            b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", *old[::-1]): struct.pack(">HH", *new)
        }
        if in_header:
            changes[struct.pack("<ii", *old)] = struct.pack("<ii", *new)
    else:
        encode(path, [face(*old)] * COUNT, codec="libvpx", options={"deadline": "realtime"})
        # Key frame (RFC 6386, 9.1); PixelWidth and PixelHeight of Matroska.
        changes = {b"\x9d\x01\x2a" + struct.pack("<HH", *old): struct.pack("<HH", *new)}
        if in_header:
            for name, side in zip((b"\xb0\x82", b"\xba\x82"), old, strict=True):
                changes[name + struct.pack(">H", side)] = struct.pack(">H", new[0])
    whole = path.read_bytes()
    for stated, claimed in changes.items():
        assert stated in whole
        whole = whole.replace(stated, stated[: -len(claimed)] + claimed)
    path.write_bytes(whole)


def play_lists(other: str) -> dict[str, str]:
    """Texts that FFmpeg takes for videos and that name another file or address."""
    lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"
    manifest = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="1" bandwidth="1" width="160" height="120">'
        f"<BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )
    return {
        "hls.mp4": lines,
        "hls.m3u8": lines,
        "list.mp4": f"ffconcat version 1.0\nfile '{other}'\n",
        "dash.mpd": manifest,
        "session.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\na=control:{other}\n",
        "reference.mov": f"[Reference]\nRef1={other}\n",
    }


def link_out(path: Path) -> None:
    """A link to a video outside the folder of the recordings."""
    outside = path.parent.parent / "outside.mp4"
    encode(outside, [face()] * COUNT)
    path.unlink(missing_ok=True)
    path.symlink_to(outside)


def pipe(path: Path) -> None:
    """A pipe that nobody writes to: opening it waits for ever."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    """A folder named like a video."""
    path.unlink(missing_ok=True)
    path.mkdir()


def unreadable(path: Path) -> None:
    """A whole video that only another person may read."""
    encode(path, [face()] * COUNT)
    path.chmod(0)


def long(path: Path) -> None:
    """Two hours, the face in the first five frames."""
    times = range(0, LONG_S, LONG_STEP_S)
    pictures = [face(64, 64, 0.27)] * 5 + [wall(64, 64)] * (len(times) - 5)
    encode(path, pictures, rate=1 / LONG_STEP_S, options={"g": "600"})


def locked(path: Path) -> None:
    """As bought or rented films: the content is there, the way to read it is not."""
    encode(path, [face()] * COUNT)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"drmi"))
