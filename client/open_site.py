"""Open this clinic's side of the study a message names, from the clinic's own files."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
from flwr.app import Context

from client.releases import InLedger
from client.site import SiteStudy
from client.site_folder import FrozenParticipants, SiteFolder
from shared.errors import InputError, PrivacyError
from shared.privacy.constants import load_constants
from shared.privacy.keyed_noise import KeyedNoise
from shared.privacy.planner import PlannedRelease, ReleaseKind
from shared.privacy.unit_vectors import AffectMap
from shared.study import load_study

_KINDS: dict[str, ReleaseKind] = {kind: kind for kind in get_args(ReleaseKind)}

__all__ = ["SITES_VARIABLE", "open_approved_study", "open_site"]

SITES_VARIABLE = "FEDAFFECT_SITES"
"""Environment variable of a developer's machine: a folder with one site folder per virtual node."""


def open_site(context: Context, study_digest: str) -> SiteStudy:
    """Open the node's site folder for the study a message names.

    The folder stands in the node's own configuration (``--node-config 'site="/path"'``). A virtual
    node of a simulation on a developer's machine has only its number; its folder is then
    ``$FEDAFFECT_SITES/<number>``.

    Raises
    ------
    InputError
        When no folder is configured or a file in it is missing or wrong.
    PrivacyError
        When the clinic has not approved the study, or its files are not what it approved.
    """
    return open_approved_study(SiteFolder(_folder(context)), study_digest)


def open_approved_study(folder: SiteFolder, study_digest: str) -> SiteStudy:
    """Open one approved study of a site folder.

    Raises
    ------
    InputError
        When a file is missing or damaged.
    PrivacyError
        When the study is not approved here, or a file changed after the approval.
    """
    place = folder.study(study_digest)
    known = study_digest.isalnum() and (place / "study.toml").exists()
    study = load_study(place / "study.toml") if known else None
    if study is None or study.digest != study_digest:
        raise PrivacyError(
            f"a message for study {study_digest[:12]}... was refused; this clinic has not "
            "approved it, or its copy was changed since"
        )
    if study.method != "federated-dp" or study.mode == "none":
        raise PrivacyError(
            f"study {study.title!r} has method {study.method!r} and mode {study.mode!r}, which is "
            "for simulations; a clinic answers federated-dp with noise only"
        )
    if study.mode == "secure-sum" and not study.mask_keys:
        raise PrivacyError(
            f"study {study.title!r} names no mask keys; a clinic answers masked sums only"
        )
    frozen = FrozenParticipants.read(place / "participants.json")
    ledger = folder.ledger()
    with ledger.locked() as book:
        opening = book.study(study_digest).opening
    if opening.data_digest != frozen.digest:
        raise PrivacyError(
            f"the participants of study {study.title!r} are not those that were frozen when it "
            "was approved; copy participants.json back from a backup"
        )
    feature_map = AffectMap(load_constants(place / "constants.json"), study.attribute_groups)
    return SiteStudy(
        clinic=folder.policy().name,
        study=study,
        feature_map=feature_map,
        features=np.zeros((len(frozen.asd), 0)),
        asd=frozen.asd,
        noise=KeyedNoise(folder.noise_secret()),
        frozen=frozen.vectors,
        mask_key=folder.mask_key(),
        approved=tuple(
            PlannedRelease(release.round, _KINDS[release.kind], release.sigma)
            for release in opening.releases
        ),
        book=InLedger(ledger, folder.root),
    )


def _folder(context: Context) -> Path:
    configured = context.node_config.get("site")
    if isinstance(configured, str) and configured:
        return Path(configured)
    sites = os.environ.get(SITES_VARIABLE)
    number = context.node_config.get("partition-id")
    if sites and number is not None:
        return Path(sites) / str(number)
    raise InputError(
        "this node has no site folder; start it with --node-config 'site=\"/path/to/folder\"', or "
        f"for virtual nodes set {SITES_VARIABLE} to a folder made by `fedaffect-sim sites`"
    )
