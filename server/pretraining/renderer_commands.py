"""``fedaffect-server cnn render``: faces with known action units, from the ICT-FaceKit mesh."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from server.pretraining.renderer.dataset import Faces, RenderingSettings

__all__ = ["render_command"]


def render_command(
    facekit: Annotated[
        Path,
        typer.Option(
            help="ICT-FaceKit: its folder FaceXModel, or an archive (.npz).",
            envvar="FEDAFFECT_FACEKIT",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Archive (.npz) or folder for the faces.", show_default=False),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Sheet of random faces (.png).", show_default=False)
    ] = None,
    units: Annotated[
        Path | None,
        typer.Option(help="Sheet of every action unit, three people (.png).", show_default=False),
    ] = None,
    series: Annotated[
        Path | None,
        typer.Option(help="Attributes (.parquet) to show in --video.", show_default=False),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(help="Video (.mp4) of one person showing --series.", show_default=False),
    ] = None,
    n: Annotated[int, typer.Option(help="Number of faces.")] = 20_000,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels.")] = 160,
    seed: Annotated[int, typer.Option(help="Same seed, same faces.")] = 0,
    part: Annotated[str, typer.Option(help="Which people: train or held_out.")] = "train",
    pictures_per_person: Annotated[int, typer.Option(help="Pictures of each person.")] = 8,
    crop_margin: Annotated[float, typer.Option(help="Added to the face box on each side.")] = 0.08,
    grey_share: Annotated[float, typer.Option(help="Share of grey pictures.")] = 0.3,
    backgrounds: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures to stand behind faces.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
) -> None:
    """Render faces whose action units are known, for training and testing the network.

    ICT-FaceKit is a head model of the USC Institute for Creative Technologies (MIT licence); this
    program does not carry it.

    Example: fedaffect-server cnn render --facekit ict_facekit.npz --out faces.npz --n 20000

    Exit codes: 0 done; 1 a file cannot be written; 2 an option or a file is not what it should be.
    """
    from server.pretraining.renderer.dataset import PARTS, RenderingSettings

    if out is None and preview is None and units is None and video is None:
        raise InputError("nothing to write; name --out, --preview, --units or --video")
    if (series is None) != (video is None):
        raise InputError("--series and --video belong together: one is read, the other written")
    for name, sheet in (("--preview", preview), ("--units", units)):
        if sheet is not None and sheet.suffix != ".png":
            raise InputError(f"{name} {sheet} asked; name a picture to write ....png")
    if part not in PARTS:
        raise InputError(f"--part {part} asked; {' or '.join(PARTS)} is possible")
    settings = RenderingSettings(
        facekit=facekit,
        seed=seed,
        n=n,
        size=size,
        part=part,
        pictures_per_person=pictures_per_person,
        crop_margin=crop_margin,
        grey_share=grey_share,
        backgrounds=backgrounds,
    )
    _write_sheets(settings, preview, units)
    if series is not None and video is not None:
        from server.pretraining.renderer.mesh import load_facekit
        from server.pretraining.renderer.video import VideoSettings, render_video
        from shared.attributes import read_attributes

        render_video(
            video, read_attributes(series), load_facekit(facekit), VideoSettings(seed=seed)
        )
        output.print(str(video), markup=False, soft_wrap=True)
    if out is not None:
        _write_faces(out, settings, workers)


def _write_sheets(settings: "RenderingSettings", preview: Path | None, units: Path | None) -> None:
    from server.pretraining.renderer.contact_sheet import face_sheet, unit_sheet, write_picture
    from server.pretraining.renderer.dataset import RenderedFaces
    from server.pretraining.renderer.mesh import load_facekit

    if preview is None and units is None:
        return
    kit = load_facekit(settings.facekit)
    if preview is not None:
        write_picture(preview, face_sheet(RenderedFaces(settings, kit)))
        output.print(str(preview), markup=False, soft_wrap=True)
    if units is not None:
        write_picture(units, unit_sheet(kit, seed=settings.seed))
        output.print(str(units), markup=False, soft_wrap=True)


def _write_faces(out: Path, settings: "RenderingSettings", workers: int) -> None:
    from server.pretraining.renderer.dataset import render_in_processes
    from server.pretraining.renderer.files import write_archive, write_folder

    if out.suffix == ".npz" and out.is_dir():
        raise InputError(f"--out {out} is a folder; name the archive to write")
    if out.suffix != ".npz" and out.is_file():
        raise InputError(f"--out {out} is a file; name an archive (.npz) or a folder")
    tally = _Tally()
    faces = tally.watched(render_in_processes(settings, workers), settings.n)
    if out.suffix == ".npz":
        write_archive(out, faces, settings.n, settings.size)
    else:
        write_folder(out, faces)
    output.print(
        f"{out}  {settings.n} faces of {tally.people} people, {settings.size} pixels, part "
        f"{settings.part}, seed {settings.seed}",
        markup=False,
        soft_wrap=True,
    )
    output.print("active: " + tally.shares(), markup=False, soft_wrap=True)


class _Tally:
    """Counts what passes by, and shows progress on stderr."""

    def __init__(self) -> None:
        self.people = 0
        self._active: list[int] = []
        self._n = 0

    def watched(self, faces: "Iterable[Faces]", n: int) -> "Iterator[Faces]":
        """The same faces, counted."""
        from rich.progress import Progress

        with Progress(console=stderr) as bar:
            task = bar.add_task("rendering", total=n)
            for chunk in faces:
                counts = chunk.active.sum(axis=0).tolist()
                self._active = [
                    old + new for old, new in zip(self._active or [0] * 12, counts, strict=True)
                ]
                self._n += len(chunk)
                self.people += len(set(chunk.person.tolist()))
                bar.advance(task, len(chunk))
                yield chunk

    def shares(self) -> str:
        """Share of faces on which each unit is active."""
        from shared.channels import ACTION_UNITS

        return ", ".join(
            f"AU{unit} {100 * count / max(self._n, 1):.0f} %"
            for unit, count in zip(ACTION_UNITS, self._active, strict=True)
        )
