"""The product's trainings in closed form, many problems at once.

At a clinic a gradient goes through Opacus and the integer grid, one study at a time. That is right
there, and far too slow to average a comparison over thousands of draws of the noise. Here a problem
is one training (a fold, a draw), and all problems on the same rows advance together by matrix
products. The formulas are those of ``shared.privacy.gradient_sum``, ``shared.privacy.threshold``,
``shared.privacy.leave_one_out`` and ``client.local_dp``; tests hold each against its original under
the same noise. What is left out is rounding to the grid: at most half a grid step a participant.

Maps with a constant coordinate of their own (tables) are not covered; affect features have none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM, Plan
from shared.privacy.threshold import clipped_contributions, score_limit, threshold_from_sum
from shared.study import LocalTraining

__all__ = [
    "Draw",
    "Rows",
    "gradient_training",
    "local_training",
    "out_of_fold",
    "scores_of",
    "thresholds",
]

Numbers = NDArray[np.float64]

Draw = Callable[[], Numbers]
"""Gives the noise of the next release, for all problems at once."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Participants as every private mechanism sees them.

    Attributes
    ----------
    phi : ndarray, shape (n, k)
        Unit vectors.
    asd : ndarray of bool, shape (n,)
    clinic : ndarray of int, shape (n,)
        Number of each participant's clinic, from 0.
    """

    phi: Numbers
    asd: NDArray[np.bool_]
    clinic: NDArray[np.int64]

    @property
    def signs(self) -> Numbers:
        """Labels as +1 (ASD) and -1, shape (n,)."""
        return np.where(self.asd, 1.0, -1.0)


def gradient_training(rows: Rows, train: NDArray[np.bool_], plan: Plan, draw: Draw) -> Numbers:
    """Weights after the planned noised gradient sums.

    Parameters
    ----------
    rows : Rows
    train : ndarray of bool, shape (p, n)
        Training participants of each problem.
    plan : Plan
        Common to all problems.
    draw : callable
        Noise of the opened sums in units of their sensitivity, shape (p, k), called once a round.

    Returns
    -------
    ndarray, shape (p, k)
    """
    lengths = np.linalg.norm(rows.phi, axis=1)
    shrink = 1 - np.sqrt(rows.phi.shape[1]) / (2 * GRID)  # what the integer grid takes off a row
    weights = np.zeros((len(train), rows.phi.shape[1]))
    for _ in range(plan.rounds):
        slopes = _slopes(rows.signs, weights @ rows.phi.T) / CLIPPING_NORM
        slopes *= train * (shrink / np.maximum(1.0, np.abs(slopes) * lengths))
        opened = slopes @ rows.phi + draw()
        weights = weights - plan.step * CLIPPING_NORM * opened / plan.participants
    return weights


def scores_of(rows: Rows, weights: Numbers) -> Numbers:
    """Unit scores of every participant under every problem's weights, shape (p, n)."""
    length = np.linalg.norm(weights, axis=1, keepdims=True)
    scores: Numbers = (weights @ rows.phi.T) / np.where(length > 0, length, 1.0)
    return scores


def thresholds(
    rows: Rows, train: NDArray[np.bool_], weights: Numbers, plan: Plan, draw: Draw
) -> Numbers:
    """Thresholds on the unit score, from the noised mean of clipped scores less the class balance.

    Parameters
    ----------
    rows : Rows
    train : ndarray of bool, shape (p, n)
    weights : ndarray, shape (p, k)
    plan : Plan
        With one round, each participant's own part is taken out of its score first.
    draw : callable
        Noise in units of the sensitivity, shape (p,).

    Returns
    -------
    ndarray, shape (p,)
    """
    scores = scores_of(rows, weights)
    dimension = rows.phi.shape[1]
    if plan.rounds == 1:
        # At zero every slope is one half, which is the clipping norm: a participant's own part of
        # the weights is step * C / N * sign * phi.
        squared = np.square(rows.phi).sum(axis=1)
        own = plan.step * CLIPPING_NORM / plan.participants * rows.signs * squared
        length = np.linalg.norm(weights, axis=1, keepdims=True)
        scores = scores - own / np.where(length > 0, length, 1.0)
    each = clipped_contributions(scores / score_limit(dimension), rows.asd) / GRID
    opened = np.rint(GRID * ((each * train).sum(axis=1) + draw())).astype(np.int64)
    return np.array(
        [threshold_from_sum(total, dimension, plan.participants) for total in opened[:, None]]
    )


def local_training(
    rows: Rows, train: NDArray[np.bool_], settings: LocalTraining, draw: Draw
) -> Numbers:
    """Weights after DP-SGD at each clinic and federated averaging.

    Parameters
    ----------
    rows : Rows
    train : ndarray of bool, shape (p, n)
    settings : LocalTraining
    draw : callable
        Noise of one clinic's gradient sum in units of the clipping norm, shape (p, k); called once
        a step, clinic after clinic, in each averaging round.

    Returns
    -------
    ndarray, shape (p, k)
    """
    members = [
        np.flatnonzero(rows.clinic == number) for number in range(int(rows.clinic.max()) + 1)
    ]
    counts = np.stack([train[:, own].sum(axis=1) for own in members], axis=1)
    weights = np.zeros((len(train), rows.phi.shape[1]))
    for _ in range(settings.rounds):
        total = np.zeros_like(weights)
        for number, own in enumerate(members):
            total += counts[:, number, None] * _local_steps(
                Rows(rows.phi[own], rows.asd[own], rows.clinic[own]),
                train[:, own],
                weights,
                settings,
                draw,
            )
        weights = total / counts.sum(axis=1, keepdims=True)
    return weights


def _local_steps(
    own: Rows, train: NDArray[np.bool_], weights: Numbers, settings: LocalTraining, draw: Draw
) -> Numbers:
    norm = settings.clipping_norm
    lengths = np.linalg.norm(own.phi, axis=1)
    count = train.sum(axis=1, keepdims=True)
    for _ in range(settings.steps):
        slopes = _slopes(own.signs, weights @ own.phi.T)
        # Opacus adds 1e-6 to a gradient's length before it divides by it.
        slopes *= train * np.minimum(1.0, norm / (np.abs(slopes) * lengths + 1e-6))
        gradient = (slopes @ own.phi + norm * draw()) / np.maximum(count, 1)
        weights = np.where(count > 0, weights - settings.learning_rate * gradient, weights)
    return weights


def _slopes(signs: Numbers, outputs: Numbers) -> Numbers:
    """Derivative of the logistic loss at each output."""
    slopes: Numbers = -signs * expit(-signs * outputs)
    return slopes


def out_of_fold(scores: Numbers, fold: NDArray[np.int64]) -> Numbers:
    """Each participant's score by the model that was not trained on it.

    Parameters
    ----------
    scores : ndarray, shape (draws, folds, n)
        Scores of all participants by the model trained without each fold.
    fold : ndarray of int, shape (n,)
        The fold in which each participant is tested.

    Returns
    -------
    ndarray, shape (draws, n)
    """
    return scores[:, fold, np.arange(len(fold))]
