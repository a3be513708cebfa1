"""Tell a clinic's staff when its own features lie far from a study's public constants.

Constants that are off put one and the same direction into every participant's unit vector, and that
costs more accuracy than the privacy does. The check compares nothing but this clinic's own people
with the constants, its outcome is shown on the clinic's own screen, and nothing of it is sent.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, GROUP_CHANNELS
from shared.privacy.constants import PublicConstants, composites, standard_scores
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap

__all__ = ["FAR", "FEWEST_CHECKED", "ConstantsFinding", "check_constants"]

FAR: Final = 0.28
"""Shared direction above which constants count as far. Over 48 clinics of 12 surrogate cohorts it
was .17 in the median and .26 at most with constants of the right population, and .43 in the median
when every statistic was off by a random public standard deviation."""

FEWEST_CHECKED: Final = 5
_NAMED: Final = 3
_CLASSES: Final = ("level", "variability", "dynamics")


@dataclass(frozen=True)
class ConstantsFinding:
    """How far a clinic's features lie from public constants.

    Attributes
    ----------
    people : int
        Participants looked at; under ``FEWEST_CHECKED`` nothing is said.
    shared_direction : float
        Mean dot product of two different participants' unit vectors: 0 when the constants centre
        this clinic perfectly, 1 when every vector is the same.
    farthest : tuple of (str, float)
        The composites that lie farthest, with their mean in public standard deviations.
    """

    people: int
    shared_direction: float
    farthest: tuple[tuple[str, float], ...]

    @property
    def far(self) -> bool:
        """Whether staff should be warned."""
        return self.people >= FEWEST_CHECKED and self.shared_direction > FAR

    def in_words(self) -> str:
        """What staff read, one paragraph."""
        if self.people < FEWEST_CHECKED:
            return (
                f"Public constants: not checked, {self.people} usable participants are too few "
                f"(at least {FEWEST_CHECKED})."
            )
        where = ", ".join(f"{name} {mean:+.1f} sd" for name, mean in self.farthest)
        if not self.far:
            return (
                f"Public constants: they fit this clinic (shared direction "
                f"{self.shared_direction:.2f}, up to {FAR:g} is usual)."
            )
        return (
            f"Public constants: this clinic's features lie far from them (shared direction "
            f"{self.shared_direction:.2f}, up to {FAR:g} is usual), most at {where}. The model "
            "will gain little from this clinic; privacy is not affected. Was another camera, "
            "player or version of the program used here? If not, ask the coordinator for constants "
            "of a pilot: at least 20 consented, unlabelled recordings from outside the study."
        )


def check_constants(constants: PublicConstants, features: NDArray[np.float64]) -> ConstantsFinding:
    """Compare one clinic's features with public constants.

    Parameters
    ----------
    constants : PublicConstants
    features : ndarray, shape (n, n_features)
        The clinic's participants; rows that are not finite are left out.
    """
    usable = features[np.isfinite(features).all(axis=1)]
    people = len(usable)
    if people < FEWEST_CHECKED:
        return ConstantsFinding(people, 0.0, ())
    phi = AffectMap(constants, ATTRIBUTE_GROUPS).unit_vectors(usable) / GRID
    # Pairs of different people only: a vector's product with itself says nothing about others.
    whole, own = float(np.square(phi.sum(axis=0)).sum()), float(np.square(phi).sum())
    shared = (whole - own) / (people * (people - 1))
    means = _composite_means(constants, usable)
    largest = sorted(means, key=lambda named: -abs(named[1]))[:_NAMED]
    return ConstantsFinding(people, shared, tuple(largest))


def _composite_means(
    constants: PublicConstants, features: NDArray[np.float64]
) -> list[tuple[str, float]]:
    scores = standard_scores(constants, features)
    named = []
    for group in ATTRIBUTE_GROUPS:
        fine, _ = composites(scores, group)
        names = [f"{CHANNELS[c]} {kind}" for c in GROUP_CHANNELS[group] for kind in _CLASSES]
        named += list(zip(names, fine.mean(axis=0).tolist(), strict=True))
    return named
