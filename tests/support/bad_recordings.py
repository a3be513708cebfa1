"""Recordings as clinics really have them: damaged, disguised, or merely unusual.

``RECORDINGS`` is the whole set. Each knows its file name, how it is made, and what must become of
it: the status and the words a person reads. The faces are drawn, nothing here needs a photograph.
"""

import unicodedata
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import recording_makers as make
from recording_makers import COUNT, LONG_S, Make, content, joined, video
from video_making import RATE, Box, face, face_box, wall

__all__ = ["LONG_S", "RECORDINGS", "BadRecording"]


@dataclass(frozen=True)
class BadRecording:
    """A recording and what must become of it.

    Attributes
    ----------
    participant : str
    file_name : str
    make : callable
        Writes the file, given its path.
    status : str
        "extracted", "no face" or "failed".
    says : str
        Regular expression that the outcome's words match somewhere.
    seconds : float, optional
        Length of the attribute series.
    box : tuple of float, optional
        Upright face in pixels: x, y, width, height.
    face_until_s : float, optional
        When the face leaves; None if it stays.
    frames : int, optional
        Frames that the file has.
    """

    participant: str
    file_name: str
    make: Make
    status: str
    says: str
    seconds: float | None = None
    box: Box | None = None
    face_until_s: float | None = None
    frames: int | None = None


_UNKNOWN: Final = "not a video this program can read, or its index is missing"

_FAILING: Final[dict[str, tuple[str, Make, str]]] = {
    "empty": ("a.mp4", content(b""), r"is empty \(0 bytes\); copy"),
    "text": ("text.mp4", content("this is no video\n" * 99), "is text, not a video"),
    "zeros": ("zeros.mp4", content(bytes(5000)), "holds only zeros"),
    "garbage": ("garbage.mp4", make.garbage, _UNKNOWN),
    "no-index": ("no index.mp4", make.cut(0.5), _UNKNOWN),
    "cut-mp4": (
        "cut.mp4",
        make.cut(0.5, container={"movflags": "faststart"}),
        r"ends after 1\.\d s, its header states 3.0 s; the file is truncated",
    ),
    "cut-mkv": ("cut.mkv", make.cut(0.5), "the file is truncated"),
    "sound": (
        "sound.mp4",
        partial(make.streams, videos=[], sound_s=1),
        "has no video stream, only sound",
    ),
    "jpeg": ("photo.mp4", content(make.picture_file(".jpg")), r"is a picture \(JPEG\)"),
    "png": ("photo.mov", content(make.picture_file(".png")), r"is a picture \(PNG\)"),
    "zip": ("movie.mov", make.zip_archive, "is a ZIP archive; unpack it"),
    "locked": ("locked.mp4", make.locked, "kind of video compression is unknown here"),
    "huge": ("huge.webm", partial(make.huge_picture, in_header=True), "16000 x 16000 pixels"),
    "huge-jpeg": (
        "huge.avi",
        partial(make.huge_picture, in_header=True),
        "more than 35 million pixels",
    ),
    "huge-webm": ("hidden.webm", make.huge_picture, "more than 35 million pixels"),
    "huge-avi": ("hidden.avi", make.huge_picture, "more than 35 million pixels"),
    "jump": ("jump.mp4", video([face()] * 4, times=[0, 0.1, 4000, 4000.1]), "time stamps jump"),
    "back": ("back.mts", joined([face()] * 48, [face()] * 24, 0), "time stamps go back by 2.0 s"),
    "no-times": (
        "no times.mkv",
        video([face()] * 30, times=[i * 1e-5 for i in range(29)] + [1.0]),
        "28 of its 30 frames have no time of their own",
    ),
    "shape": (
        "turned.mts",
        joined([face()] * 12, [face(240, 320)] * 12, 0.5),
        "changes its shape from 320 x 240 to 240 x 320 pixels",
    ),
    "link-out": ("link.mp4", make.link_out, "is a link that leads out of the recordings folder"),
    "pipe": ("pipe.mp4", make.pipe, "is not a file"),
    "folder": ("folder.mp4", make.folder, "is not a file"),
    "gone": ("gone.mp4", Path.unlink, "names no file in the recordings folder"),
    "unreadable": ("closed.mp4", make.unreadable, "may not be read; check the file's permissions"),
    **{
        f"list-{number}": (name, content(text), "play list|list that only names|is text")
        for number, (name, text) in enumerate(make.play_lists("good.mp4").items())
    },
}
"""Participant: file name, maker, words."""

_HEVC: Final = {"x265-params": "log-level=none"}

