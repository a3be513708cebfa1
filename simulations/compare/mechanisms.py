"""The mechanisms that are compared, each as out-of-fold scores of one cohort.

All see the same unit vectors and folds. Those that share noise are safe against the collusion
margin, so the opened sum carries sqrt(K / (K - t)) times the planned noise; those that do not carry
sqrt(K) times.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.privacy.accountant import mu_of
from shared.privacy.planner import Plan, make_plan
from shared.study import LocalTraining
from simulations.compare.adassp import adassp_weights, symmetric_noise
from simulations.compare.stacked import (
    Numbers,
    Rows,
    gradient_training,
    local_training,
    out_of_fold,
    scores_of,
    thresholds,
)

__all__ = [
    "DEFAULT",
    "MECHANISMS",
    "REFERENCES",
    "Case",
    "Mechanism",
    "Reference",
    "no_noise_scores",
]

DEFAULT: Final = "default"

_CEILING_EPSILON: Final = 100.0
"""Budget whose plan is trained without noise: its total step is the largest the planner takes."""

_ADASSP_DRAWS: Final = 10
"""Its eigenvalues cost more than everything else together; half the draws average as well."""


@dataclass(frozen=True, eq=False)
class Case:
    """One cohort, ready for every mechanism.

    Attributes
    ----------
    rows : Rows
    fold : ndarray of int, shape (n,)
    top_eigenvalue : float
        Of the public constants' map.
    clinics, collusion_margin : int
    delta : float
    draws : int
        Draws of the noise.
    local : mapping
        Settings of local DP-SGD by epsilon.
    """

    rows: Rows
    fold: NDArray[np.int64]
    top_eigenvalue: float
    clinics: int
    collusion_margin: int
    delta: float
    draws: int
    local: Mapping[float, LocalTraining]

    @property
    def shared_noise(self) -> float:
        """Noise of an opened sum over the planned noise."""
        return math.sqrt(self.clinics / (self.clinics - self.collusion_margin))

    @property
    def separate_noise(self) -> float:
        """The same where every clinic adds the whole noise."""
        return math.sqrt(self.clinics)

    def plan(self, epsilon: float, participants: int, rounds: int | None = None) -> Plan:
        """Plan of one fold's study."""
        return make_plan(
            epsilon=epsilon,
            delta=self.delta,
            participants=participants,
            clinics=self.clinics,
            collusion_margin=self.collusion_margin,
            top_eigenvalue=self.top_eigenvalue,
            with_threshold=True,
            rounds=rounds,
        )

    def folds_by_size(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.bool_]]]:
        """Folds that train on equally many participants, hence share a plan.

        Yields
        ------
        participants : int
        folds : ndarray of int, shape (f,)
        train : ndarray of bool, shape (f, n)
        """
        numbers = np.arange(int(self.fold.max()) + 1)
        train = self.fold[None, :] != numbers[:, None]
        sizes = train.sum(axis=1)
        for size in np.unique(sizes):
            chosen = np.flatnonzero(sizes == size)
            yield int(size), chosen, train[chosen]


class Reference(NamedTuple):
    """A method without privacy."""

    name: str
    label: str
    explanation: str


Scores = Callable[[Case, float, np.random.Generator], Numbers]


class Mechanism(NamedTuple):
    """One way to train.

    Attributes
    ----------
    name : str
        In files.
    label : str
        For readers.
    explanation : str
        What it does, in a sentence.
    scores : callable
        Out-of-fold scores less threshold of each draw, shape (draws, n), from a case, an epsilon
        and the source of the noise.
    """

    name: str
    label: str
    explanation: str
    scores: Scores


def _gradient_sums(
    case: Case,
    epsilon: float,
    rng: np.random.Generator,
    *,
    inflation: float,
    rounds: int | None = None,
    draws: int | None = None,
) -> Numbers:
    """Noised gradient sums, then the threshold."""
    draws = draws or case.draws
    found = np.zeros((draws, int(case.fold.max()) + 1, len(case.fold)))
    for participants, folds, train in case.folds_by_size():
        plan = case.plan(epsilon, participants, rounds)
        problems = np.tile(train, (draws, 1))
        size = (len(problems), case.rows.phi.shape[1])

        def gradient_noise(plan: Plan = plan, size: tuple[int, int] = size) -> Numbers:
            return inflation * plan.sigma_gradient * rng.standard_normal(size)

        def threshold_noise(plan: Plan = plan, count: int = len(problems)) -> Numbers:
            return inflation * (plan.sigma_threshold or 0.0) * rng.standard_normal(count)

        weights = gradient_training(case.rows, problems, plan, gradient_noise)
        scores = scores_of(case.rows, weights)
        if plan.sigma_threshold is not None:
            limits = thresholds(case.rows, problems, weights, plan, threshold_noise)
            scores = scores - limits[:, None]
        found[:, folds] = scores.reshape(draws, len(folds), -1)
    return out_of_fold(found, case.fold)


