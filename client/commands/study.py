"""The clinic's commands around a study: make a site folder, approve a study, end it."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "approve_command",
    "end_command",
    "init_command",
    "mask_key_command",
    "record_model_command",
]

_Site = Annotated[Path, typer.Option("--site", help="This clinic's site folder.")]


def init_command(
    site: Annotated[Path, typer.Argument(help="New folder for this clinic.", show_default=False)],
    name: Annotated[str, typer.Option(help="The clinic's name, as it will stand in studies.")],
    epsilon: Annotated[
        float, typer.Option(min=0.01, help="Most privacy loss of a child over all studies.")
    ] = 8.0,
    delta: Annotated[float, typer.Option(help="Its delta.")] = 1e-5,
) -> None:
    """Make this clinic's site folder: keys, limits, an empty privacy ledger.

    Example: fedaffect-client init site --name "Clinic North"
    """
    from client.site_folder import create_site_folder
    from shared.console import output

    folder = create_site_folder(site, name, epsilon=epsilon, delta=delta)
    output.print(f"Site folder of {folder.policy().name}: {site}", markup=False)
    _show_key(folder.mask_key().public)


def mask_key_command(
    site: _Site = Path("site"),
) -> None:
    """Print this clinic's public mask key for the coordinator, and its fingerprint.

    Example: fedaffect-client mask-key --site site
    """
    from client.site_folder import SiteFolder

    _show_key(SiteFolder(site).mask_key().public)


def approve_command(
    study: Annotated[Path, typer.Argument(help="Study file from the coordinator (.toml).")],
    site: _Site = Path("site"),
    constants: Annotated[
        Path | None,
        typer.Option(help="The study's public constants, if not constants.json beside the study."),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Feature table, if not features.parquet of the site.")
    ] = None,
    exclude_spent: Annotated[
        bool,
        typer.Option(
            "--exclude-spent", help="Leave out children whose budget cannot bear the study."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Check a study against this clinic's rules, show it, and open it in the privacy ledger.

    From then on its participants are frozen and its whole privacy cost is reserved. Nothing is
    sent. Compare the fingerprints with the other clinics by telephone or on paper: invented
    clinics would undo the secure sum.

    Example: fedaffect-client approve study.toml --site site
    """
    from client.approval import prepare_approval
    from client.site_folder import SiteFolder
    from shared.console import output

    approval = prepare_approval(
        SiteFolder(site),
        study,
        constants_file=constants,
        features_file=features,
        exclude_spent=exclude_spent,
    )
    output.print(approval.in_words(), markup=False, soft_wrap=True)
    if not yes:
        typer.confirm("Approve this study?", abort=True)
    approval.commit()
    output.print(f"\nApproved. Study {approval.study.digest}", soft_wrap=True)


def end_command(
    study: Annotated[str, typer.Argument(help="Study hash, or its first 8 or more digits.")],
    site: _Site = Path("site"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """End a study at this clinic: every further round is refused.

    Rounds that were never created return to the children's budgets. For instance when a lost
    clinic has to be left out and a successor study takes over.

    Example: fedaffect-client end 3f9a12cc --site site
    """
    from client.approval import open_studies
    from client.site_folder import SiteFolder
    from shared.console import output
    from shared.errors import InputError

    folder = SiteFolder(site)
    found = [digest for digest in open_studies(folder) if digest.startswith(study.lower())]
    if len(study) < 8 or len(found) != 1:
        raise InputError(
            f"study {study!r} asked; {len(found)} open studies of this clinic begin so. "
            "`fedaffect-client ledger status` lists them"
        )
    if not yes:
        typer.confirm(f"End study {found[0][:12]}...? This cannot be undone.", abort=True)
    with folder.ledger().locked() as book:
        book.close_study(found[0], "ended by the clinic")
    output.print(f"Ended. Study {found[0]}", soft_wrap=True)


def record_model_command(
    model: Annotated[Path, typer.Argument(help="Model file from the coordinator (.json).")],
    site: _Site = Path("site"),
) -> None:
    """Remember a released model, so that a withdrawal can say which models include a child.

    Example: fedaffect-client record-model model-3f9a12cc5b1e.json --site site

    Exit codes: 0 recorded, or recorded before; 2 the file is not a whole model file; 3 this clinic
    did not approve its study, or the privacy ledger cannot be used.
    """
    from client.site_folder import SiteFolder
    from shared.console import output
    from shared.model_file import read_model_file

    found = read_model_file(model)
    with SiteFolder(site).ledger().locked() as book:
        book.record_model(found.study.digest, found.sha256)
    output.print(f"Recorded. Model {found.sha256} of study {found.study.digest}", soft_wrap=True)


def _show_key(public: str) -> None:
    from shared.console import output
    from shared.privacy.masks import fingerprint

    output.print(
        f"Mask key (for the coordinator): {public}\n"
        f"Fingerprint (to read to the other clinics): {fingerprint(public)}",
        soft_wrap=True,
    )
