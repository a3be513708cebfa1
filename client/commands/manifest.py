"""``fedaffect-client import``: from the clinic's spreadsheet to the site folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.console import output

if TYPE_CHECKING:
    from client.site_folder import SiteFolder
    from client.site_participants import SiteParticipants

__all__ = ["import_command"]

_NAMES_SHOWN = 5


def import_command(
    manifest: Annotated[
        Path, typer.Argument(help="The spreadsheet, saved as CSV.", show_default=False)
    ],
    site: Annotated[Path, typer.Option("--site", help="This clinic's site folder.")] = Path("site"),
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the recordings; no file outside it is ever opened.",
            show_default="the spreadsheet's folder",
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows with faults, and list them.")
    ] = False,
) -> None:
    """Take over a spreadsheet of participants: who consented, who finished, which recording.

    Columns: participant, video, diagnosis (ASD or non-ASD), consent and finished (yes or no); if
    you have them also age_months or age_years, sex, device, session. Videos stay where they are.
    The recordings of children without consent are never looked at. The table of an earlier import
    is replaced.

    Example: fedaffect-client import children.csv --site site --recordings D:/recordings

    Exit codes: 0 imported; 1 imported without the rows that are listed; 2 nothing was imported;
    3 the privacy ledger cannot be used.
    """
    from client.manifest import read_manifest
    from client.site_folder import SiteFolder
    from client.site_participants import read_site_participants, store_site_participants

    folder = SiteFolder(site)
    folder.policy()
    read = read_manifest(manifest, recordings or manifest.parent, skip_bad=skip_bad)
    is_new = store_site_participants(folder, read.rows, read.recordings)
    for row in read.skipped:
        for fault in row.faults:
            who = f" ({row.participant})" if row.participant else ""
            output.print(f"skipped line {row.line}{who}: {fault}", markup=False, soft_wrap=True)
    output.print(str(read.flow), markup=False)
    what = f"{len(read.rows)} rows imported into" if is_new else "Nothing has changed in"
    left_out = f", {len(read.skipped)} skipped" if read.skipped else ""
    output.print(f"{what} {site}{left_out}", markup=False, soft_wrap=True)
    output.print(f"The recordings stay in {read.recordings}", markup=False, soft_wrap=True)
    _warn(read_site_participants(folder), folder)
    if read.skipped:
        raise typer.Exit(1)


def _warn(participants: "SiteParticipants", folder: "SiteFolder") -> None:
    """Name children who are not used although the table, or an older import, says otherwise."""
    from client.site_traces import participants_with_traces

    withdrew = sorted(participants.withdrawn)
    if withdrew:
        output.print(
            f"Withdrawn in the privacy ledger, so never used again: {_some(withdrew)}",
            markup=False,
            soft_wrap=True,
        )
    usable = {row.participant for row in participants.usable}
    kept = sorted(participants_with_traces(folder) - usable)
    if kept:
        output.print(
            f"{folder.root} has attributes or pictures of children who may not be used: "
            f"{_some(kept)}. They are not read; if consent was taken back, delete them with "
            "`fedaffect-client withdraw CHILD --delete-files`",
            markup=False,
            soft_wrap=True,
        )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
