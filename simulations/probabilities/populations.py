"""One surrogate population in three parts: a large study, small studies, and children to test on.

The direction of the group effect and the clinics' shifts are drawn with the seed, so everyone of a
population shares them. The *reference* part trains the model of a study with very many children
and no noise. The *pool* is what small studies draw their participants from, and nobody of it
trains the reference, so a small study's model is no part of what it is held against. *Held-out*
children train nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import AttributeGroup
from shared.features import temporal_features
from shared.learning.pooled import fit_pooled_logistic
from shared.privacy.constants import PublicConstants
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan, make_plan
from shared.privacy.unit_vectors import AffectMap
from shared.study import RosterClinic, Study
from simulations.cohort.clinics import clinic_names
from simulations.cohort.cohort import Cohort, surrogate_cohort
from simulations.compare.stacked import Rows, gradient_training, thresholds

__all__ = [
    "ASD_SHARE",
    "HELD_OUT",
    "POOL",
    "REFERENCE",
    "MappedPopulation",
    "Models",
    "Population",
    "draw_population",
    "fitted_line",
    "standard_study",
]

ASD_SHARE: Final = 49 / 88
REFERENCE: Final = 3000
POOL: Final = 1000
HELD_OUT: Final = 600

_CEILING_EPSILON: Final = 100.0
"""Budget of the reference's plan: its total step is the largest the planner takes."""

