"""``fedaffect-client quality``: which recordings are good enough, and why not."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shared.console import output
from shared.errors import InputError

if TYPE_CHECKING:
    from client.quality.report import QualityReport

__all__ = ["quality_command"]

_COLOURS: Final = {
    "usable": "green",
    "doubtful": "yellow",
    "unusable": "bold red",
    "not extracted": "cyan",
}


def quality_command(
    site: Annotated[
        Path | None,
        typer.Option(help="Site folder.", show_default="site, unless --attributes is given"),
    ] = None,
    attributes: Annotated[
        Path | None,
        typer.Option(help="Folder that `extract` wrote.", show_default="that of the site"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Page to write (.html).", show_default="quality.html of the site"),
    ] = None,
) -> None:
    """Tell which recordings are usable, doubtful or unusable, and why.

    Prints a table, the worst recording first, and writes one HTML page with curves over time. Its
    limits stand in the section [quality] of site.toml. Only children who consented and finished are
    shown. No recording is opened, the attributes are enough.

    Example: fedaffect-client quality --site site

    Exit codes: 0 every attribute file was read; 1 some are damaged, the others were read; 2 there
    is nothing to judge, or an option is wrong; 3 the privacy ledger cannot be used.
    """
    from datetime import datetime

    from client.quality.limits import QualityLimits, load_quality_limits
    from client.quality.page import write_page
    from client.quality.report import report_quality
    from client.site_folder import SiteFolder
    from client.site_participants import read_site_participants

    if site is None and attributes is None:
        site = Path("site")
    if out is not None and (out.suffix.lower() not in (".html", ".htm") or out.is_dir()):
        raise InputError(f"--out {out} asked; name the page to write, ending in .html")
    if attributes is not None and not attributes.is_dir():
        raise InputError(f"--attributes {attributes}: no such folder")
    if site is None:
        assert attributes is not None
        report = report_quality(attributes, QualityLimits())
    else:
        folder = SiteFolder(site)
        name, limits = folder.policy().name, load_quality_limits(site)
        # Attributes from elsewhere need no import; the site's own are those of imported children.
        people = read_site_participants(folder) if folder.participants.exists() else None
        report = report_quality(attributes or folder.attributes, limits, people=people, clinic=name)
        out = out or site / "quality.html"
    if out is not None:
        write_page(out, report, now=datetime.now().astimezone())
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print(report, out)
    if any(recording.damaged for recording in report.recordings):
        raise typer.Exit(1)


def _print(report: "QualityReport", page: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from client.quality.page import NOT_MEASURED, in_cells

    # Words break where they may, so that the table fits the 80 columns of a plain window.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("child", overflow="fold", min_width=6)
    table.add_column("verdict", no_wrap=True)
    for column in in_cells(None):
        heading = column.replace("ness", "-\nness").replace(" ", "\n")
        table.add_column(heading, justify="right", no_wrap=True)
    for recording in report.recordings:
        cells = in_cells(recording.measures)
        table.add_row(
            Text(recording.participant),
            Text(recording.state, style=_COLOURS[recording.state]),
            *(cell.replace(NOT_MEASURED, "not\nmeasured") for cell in cells.values()),
        )
    output.print(table)
    output.print()
    for recording in report.recordings:
        if recording.reasons:
            output.print(
                f"{recording.participant}: {'; '.join(recording.reasons)}",
                markup=False,
                soft_wrap=True,
            )
    if report.flow:
        output.print(report.flow_in_words(), markup=False, soft_wrap=True)
    output.print(report.in_words(), markup=False, soft_wrap=True)
    if page is not None:
        output.print(f"Page with curves over time: {page}", markup=False, soft_wrap=True)
