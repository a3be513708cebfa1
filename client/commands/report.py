"""``fedaffect-client report``: what the clinic's own rows say, for its own staff."""

from pathlib import Path
from typing import Annotated

import typer

from shared.console import output, stderr

__all__ = ["report_command"]


def report_command(
    site: Annotated[Path, typer.Option(help="Site folder.")] = Path("site"),
    model: Annotated[
        Path | None,
        typer.Option(help="A study's model file: judged on your children too.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and resamples.")] = 0,
) -> None:
    """Write a report about your own children: accuracy, differences, fairness, with intervals.

    A small classifier is trained and tested on your own rows, again and again, so that you see how
    well your recordings tell children with ASD from others, and how unsure that is. The report is
    exact: it is for your staff, and must not leave the clinic. It is written to the folder report
    of the site folder. Run `features` first.

    Example: fedaffect-client report --site site

    Exit codes: 0 the report was written; 2 an option is wrong, or there are too few children;
    3 the privacy ledger cannot be used.
    """
    import shlex
    import sys

    from client.local_report import clinic_participants, local_report
    from client.site_folder import SiteFolder
    from shared.evaluation.evaluate import EvaluationSettings, evaluate_participants
    from shared.model_file import read_model_file
    from shared.report.page import write_report

    folder = SiteFolder(site)
    people = clinic_participants(folder)
    released = None if model is None else read_model_file(model)
    with stderr.status("Cross-validating") as status:
        found = evaluate_participants(
            people,
            EvaluationSettings(seed=seed),
            on_step=lambda step: status.update(f"Working: {step}"),
        )
        status.update("Writing the report")
        command = shlex.join(["fedaffect-client", *sys.argv[1:]])
        report = local_report(found, folder, command=command, model=released)
        folder.report.mkdir(mode=0o700, exist_ok=True)
        data, page = write_report(folder.report, report)
    for line in (f"Report: {page}", f"The same numbers for a script: {data}"):
        output.print(line, markup=False, soft_wrap=True)
    output.print("It is exact and for your own staff: it must not leave the clinic.")
