"""``fedaffect-client features``: from attributes to one table of features."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output
from shared.errors import InputError

if TYPE_CHECKING:
    from client.feature_building import BuiltFeatures
    from shared.features import FeatureTable

__all__ = ["features_command"]


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
    with_unusable: Annotated[
        bool,
        typer.Option(
            "--with-unusable", help="With --site: keep recordings that `quality` calls unusable."
        ),
    ] = False,
) -> None:
    """Turn attribute files into one table, a row of temporal features for each participant.

    With --site the site folder's own attributes and participants are used, and its feature table
    is written; children whose recording is unusable by the limits of site.toml (see `quality`) are
    left out and named. With --participants only those who consented and finished are kept, with
    their diagnosis, as a study needs it. A participant with less than 30 s of face keeps an empty
    row and is named.

    Example: fedaffect-client features --site site

    Example: fedaffect-client features attributes --participants participants.csv
    --out site/features.parquet

    Exit codes: 0 the table was written, and whoever is not in it was named; 2 nothing was written:
    an option is wrong, a file is damaged, or nobody is left; 3 the privacy ledger cannot be used.
    """
    if site is not None:
        if attributes is not None or out is not None or participants is not None:
            raise InputError("--site has its own folders; give either --site or the paths")
        _features_of_site(site, with_unusable=with_unusable)
        return
    if with_unusable:
        raise InputError("--with-unusable belongs to --site; without it nothing is left out")
    if attributes is None:
        raise InputError("Missing argument: the folder that `extract` wrote, or --site DIR")
    if out is None:
        raise InputError("--out is missing; name the feature table to write, or give --site DIR")
    _features_of_folder(attributes, out, participants)


def _features_of_folder(attributes: Path, out: Path, participants: Path | None) -> None:
    from client.feature_building import build_features, with_diagnoses
    from shared.features import write_features
    from shared.participants import read_participants

    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name the file to write, ending in .parquet")
    if out.suffix != ".parquet":
        raise InputError(f"--out {out} asked; a feature table is Parquet, name it ... .parquet")
    people = None if participants is None else read_participants(participants)
    built = build_features(attributes)
    table = built.table if people is None else with_diagnoses(built.table, people)
    write_features(out, table)
    _name_empty_rows(built, table)
    left_out = len(built.table) - len(table)
    note = f", {left_out} without consent or unfinished left out" if left_out else ""
    _print_size(table, out, note)


def _features_of_site(site: Path, *, with_unusable: bool) -> None:
    from client.feature_building import build_features, with_diagnoses
    from client.quality.limits import load_quality_limits
    from client.quality.selection import unusable_recordings
    from client.recordings_check import of_another_recording
    from client.site_folder import SiteFolder
    from client.site_participants import read_site_participants
    from shared.features import write_features

    folder = SiteFolder(site)
    listed = read_site_participants(folder)
    people = listed.usable
    wrong = of_another_recording(folder, listed)
    for name, reason in wrong.items():
        _print(f"{name}: left out, {reason}")
    may_be_used = frozenset(person.participant for person in people) - wrong.keys()
    poor: dict[str, tuple[str, ...]] = {}
    if not with_unusable:
        poor = unusable_recordings(folder.attributes, may_be_used, load_quality_limits(site))
    for name, reasons in poor.items():
        _print(f"{name}: left out, the recording is unusable: {'; '.join(reasons)}")
    if (poor or wrong) and not any(
        (folder.attributes / f"{name}.parquet").exists() for name in may_be_used - poor.keys()
    ):
        raise InputError(
            "no recording is usable, so there is no table to write; look at `fedaffect-client "
            f"quality --site {site}`, or keep them with --with-unusable"
        )
    built = build_features(folder.attributes, only=may_be_used - poor.keys())
    table = with_diagnoses(built.table, people)
    write_features(folder.features, table)
    _name_empty_rows(built, table)
    note = f", {len(poor)} unusable left out" if poor else ""
    note += f", {len(wrong)} of another recording left out" if wrong else ""
    missing = len(may_be_used) - len(poor) - len(table)
    if missing:
        note += f", {missing} of {len(may_be_used)} usable children have no attributes yet"
    _print_size(table, folder.features, note)


def _name_empty_rows(built: "BuiltFeatures", table: "FeatureTable") -> None:
    from shared.features.temporal import SHORTEST_SERIES_S

    for name in built.too_short:
        if name in table.participants:
            _print(
                f"{name}: {built.face_seconds[name]:.1f} s of face, at least "
                f"{SHORTEST_SERIES_S:g} s are needed; the row is empty"
            )


def _print_size(table: "FeatureTable", out: Path, note: str) -> None:
    rows, columns = table.values.shape
    _print(f"{rows} participants x {columns} features in {out}{note}")


def _print(line: str) -> None:
    output.print(line, markup=False, soft_wrap=True)
