"""The coordinator's command that writes the report of a finished study."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report_command"]


def report_command(
    study: Annotated[Path, typer.Argument(help="Study file; the model lies beside it.")],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")],
    model: Annotated[
        Path | None, typer.Option(help="Model file, where it is not beside the study file.")
    ] = None,
) -> None:
    """Write the report of a finished study, from what its clinics released and nothing else.

    Each section says whether it was released, or why not and what mu it would cost. No clinic is
    asked anything.

    Example: fedaffect-server report study.toml --out report
    """
    from datetime import UTC, datetime

    from server.app import study_journal
    from server.report import assemble_report
    from shared.console import output
    from shared.errors import InputError
    from shared.model_file import read_model_file
    from shared.report.page import write_report
    from shared.software import software
    from shared.study import load_study

    agreed = load_study(study)
    place = model or study.with_name(f"model-{agreed.digest[:12]}.json")
    if not place.is_file():
        raise InputError(
            f"there is no model {place} of study {agreed.title!r}; finish the training first "
            "(flwr run), or say with --model where its file is"
        )
    file = read_model_file(place)
    if file.study.digest != agreed.digest:
        raise InputError(
            f"{place} is the model of another study ({file.title!r}, {file.study.digest[:12]}); "
            f"{study} has the hash {agreed.digest[:12]}"
        )
    report = assemble_report(
        file, study_journal(study), created=datetime.now(UTC), written_by=software()
    )
    out.mkdir(parents=True, exist_ok=True)
    data, page = write_report(out, report)
    output.print(f"Report: {page}\nIts numbers: {data}", soft_wrap=True, markup=False)
