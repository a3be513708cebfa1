"""What a clinic holds for one study: its participants' features and labels, and its noise.

Everything that bounds privacy comes from here, that is from the clinic's own files, and nothing
from the messages it answers.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from shared.errors import InputError, PrivacyError
from shared.features import read_features
from shared.privacy.constants import DEFAULT_CONSTANTS, load_constants
from shared.privacy.discrete_gaussian import NoiseSource, OperatingSystemNoise
from shared.privacy.feature_map import FeatureMap, training_rows
from shared.privacy.planner import Plan
from shared.privacy.unit_vectors import AffectMap
from shared.study import Study, load_study

__all__ = ["SITES_VARIABLE", "SiteStudy", "open_site"]

SITES_VARIABLE = "FEDAFFECT_SITES"
"""Environment variable of a developer's machine: a folder with one site folder per virtual node."""


@dataclass(frozen=True)
class SiteStudy:
    """One clinic's side of one study it agreed to.

    Attributes
    ----------
    clinic : str
        Name in the study's roster.
    study : Study
        The clinic's own copy.
    feature_map : FeatureMap
        The study's map, from the clinic's own constants file.
    features : ndarray, shape (n, d)
        One row per participant.
    asd : ndarray of bool, shape (n,)
        Labels.
    noise : NoiseSource
        Where the clinic's noise comes from.
    """

    clinic: str
    study: Study
    feature_map: FeatureMap
    features: NDArray[np.float64]
    asd: NDArray[np.bool_]
    noise: NoiseSource

    def __post_init__(self) -> None:
        if self.clinic not in self.study.clinics:
            raise PrivacyError(
                f"clinic {self.clinic!r} is not in the roster of study {self.study.title!r} "
                f"({', '.join(self.study.clinics)}); ask the coordinator"
            )
        if len(self.features) != len(self.asd):
            raise InputError(
                f"{len(self.features)} feature rows and {len(self.asd)} labels; one label a row "
                "is needed"
            )
        if self.study.method != "federated":
            self.study.check_map(self.feature_map)

    @functools.cached_property
    def plan(self) -> Plan:
        """The study's plan, derived from the clinic's own copy."""
        return self.study.plan(self.feature_map)

    @functools.cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Participants whose features make a unit vector, shape (n,)."""
        present: NDArray[np.bool_] = np.any(self._all_vectors, axis=1)
        return present

    @functools.cached_property
    def vectors(self) -> NDArray[np.int64]:
        """Unit vectors of the usable participants; an unusable one takes part in no release."""
        return self._all_vectors[self.usable]

    @functools.cached_property
    def rows(self) -> NDArray[np.float64]:
        """Training rows of the usable participants."""
        return training_rows(self.feature_map, self.vectors)

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Labels of the usable participants."""
        return self.asd[self.usable]

    @functools.cached_property
    def _all_vectors(self) -> NDArray[np.int64]:
        return self.feature_map.unit_vectors(self.features)


def open_site(context: Context, study_digest: str) -> SiteStudy:
    """Open the clinic's folder for the study a message names.

    The folder stands in the node's own configuration (``--node-config 'site="/path"'``). A virtual
    node of a simulation on a developer's machine has only its number; its folder is then
    ``$FEDAFFECT_SITES/<number>``. It holds ``study.toml``, ``features.parquet`` with labels, and
    ``constants.json`` where the study brings its own.

    Raises
    ------
    InputError
        When no folder is configured or a file in it is missing or wrong.
    PrivacyError
        When the message names a study other than the one this clinic holds.
    """
    folder = _folder(context)
    study = load_study(folder / "study.toml")
    if study.digest != study_digest:
        raise PrivacyError(
            f"a message for study {study_digest[:12]}... was refused; this clinic holds study "
            f"{study.title!r} ({study.digest[:12]}...)"
        )
    if study.method != "federated-dp":
        raise PrivacyError(
            f"study {study.title!r} has method {study.method!r}, which is for simulations; a "
            "clinic answers federated-dp only"
        )
    own_constants = folder / "constants.json"
    constants = load_constants(own_constants if own_constants.exists() else DEFAULT_CONSTANTS)
    table = read_features(folder / "features.parquet")
    if table.asd is None or table.clinic is None or len(set(table.clinic)) != 1:
        raise InputError(
            f"{folder / 'features.parquet'} needs a label for every participant and one clinic "
            "name throughout"
        )
    return SiteStudy(
        clinic=table.clinic[0],
        study=study,
        feature_map=AffectMap(constants, study.attribute_groups),
        features=table.values,
        asd=table.asd,
        noise=OperatingSystemNoise(),
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
