"""``fedaffect-sim constants``: make the public constants of the feature map."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["PUBLIC_SEED", "constants_command"]

PUBLIC_SEED = 7_000_000
"""Public people of the packaged constants; no cohort uses this seed."""


def constants_command(
    out: Annotated[Path, typer.Option(help="File to write.")],
    features: Annotated[
        Path | None,
        typer.Option(help="features.parquet of at least 20 unlabelled pilot people."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Who the people are, for the study's readers.")
    ] = None,
    people: Annotated[
        int, typer.Option(min=20, help="Surrogate people, without --features.")
    ] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the surrogate people.")] = PUBLIC_SEED,
) -> None:
    """Make the public constants that place and whiten temporal features.

    From a pilot's features, or from surrogate people. They must never be made from participants
    of a study that uses them.

    Example: fedaffect-sim constants --features pilot/features.parquet
    --source "24 consented pilot recordings of clinic North" --out study/constants.json
    """
    from shared.console import output
    from shared.errors import InputError
    from shared.features import read_features
    from shared.files import write_atomic
    from shared.privacy.constants_building import build_constants
    from simulations.cohort import GENERATOR_VERSION, public_people

    if out.is_dir():
        raise InputError(f"--out {out} is a folder; give a file, such as {out / 'constants.json'}")
    if features is not None and not source:
        raise InputError("--source is missing: say who the people in --features are")
    table = read_features(features) if features is not None else public_people(people, seed)
    described = source or f"{people} surrogate people, generator {GENERATOR_VERSION}, seed {seed}"
    constants = build_constants(table.values, described)
    write_atomic(out, constants.to_json())
    output.print(f"Constants of {constants.people} people: {out}\nsha256 {constants.digest}")