_UNPENALISED: Final = 1e6
_FIT, _DRAW = 1, 2
"""Streams of a population's own randomness."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Population:
    """Features, labels and the three parts.

    Attributes
    ----------
    seed : int
    cohort : Cohort
        Where further recordings of a child come from.
    rows : ndarray of int, shape (n,)
        Each child's row in the cohort.
    features : ndarray, shape (n, n_features)
    asd : ndarray of bool, shape (n,)
    clinic : ndarray of int, shape (n,)
    reference, pool, held_out : ndarray of int
        Indices of the parts.
    """

    seed: int
    cohort: Cohort
    rows: NDArray[np.int64]
    features: Numbers
    asd: NDArray[np.bool_]
    clinic: NDArray[np.int64]
    reference: NDArray[np.int64]
    pool: NDArray[np.int64]
    held_out: NDArray[np.int64]

    def mapped(
        self, constants: PublicConstants, groups: Sequence[AttributeGroup]
    ) -> "MappedPopulation":
        """Return the population as a model on these attribute groups sees it."""
        feature_map = AffectMap(constants, groups)
        return MappedPopulation(self, feature_map, feature_map.unit_vectors(self.features) / GRID)


@dataclass(frozen=True, eq=False)
class Models:
    """Trained models: unit directions and thresholds.

    Attributes
    ----------
    directions : ndarray, shape (p, k)
    thresholds : ndarray, shape (p,)
    """

    directions: Numbers
    thresholds: Numbers

    def scaled_scores(self, phi: Numbers) -> Numbers:
        """Scores less threshold times sqrt(k), shape (p, n), of unit vectors, shape (n, k)."""
        scores = self.directions @ phi.T - self.thresholds[:, None]
        scaled: Numbers = np.sqrt(phi.shape[1]) * scores
        return scaled


@dataclass(frozen=True, eq=False)
class MappedPopulation:
    """A population's unit vectors, and what is trained on them.

    Attributes
    ----------
    population : Population
    feature_map : AffectMap
    phi : ndarray, shape (n, k)
    """

    population: Population
    feature_map: AffectMap
    phi: Numbers

    def unit_vectors(self, features: Numbers) -> Numbers:
        """Unit vectors of other recordings, shape (n, k)."""
        return self.feature_map.unit_vectors(features) / GRID

    def reference(self) -> tuple[Models, float, float]:
        """Train the very large study: its model, and the line from its scaled score to log-odds.

        The line is fitted to everyone who did not train the model.
        """
        own = self.population
        plan = make_plan(
            epsilon=_CEILING_EPSILON,
            delta=1e-9,
            participants=len(own.reference),
            clinics=4,
            collusion_margin=1,
            top_eigenvalue=self.feature_map.top_eigenvalue,
            with_threshold=True,
        )
        rng = np.random.default_rng([own.seed, _FIT])
        everyone = np.ones((1, len(own.reference)), dtype=bool)
        model = self._trained(own.reference, everyone, plan, 0.0, rng)
        others = np.concatenate([own.pool, own.held_out])
        scores = model.scaled_scores(self.phi[others])[0]
        return model, *fitted_line(scores, own.asd[others])

    def studies(
        self,
        study: Study,
        count: int,
        *,
        asd_share: float = ASD_SHARE,
        without_clinic: int | None = None,
    ) -> Models:
        """Train a study ``count`` times, with other children of the pool and other noise.

        Parameters
        ----------
        study : Study
        count : int
        asd_share : float
            Of its participants.
        without_clinic : int, optional
            Number of a clinic whose children do not take part.
        """
        own = self.population
        rng = np.random.default_rng(
            [own.seed, _DRAW, study.participants, round(1e6 * (study.epsilon or 0.0))]
        )
        plan = study.plan(self.feature_map)
        sigma = plan.releases[0].sigma
        opened = np.sqrt(study.share(sigma) * len(study.clinics)) / GRID
        there = own.clinic[own.pool] != without_clinic
        drawn = np.zeros((count, len(own.pool)), dtype=bool)
        n_asd = round(study.participants * asd_share)
        for chosen in drawn:
            for label, wanted in ((True, n_asd), (False, study.participants - n_asd)):
                able = np.flatnonzero(there & (own.asd[own.pool] == label))
                chosen[rng.choice(able, wanted, replace=False)] = True
        return self._trained(own.pool, drawn, plan, float(opened / sigma), rng)

    def _trained(
        self,
        part: NDArray[np.int64],
        train: NDArray[np.bool_],
        plan: Plan,
        inflation: float,
        rng: np.random.Generator,
    ) -> Models:
        own = self.population
        rows = Rows(self.phi[part], own.asd[part], own.clinic[part])
        size = (len(train), self.phi.shape[1])
        weights = gradient_training(
            rows,
            train,
            plan,
            lambda: inflation * plan.sigma_gradient * rng.standard_normal(size),
        )
        limits = thresholds(
            rows,
            train,
            weights,
            plan,
            lambda: inflation * (plan.sigma_threshold or 0.0) * rng.standard_normal(len(train)),
        )
        return Models(weights / np.linalg.norm(weights, axis=1, keepdims=True), limits)


def draw_population(
    seed: int,
    *,
    reference: int = REFERENCE,
    pool: int = POOL,
    held_out: int = HELD_OUT,
    clinics: int = 4,
) -> Population:
    """Draw a population and split it, each part with the same share of ASD.

    Parameters
    ----------
    seed : int
    reference, pool, held_out : int
        Children of each part.
    clinics : int
    """
    n = reference + pool + held_out
    # A few more than needed let every part round its own share.
    n_asd = round(n * ASD_SHARE)
    cohort = surrogate_cohort(seed, clinics=clinics, n_asd=n_asd + 4, n_non_asd=n - n_asd + 2)
    rows = np.array(cohort.analysed)
    people = [cohort.participants[row] for row in rows]
    asd = np.array([person.asd for person in people])
    names = sorted({person.clinic for person in people})
    rng = np.random.default_rng([seed, _FIT, 1])
    order = {label: list(rng.permutation(np.flatnonzero(asd == label))) for label in (True, False)}
    parts = []
    for size in (reference, pool, held_out):
        wanted = {True: round(size * ASD_SHARE), False: size - round(size * ASD_SHARE)}
        parts.append(
            np.sort([order[label].pop() for label in (True, False) for _ in range(wanted[label])])
        )
    return Population(
        seed=seed,
        cohort=cohort,
        rows=rows,
        features=_features(cohort, rows),
        asd=asd,
        clinic=np.array([names.index(person.clinic) for person in people]),
        reference=parts[0],
        pool=parts[1],
        held_out=parts[2],
    )


def _features(cohort: Cohort, rows: NDArray[np.int64]) -> Numbers:
    return np.stack([temporal_features(cohort.series(int(row))) for row in rows])


def standard_study(feature_map: AffectMap, epsilon: float, participants: int) -> Study:
    """Study of four clinics that the table is measured with."""
    return Study(
        title=f"{participants} surrogate participants, epsilon {epsilon:g}",
        roster=tuple(RosterClinic(name=name) for name in clinic_names(4)),
        participants=participants,
        feature_map=feature_map.digest,
        attribute_groups=feature_map.groups,
        epsilon=epsilon,
        delta=1e-5,
        collusion_margin=1,
    )


def fitted_line(scores: Numbers, asd: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of the label on one number."""
    coefficients, intercept = fit_pooled_logistic(scores[:, None], asd, _UNPENALISED)
    return float(coefficients[0]), intercept
