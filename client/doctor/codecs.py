"""Can this installation decode what tablets record: H.264, and HEVC of eight and of ten bits?"""

import io
from typing import Final

import numpy as np

from client.doctor.clip import ClipKind, make_clip, missing_encoder
from client.doctor.ladder import Found

__all__ = ["check_format", "check_other_formats"]

_FRAMES: Final = 8
_SIZE: Final = (192, 128)
_LEAST_CONTRAST: Final = 20.0
"""Standard deviation of the clip's luminance, which a picture decoded in vain does not have."""

_PIXEL_FORMATS: Final = {"h264": ("yuv420p",), "hevc": ("yuv420p", "yuv420p10le")}

_OTHERS: Final = {
    "mpeg4": "MPEG-4",
    "vp9": "VP9",
    "av1": "AV1",
    "mjpeg": "Motion JPEG",
    "prores": "ProRes",
}
_INSTALL: Final = (
    "install PyAV as it comes from PyPI: `pip install --force-reinstall av` in the program's "
    "environment"
)


def check_format(codec: str) -> Found:
    """Decode short clips of a format, made here; only look for the decoder if they cannot be made.

    Parameters
    ----------
    codec : {"h264", "hevc"}
    """
    if not _has_decoder(codec):
        return Found("this installation cannot decode it", "failed", _INSTALL)
    encoder = missing_encoder(codec)
    if encoder is not None:
        return Found(
            f"a decoder is there; not tried, since {encoder}, which would make the clip, is not",
            "warning",
            "try one recording with `extract`",
            {"tried": False},
        )
    tried = []
    for pixel_format in _PIXEL_FORMATS[codec]:
        depth = 10 if "10" in pixel_format else 8
        fault = _decode_fault(codec, pixel_format)
        if fault is not None:
            return Found(f"a clip of {depth} bits was not decoded: {fault}", "failed", _INSTALL)
        tried.append(depth)
    bits = " and ".join(map(str, tried))
    return Found(f"clips of {bits} bits were decoded", numbers={"tried": True, "bits": tried})


def check_other_formats() -> Found:
    """Which further formats there is a decoder for; none of them is needed for tablets."""
    there = [title for codec, title in _OTHERS.items() if _has_decoder(codec)]
    missing = [title for codec, title in _OTHERS.items() if not _has_decoder(codec)]
    numbers = {"there": there, "missing": missing}
    if missing:
        return Found(
            f"no decoder for {', '.join(missing)}",
            "warning",
            "only if you have such recordings: " + _INSTALL,
            numbers,
        )
    return Found(f"decoders for {', '.join(there)} are there", numbers=numbers)


def _has_decoder(codec: str) -> bool:
    import av

    try:
        av.Codec(codec, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _decode_fault(codec: str, pixel_format: str) -> str | None:
    """What went wrong when a clip was made and decoded; None if nothing did."""
    import av

    kind = ClipKind(*_SIZE, codec=codec, bits_per_s=5e5, pixel_format=pixel_format)
    file = io.BytesIO()
    try:
        make_clip(file, kind, _FRAMES)
        file.seek(0)
        with av.open(file) as container:
            pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    except av.FFmpegError as error:
        return str(error)
    if len(pictures) != _FRAMES:
        return f"{len(pictures)} of {_FRAMES} frames came back"
    if any(picture.shape != _SIZE[::-1] for picture in pictures):
        return "its size came back wrong"
    if min(float(np.std(picture)) for picture in pictures) < _LEAST_CONTRAST:
        return "its pictures came back empty"
    return None
