"""``fedaffect-server cnn import`` and ``check-affspec``: the authors' published checkpoints."""

from pathlib import Path
from typing import Annotated

import typer

from shared.console import output
from shared.errors import InputError

__all__ = ["check_affspec_command", "import_command"]

_CHECKPOINT = Annotated[
    Path, typer.Argument(help="model_esp.pth, model_mob.pth or model_res.pth.", show_default=False)
]


def import_command(
    checkpoint: _CHECKPOINT,
    out: Annotated[Path, typer.Option(help="Weights file to write (.safetensors).")],
    unit: Annotated[
        str | None,
        typer.Option(
            help="eesp, mobilenet or bottleneck.", show_default="the one its entries resemble"
        ),
    ] = None,
) -> None:
    """Turn an AffSpec checkpoint (Li et al., ICIP 2019) into a weights file of this program.

    The values stay as they are (float32); preprocessing, origin and licence are written beside
    them. `fedaffect-client extract --weights FILE` then reads faces with it.

    Example: fedaffect-server cnn import model_esp.pth --unit eesp --out affspec.safetensors
    """
    from server.pretraining.affspec import load_affspec
    from shared.affect.weights import save_weights

    if out.suffix != ".safetensors":
        raise InputError(f"--out {out} asked; name the file to write ... .safetensors")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name the file to write")
    stored = load_affspec(checkpoint, unit)
    digest = save_weights(
        out,
        stored.network,
        preprocessing=stored.preprocessing,
        temperature=stored.temperature,
        card=stored.card,
        precision="float32",
    )
    output.print(
        f"{out}  {stored.network.unit} units, sha256 {digest}", markup=False, soft_wrap=True
    )
    output.print(f"origin {stored.card['origin']}; licence {stored.card['licence']}", markup=False)


def check_affspec_command(
    checkpoint: _CHECKPOINT,
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures to read as a whole.", show_default=False)
    ],
) -> None:
    """Read whole pictures with an AffSpec checkpoint, and compare with its authors' values.

    The authors published values of model_esp.pth for beibin.jpg and no_face.jpg of their
    repository; pictures of other names are only read.

    Example: fedaffect-server cnn check-affspec model_esp.pth images/no_face.jpg

    Exit codes: 0 nothing differs by more than .01; 1 something does; 2 a file cannot be read.
    """
    from rich.table import Table
    from rich.text import Text

    from server.pretraining.affspec import load_affspec
    from server.pretraining.affspec_check import differences, read_whole_picture

    stored = load_affspec(checkpoint)
    table = Table("picture", "expression", "valence", "arousal", "action units", "published")
    faults = []
    for path in pictures:
        reading = read_whole_picture(stored, path)
        found = differences(stored, path, reading)
        verdict = "-" if found is None else ("differs" if found else "agrees")
        faults += [f"{path.name}: {text}" for text in found or ()]
        table.add_row(
            Text(path.name),
            f"{reading.expression} {reading.probability:.3f}",
            f"{reading.valence:.3f}",
            f"{reading.arousal:.3f}",
            " ".join(str(unit) for unit in reading.active) or "none",
            verdict,
        )
    output.print(f"{stored.network.unit} units, checkpoint sha256 {stored.sha256}", soft_wrap=True)
    output.print(table)
    for fault in faults:
        output.print(fault, markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(1)
