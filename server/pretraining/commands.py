"""``fedaffect-server cnn``: count, train, evaluate and import the affect network."""

import json
from pathlib import Path
from typing import Annotated

import typer

from server.pretraining.affspec_commands import check_affspec_command, import_command
from server.pretraining.renderer_commands import render_command
from server.pretraining.train_commands import print_metrics, train_command
from shared.console import output
from shared.errors import InputError

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The affect network: size, training on open data, evaluation, published checkpoints.",
)
app.command("import")(import_command)
app.command("check-affspec")(check_affspec_command)
app.command("render")(render_command)
app.command("train")(train_command)

_DATA = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="FER+ archive (.npz).",
        envvar="FEDAFFECT_FERPLUS",
        show_default=False,
    ),
]


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
    from server.pretraining.datasets.ferplus import load_ferplus
    from server.pretraining.evaluation import measured
    from shared.affect.weights import DEFAULT_WEIGHTS, load_weights

    archive = _given(data)
    stored = load_weights(weights or DEFAULT_WEIGHTS)
    _, metrics = measured(stored.network, load_ferplus(archive), stored.preprocessing.size)
    if as_json:
        output.print_json(json.dumps({"sha256": stored.sha256, "metrics": metrics}))
    else:
        output.print(f"weights {stored.sha256[:12]}, input {stored.preprocessing.size} pixels")
        print_metrics(metrics)


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