def _secure_sum(case: Case, epsilon: float, rng: np.random.Generator) -> Numbers:
    return _gradient_sums(case, epsilon, rng, inflation=case.shared_noise)


def _fixed_rounds(rounds: int) -> Scores:
    def scores(case: Case, epsilon: float, rng: np.random.Generator) -> Numbers:
        return _gradient_sums(case, epsilon, rng, inflation=case.shared_noise, rounds=rounds)

    return scores


def _local_noise(case: Case, epsilon: float, rng: np.random.Generator) -> Numbers:
    return _gradient_sums(case, epsilon, rng, inflation=case.separate_noise)


def no_noise_scores(case: Case) -> Numbers:
    """Out-of-fold scores of the default's map and training without any noise, shape (1, n)."""
    unused = np.random.default_rng(0)
    return _gradient_sums(case, _CEILING_EPSILON, unused, inflation=0.0, draws=1)


def _adassp(case: Case, epsilon: float, rng: np.random.Generator) -> Numbers:
    """Ridge on noised moments; the threshold costs what it costs the default."""
    draws = min(case.draws, _ADASSP_DRAWS)
    dimension = case.rows.phi.shape[1]
    found = np.zeros((draws, int(case.fold.max()) + 1, len(case.fold)))
    for participants, folds, train in case.folds_by_size():
        # In four rounds no participant's own part is taken out of its score, as fits a ridge.
        plan = case.plan(epsilon, participants, rounds=4)
        spared = plan.sigma_threshold**-2 if plan.sigma_threshold else 0.0
        sigma = case.shared_noise * math.sqrt(2 / (plan.mu**2 - spared))
        shape = (draws, len(folds))
        weights = adassp_weights(
            case.rows,
            train,
            sigma,
            symmetric_noise(rng, sigma, shape, dimension),
            sigma * rng.standard_normal((*shape, dimension)),
        ).reshape(-1, dimension)
        scores = scores_of(case.rows, weights)
        if plan.sigma_threshold:
            noise = case.shared_noise * plan.sigma_threshold * rng.standard_normal(len(weights))
            problems = np.tile(train, (draws, 1))
            limits = thresholds(
                case.rows, problems, weights, plan, functools.partial(np.copy, noise)
            )
            scores = scores - limits[:, None]
        found[:, folds] = scores.reshape(draws, len(folds), -1)
    return out_of_fold(found, case.fold)


def _federated_averaging(case: Case, epsilon: float, rng: np.random.Generator) -> Numbers:
    settings = case.local[epsilon]
    sigma = math.sqrt(settings.rounds * settings.steps) / mu_of(epsilon, case.delta)
    folds = int(case.fold.max()) + 1
    train = np.tile(case.fold[None, :] != np.arange(folds)[:, None], (case.draws, 1))
    size = (len(train), case.rows.phi.shape[1])
    weights = local_training(case.rows, train, settings, lambda: sigma * rng.standard_normal(size))
    return out_of_fold(scores_of(case.rows, weights).reshape(case.draws, folds, -1), case.fold)


MECHANISMS: Final = (
    Mechanism(
        DEFAULT,
        "Secure sum (default)",
        "Noised sums of clipped gradients over all clinics, as many as the public rule gives, then "
        "one noised sum for the threshold. What a study trains with.",
        _secure_sum,
    ),
    Mechanism(
        "rounds-1",
        "Secure sum, 1 round",
        "The same with one gradient sum; thresholds come from leave-one-out scores.",
        _fixed_rounds(1),
    ),
    Mechanism("rounds-4", "Secure sum, 4 rounds", "The same with four.", _fixed_rounds(4)),
    Mechanism("rounds-8", "Secure sum, 8 rounds", "The same with eight.", _fixed_rounds(8)),
    Mechanism(
        "adassp",
        "AdaSSP, secure sum",
        "Ridge regression from noised sums of x x' and y x (Wang 2018), noise shared over the "
        "secure sum, budget split evenly between both after the default's threshold.",
        _adassp,
    ),
    Mechanism(
        "local-noise",
        "Full noise per clinic",
        "The default's training, but every clinic adds the whole noise and no secure sum is needed "
        "(mode local).",
        _local_noise,
    ),
    Mechanism(
        "fedavg",
        "Local DP-SGD + FedAvg",
        "Every clinic trains with full-batch DP-SGD, the server averages the weights by clinic "
        "size. Rounds, steps, learning rate and clipping norm are tuned for each ε on other "
        "cohorts, at no charge to its ε. It releases no threshold.",
        _federated_averaging,
    ),
)
"""Private mechanisms, in reading order."""

REFERENCES: Final = (
    Reference(
        "pooled", "Pooled, no privacy", "Logistic regression on all clinics' rows in one place."
    ),
    Reference(
        "no-noise",
        "Default without noise",
        "The default's map and training with no noise at all: what its features can give.",
    ),
    Reference(
        "alone",
        "One clinic alone",
        "Logistic regression on one clinic's own rows, tested on everyone; mean over the clinics, "
        "weighted by their size.",
    ),
)
"""Methods without privacy that the others are read against."""