_READABLE: Final[dict[str, tuple[str, Make]]] = {
    "good": ("good.mp4", video()),
    **{f"rotated-{turn}": (f"{turn}.mov", make.rotated(turn)) for turn in (90, 180, 270)},
    "ten-bit": ("ten.mp4", video(pixels="yuv420p10le")),
    "hdr": (
        "hdr.mov",
        # Limited range, BT.2020, HLG: what an iPad records when nobody changes its settings.
        video(codec="libx265", pixels="yuv420p10le", colour=(1, 9, 18, 9), options=_HEVC),
    ),
    "full-range": ("full.mp4", video(pixels="yuvj420p")),
    "422": ("422.mp4", video(pixels="yuv422p")),
    "444": ("444.mp4", video(pixels="yuv444p")),
    "hevc": ("hevc.mp4", video(codec="libx265", options=_HEVC)),
    "vp9": ("vp9.webm", video(codec="libvpx-vp9", options={"cpu-used": "8"})),
    "mjpeg": ("camera.avi", video(codec="mjpeg", pixels="yuvj420p", options={"q": "3"})),
    "asp": ("old.avi", video(codec="mpeg4", options={"bf": "2", "b": "2M"})),
    "b-frames": ("b.mp4", video(options={"preset": "fast", "bf": "3"})),
    "b-frames-avi": ("converted.avi", video(options={"preset": "fast", "bf": "3"})),
    "wmv": ("w.wmv", video(codec="wmv2", options={"b": "2M"})),
    "prores": ("pro.mov", video(codec="prores_ks", pixels="yuv422p10le")),
    "mpeg2": ("dvd.mpg", video(codec="mpeg2video", options={"b": "4M"})),
    "mts": ("00001.MTS", video(container_format="mpegts")),
    "raw": ("raw.avi", video(codec="rawvideo", pixels="bgr24")),
    "interlaced": (
        "tv.mp4",
        video(options={"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"}),
    ),
    "late-start": ("late.mkv", video(times=[5 + index / RATE for index in range(COUNT)])),
    "trimmed": ("trimmed.mov", make.trimmed),
    "fragments": (
        "fragments.mp4",
        video(container={"movflags": "frag_keyframe+empty_moov"}, options={"g": "6"}),
    ),
    "call": ("call.webm", video(codec="libvpx", container={"live": "1"})),
    **{
        f"longer-sound-{suffix}": (
            f"sound and video.{suffix}",
            partial(make.streams, videos=[[face()] * COUNT], sound_s=3),
        )
        for suffix in ("mp4", "mkv", "flv")
    },
    "cover": (
        "cover.mp4",
        partial(make.streams, videos=[[wall(800, 600)], [face()] * COUNT], cover=True),
    ),
    "two-videos": (
        "two.mov",
        partial(make.streams, videos=[[wall(640, 480)] * COUNT, [face()] * COUNT]),
    ),
    "smaller": ("smaller.mts", joined([face()] * 6, [face(160, 120, 0.45)] * 6, 0.25)),
}
"""Participant: file name, maker. All are half a second of the face at the same place."""

_NAMES: Final = (
    "two words & more.mp4",
    "UPPER.MP4",
    "-dash.mp4",
    "no suffix",
    "semicolon;comma,quote\"apostrophe'.mp4",
    "%03d.mp4",
    "concat:a|b.mp4",
    "😀 👩‍👧.mp4",
    unicodedata.normalize("NFC", "Zoë Öztürk.mp4"),
    unicodedata.normalize("NFD", "Père Noël.mp4"),
    "l" * 230 + ".mp4",
    "[bold]markup[red].mp4",
)


_VARIABLE: Final = [i / 30 for i in range(30)] + [1 + i / 10 for i in range(10)] + [2.0, 2.3, 2.35]


def _failing(participant: str, file_name: str, maker: Make, says: str) -> BadRecording:
    return BadRecording(participant, file_name, maker, "failed", says)


def _readable(
    participant: str, file_name: str, maker: Make, frames: int = COUNT, box: Box | None = None
) -> BadRecording:
    return BadRecording(
        participant,
        file_name,
        maker,
        status="extracted",
        says=r"face in .* \(100%\)",
        seconds=frames / RATE,
        frames=frames,
        box=box or face_box(),
    )


def _leaving(participant: str, times: list[float]) -> BadRecording:
    """The face is there for one second, then only the wall."""
    pictures = [face() if time_s < 1 else wall() for time_s in times]
    return BadRecording(
        participant,
        f"{participant}.mp4",
        video(pictures, times=times),
        status="extracted",
        says=r"face in 1\.0 of 2\.\d s",
        # The last frame is shown as long as the one before it.
        seconds=2 * times[-1] - times[-2],
        frames=len(times),
        box=face_box(),
        face_until_s=1.0,
    )


def _without_face(participant: str, file_name: str, maker: Make, frames: int) -> BadRecording:
    says = "no face in any of its"
    return BadRecording(
        participant, file_name, maker, "no face", says, frames / RATE, frames=frames
    )


RECORDINGS: Final = (
    *(_failing(name, *entry) for name, entry in _FAILING.items()),
    *(_readable(name, *entry) for name, entry in _READABLE.items()),
    *(_readable(f"name-{i}", name, make.named, 2) for i, name in enumerate(_NAMES)),
    _readable("one-frame", "one.mp4", video([face()]), 1),
    _readable("4k", "4k.mp4", video([face(3840, 2160, 8)] * 2), 2, face_box(3840, 2160, 8)),
    _readable(
        "odd",
        "odd.webm",
        video([face(321, 243)] * COUNT, codec="libvpx-vp9", options={"cpu-used": "8"}),
        box=face_box(321, 243),
    ),
    *(_leaving(f"rate-{rate}", [i / rate for i in range(2 * rate)]) for rate in (25, 30, 60)),
    _leaving("variable", _VARIABLE),
    _without_face("tiny", "tiny.mkv", video([wall(2, 2)] * COUNT), COUNT),
    _without_face("strip", "strip.mp4", video([wall(4000, 16)] * 4), 4),
    _without_face("black", "black.mp4", video([wall() * 0] * COUNT), COUNT),
    BadRecording(
        "two-hours", "long.mp4", make.long, "extracted", "face in 20.0 of 7200.0 s", LONG_S
    ),
)
