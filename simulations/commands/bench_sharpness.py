"""``fedaffect-sim bench sharpness``: the figures behind the limits of the quality report."""

import os
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import InputError

__all__ = ["sharpness_command"]

_MEDIA = ("single_face.jpg", "multi_face.jpg", "single_face.mp4")


def sharpness_command(
    picture: Annotated[
        list[Path] | None,
        typer.Option(
            help="Sharp picture, or video, with a face; may be given several times.",
            show_default="three of $FEDAFFECT_DATA/media",
        ),
    ] = None,
) -> None:
    """Measure the sharpness of real faces, sharp at several sizes and blurred by known amounts.

    The limits of `fedaffect-client quality` rest on these figures. Blur is a Gaussian, its standard
    deviation in per cent of the face's width.

    Example: fedaffect-sim bench sharpness --picture portrait.jpg --picture group.jpg

    Exit codes: 0 measured; 2 a file shows no face or cannot be read.
    """
    import statistics

    from rich.table import Table

    from client.extraction.detector import open_detector
    from shared.affect.threads import use_cpu_threads
    from shared.console import output
    from simulations.bench.sharpness import BLURS, WIDTHS, measure_sharpness

    files = picture or _reference_pictures()
    use_cpu_threads(1)
    faces = measure_sharpness(files, open_detector())
    widths = [width for width in WIDTHS if any(width in face.reduced for face in faces)]
    sharp = Table("face", "px wide", "as it is", *(f"{width} px" for width in widths))
    soft = Table("face", "px wide", "as it is", *(f"{100 * blur:g} %" for blur in BLURS))
    for face in faces:
        start = (face.source, str(face.width), f"{face.as_it_is:.0f}")
        sharp.add_row(*start, *(_number(face.reduced.get(width)) for width in widths))
        soft.add_row(*start, *(_number(face.blurred[blur]) for blur in BLURS))
    own = statistics.median(face.as_it_is for face in faces)
    sharp.add_row(
        "median",
        "",
        f"{own:.0f}",
        *(
            _number(statistics.median(f.reduced[width] for f in faces if width in f.reduced))
            for width in widths
        ),
    )
    soft.add_row(
        "median",
        "",
        f"{own:.0f}",
        *(_number(statistics.median(face.blurred[blur] for face in faces)) for blur in BLURS),
    )
    output.print("Sharp, made smaller to a width of", sharp)
    output.print("Blurred by a part of the face's width", soft)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _reference_pictures() -> list[Path]:
    data = os.environ.get("FEDAFFECT_DATA")
    if data is None:
        raise InputError(
            "no picture to measure: name sharp pictures of faces with --picture, or set "
            "FEDAFFECT_DATA to the folder of the reference data"
        )
    return [Path(data) / "media" / name for name in _MEDIA]
