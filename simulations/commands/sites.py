"""``fedaffect-sim sites``: site folders for virtual nodes, so that ``flwr run .`` has data."""

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

__all__ = ["sites_command"]


def sites_command(
    out: Annotated[Path, typer.Option(help="Folder for the study and one folder per clinic.")],
    clinics: Annotated[int, typer.Option(min=2, help="Clinics.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the surrogate cohort.")] = 1000,
    epsilon: Annotated[float, typer.Option(min=0.01, help="Privacy budget.")] = 4.0,
    delta: Annotated[float, typer.Option(help="Delta.")] = 1e-5,
    evaluation_bins: Annotated[
        int, typer.Option(help="Score bins of the evaluation at the end: 2, 4, 6 or 8; 0 for none.")
    ] = 2,
) -> None:
    """Write a study and the surrogate clinics' site folders for Flower's own runner.

    Each site has its own keys and privacy ledger and has approved the study, as a clinic would.

    Example: fedaffect-sim sites --out sites
    """
    import numpy as np

    from client.approval import prepare_approval
    from client.open_site import SITES_VARIABLE
    from client.site_folder import create_site_folder
    from shared.channels import ATTRIBUTE_GROUPS
    from shared.console import output
    from shared.errors import InputError
    from shared.features import write_features
    from shared.files import write_atomic
    from shared.privacy.constants import load_constants
    from shared.privacy.evaluation_counts import EvaluationBins
    from shared.privacy.unit_vectors import AffectMap
    from shared.study import RosterClinic, Study, study_to_toml
    from simulations.cohort import surrogate_features
    from simulations.commands.options import check_delta, parse_epsilons

    parse_epsilons(f"{epsilon}")
    if evaluation_bins not in get_args(EvaluationBins):
        raise InputError(f"--evaluation-bins {evaluation_bins} asked; 0, 2, 4, 6 or 8 are possible")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} is not an empty folder; choose another")
    table = surrogate_features(seed, clinics=clinics)
    check_delta(delta, len(table))
    names = tuple(sorted(set(table.clinic or ())))
    sites = [
        create_site_folder(out / str(number), name, epsilon=2 * epsilon, delta=delta)
        for number, name in enumerate(names)
    ]
    study = Study(
        title=f"Surrogate cohort {seed}",
        roster=tuple(
            RosterClinic(name=name, mask_key=site.mask_key().public)
            for name, site in zip(names, sites, strict=True)
        ),
        participants=len(table),
        method="federated-dp",
        feature_map=AffectMap(load_constants(), ATTRIBUTE_GROUPS).digest,
        attribute_groups=ATTRIBUTE_GROUPS,
        epsilon=epsilon,
        delta=delta,
        evaluation_bins=cast("EvaluationBins", evaluation_bins),
        collusion_margin=1,
    )
    write_atomic(out / "study.toml", study_to_toml(study))
    for name, site in zip(names, sites, strict=True):
        own = np.array([clinic == name for clinic in table.clinic or ()])
        write_features(site.features, table.select(own))
        prepare_approval(site, out / "study.toml").commit()
    folder = out.resolve()
    output.print(
        f"Study and {len(names)} surrogate clinics: {folder}\nTrain them with Flower:\n"
        f"  export {SITES_VARIABLE}={folder}\n"
        f"  flwr run . local --federation-config 'num-supernodes={len(names)}' --stream \\\n"
        f"    -c 'study=\"{folder / 'study.toml'}\"'",
        soft_wrap=True,
        markup=False,
    )
