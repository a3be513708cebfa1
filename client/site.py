"""One clinic's side of one study: its participants' rows and labels, its keys and its books.

Everything that bounds privacy comes from here, that is from the clinic's own files, and nothing
from the messages it answers.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from client.releases import ReleaseBook, Unrecorded
from shared.errors import InputError, PrivacyError
from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.feature_map import FeatureMap
from shared.privacy.grid import GRID
from shared.privacy.masks import MaskKey
from shared.privacy.planner import Plan, PlannedRelease
from shared.study import Study

__all__ = ["SiteStudy"]


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
        One row per participant; unused where ``frozen`` is given.
    asd : ndarray of bool, shape (n,)
        Labels.
    noise : NoiseSource
        Where the clinic's noise comes from.
    frozen : ndarray of int64, shape (n, k), optional
        The participants' unit vectors where they are known already: a deployed clinic freezes
        them when it approves the study.
    mask_key : MaskKey, optional
        The private half of this clinic's key in the roster.
    approved : tuple of PlannedRelease, optional
        The releases as the clinic approved them; without, those of the plan derived now.
    book : ReleaseBook
        Accounts for what this clinic releases.
    """

    clinic: str
    study: Study
    feature_map: FeatureMap
    features: NDArray[np.float64]
    asd: NDArray[np.bool_]
    noise: NoiseSource
    frozen: NDArray[np.int64] | None = None
    mask_key: MaskKey | None = field(default=None, repr=False)
    approved: tuple[PlannedRelease, ...] | None = None
    book: ReleaseBook = field(default_factory=Unrecorded)

    def __post_init__(self) -> None:
        if self.clinic not in self.study.clinics:
            raise PrivacyError(
                f"clinic {self.clinic!r} is not in the roster of study {self.study.title!r} "
                f"({', '.join(self.study.clinics)}); ask the coordinator"
            )
        rows = self.features if self.frozen is None else self.frozen
        if len(rows) != len(self.asd):
            raise InputError(
                f"{len(rows)} rows and {len(self.asd)} labels; one label a row is needed"
            )
        if self.study.mask_keys:
            public = self.study.mask_keys[self.study.clinics.index(self.clinic)]
            if self.mask_key is None or self.mask_key.public != public:
                raise PrivacyError(
                    f"study {self.study.title!r} names another mask key for clinic "
                    f"{self.clinic!r} than this clinic holds; send the coordinator this clinic's "
                    "registration again"
                )
        if self.study.method != "federated":
            self.study.check_map(self.feature_map)

    @functools.cached_property
    def plan(self) -> Plan:
        """The study's plan, derived from the clinic's own copy."""
        return self.study.plan(self.feature_map)

    @property
    def releases(self) -> tuple[PlannedRelease, ...]:
        """The study's noised sums. A plan derived anew may differ in the last digit of a sigma."""
        return self.plan.releases if self.approved is None else self.approved

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
        """Unit vectors of the usable participants as real numbers of norm <= 1."""
        return self.vectors / GRID

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Labels of the usable participants."""
        return self.asd[self.usable]

    @functools.cached_property
    def _all_vectors(self) -> NDArray[np.int64]:
        return self.feature_map.unit_vectors(self.features) if self.frozen is None else self.frozen
