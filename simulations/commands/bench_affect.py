"""``fedaffect-sim bench affect``: how many faces one CPU core reads in a second."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["affect_command"]


def affect_command(
    unit: Annotated[str, typer.Option(help="eesp, mobilenet or bottleneck.")] = "eesp",
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="random weights of --unit")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of a picture, pixels.", min=32)] = 224,
    rounds: Annotated[int, typer.Option(help="Turns of each runner.", min=1)] = 15,
) -> None:
    """Time the affect network on one thread: PyTorch, OpenVINO as exported, rewritten, in bf16.

    All take turns in one run and the median counts, so that other work on the machine disturbs all
    alike. bf16 is timed only on CPUs that compute with it.

    Example: fedaffect-sim bench affect --unit mobilenet
    """
    from dataclasses import replace

    import torch
    from rich.table import Table

    from shared.affect.network import UNITS, AffectNetwork
    from shared.affect.openvino_backend import has_native_bf16
    from shared.affect.openvino_import import import_openvino
    from shared.affect.weights import Preprocessing, StoredNetwork, load_weights
    from shared.console import output
    from shared.errors import InputError
    from simulations.bench.affect import time_affect
    from simulations.results import describe_machine

    if unit not in UNITS:
        raise InputError(f"--unit {unit} asked; one of {', '.join(UNITS)} is possible")
    try:
        version = import_openvino().__version__
    except ImportError as error:
        raise InputError(
            f"OpenVINO cannot be imported ({error}): `pip install openvino`, then time it"
        ) from None
    if weights is not None:
        stored = load_weights(weights)
        stored = replace(stored, preprocessing=replace(stored.preprocessing, size=size))
    else:
        torch.manual_seed(0)
        network = AffectNetwork(unit).eval()
        stored = StoredNetwork(network, Preprocessing(size=size), 1.0, {}, "")
    timings = time_affect(stored, rounds=rounds)
    table = Table("one thread", "frames/s per core", "best round", "x as exported")
    for timing in timings:
        table.add_row(
            timing.runner,
            f"{timing.frames_per_s:.0f}",
            f"{timing.best_frames_per_s:.0f}",
            f"{timing.ratio:.2f}",
        )
    output.print(table)
    machine = describe_machine()
    bf16 = "computes with bf16" if has_native_bf16() else "no bf16 instructions, so not timed"
    output.print(
        f"{machine.cpu} ({bf16}), {machine.cores} cores, Python {machine.python}, PyTorch "
        f"{torch.__version__}, OpenVINO {version.partition('-')[0]}; {stored.network.unit} units, "
        f"{size} x {size} pixels, {'stored' if weights else 'random'} weights. Frames per second "
        "of CPU time; PyTorch takes 8 pictures at a time, OpenVINO one. As exported: the form of "
        "an ONNX export, open batch size; its ratios are to that."
    )
