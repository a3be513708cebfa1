"""Exact leave-one-out of the private training with one round, threshold included.

With one gradient sum the weights are a sum over participants, so leaving one out is taking one row
out of the sum, under the same noise: all n trainings come from one, without approximation. The
threshold is a second sum, over the others, of scores from which each one's own part has been taken
out (``shared.privacy.leave_one_out``); it is redone for every participant left out. More rounds
have no such read-out, since later gradients depend on everyone.

Works on unit vectors of one combination, where one party holds the rows.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError, PrivacyError
from shared.evaluation.cross_validated import CV_METRICS, CvMetric, cross_validated
from shared.evaluation.estimate import Estimate, percentile
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan
from shared.privacy.threshold import clipped_contributions, score_limit, threshold_from_sum

__all__ = ["OneRound", "measure_one_round", "one_round_scores"]

Numbers = NDArray[np.float64]

_DRAWS: Final = 200


@dataclass(frozen=True)
class OneRound:
    """Leave-one-out figures of the private training with one round.

    Attributes
    ----------
    without_noise : dict
        Metric to its figure where the same training adds no noise.
    with_noise : dict
        Metric to its mean over draws of the noise, with the range that holds 95 % of the draws:
        how much the noise moves the figure, not how well the participants determine it.
    epsilon, delta : float
    draws : int
    """

    without_noise: dict[CvMetric, float]
    with_noise: dict[CvMetric, Estimate]
    epsilon: float
    delta: float
    draws: int

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {
            "without_noise": dict(self.without_noise),
            "with_noise": {name: found.as_json() for name, found in self.with_noise.items()},
            "epsilon": self.epsilon,
            "delta": self.delta,
            "draws": self.draws,
        }


def measure_one_round(
    vectors: NDArray[np.int64],
    asd: NDArray[np.bool_],
    plan: Plan,
    *,
    seed: int,
    draws: int = _DRAWS,
) -> OneRound:
    """Figures of ``one_round_scores`` without noise and over draws of the plan's noise.

    Parameters
    ----------
    vectors : ndarray of int64, shape (n, k)
    asd : ndarray of bool, shape (n,)
        Both diagnoses occur.
    plan : Plan
        With one round. The opened sums carry sqrt(K / (K - t)) times its noise for K clinics of
        which t may collude.
    seed : int
        Of the noise, which is for simulation only.
    draws : int

    Raises
    ------
    PrivacyError, InputError
        As ``one_round_scores``; or only one diagnosis is there.
    """
    if asd.all() or not asd.any():
        raise InputError(f"All {len(asd)} participants have the same diagnosis; figures need both.")
    rng = np.random.default_rng(seed)
    shared = math.sqrt(plan.clinics / (plan.clinics - plan.collusion_margin))
    noisy = one_round_scores(
        vectors,
        asd,
        plan,
        gradient_noise=shared
        * plan.sigma_gradient
        * rng.standard_normal((draws, vectors.shape[1])),
        threshold_noise=shared * (plan.sigma_threshold or 0.0) * rng.standard_normal(draws),
    )
    bare = one_round_scores(vectors, asd, plan)
    together = np.zeros(len(asd), dtype=np.int64)
    found: dict[CvMetric, Estimate] = {}
    for metric in CV_METRICS:
        each = cross_validated(asd, noisy, together, metric)
        found[metric] = percentile(float(each.mean()), each, "95 % of the draws of the noise")
    return OneRound(
        without_noise={
            metric: float(cross_validated(asd, bare, together, metric)[0]) for metric in CV_METRICS
        },
        with_noise=found,
        epsilon=plan.epsilon,
        delta=plan.delta,
        draws=draws,
    )


def one_round_scores(
    vectors: NDArray[np.int64],
    asd: NDArray[np.bool_],
    plan: Plan,
    *,
    gradient_noise: Numbers | None = None,
    threshold_noise: Numbers | None = None,
) -> Numbers:
    """Score less threshold of every participant by the training that lacked them.

    Parameters
    ----------
    vectors : ndarray of int64, shape (n, k)
        Quantised unit vectors.
    asd : ndarray of bool, shape (n,)
    plan : Plan
        With one round; its step and declared enrolment are kept when a participant is left out, as
        they are public numbers fixed before.
    gradient_noise : ndarray, shape (draws, k), optional
        Noise of the opened gradient sum in units of its sensitivity, such as ``sigma_gradient``
        times a standard normal; one draw of none when not given.
    threshold_noise : ndarray, shape (draws,), optional
        Likewise for the threshold sum.

    Returns
    -------
    ndarray, shape (draws, n)
        Above 0 is called ASD.

    Raises
    ------
    PrivacyError
        The plan has more than one round.
    InputError
        Shapes do not fit.
    """
    from shared.privacy.gradient_sum import participant_gradients

    if plan.rounds != 1:
        raise PrivacyError(
            f"exact leave-one-out was asked of a plan with {plan.rounds} rounds; it follows from "
            "the sum itself only with one. Plan one round, or use nested cross-validation."
        )
    n, dimension = vectors.shape
    noise = np.zeros((1, dimension)) if gradient_noise is None else gradient_noise
    extra = np.zeros(len(noise)) if threshold_noise is None else threshold_noise
    if len(asd) != n or noise.shape[1:] != (dimension,) or extra.shape != noise.shape[:1]:
        raise InputError(
            f"{n} unit vectors of {dimension} coordinates, {len(asd)} diagnoses, noise of shapes "
            f"{noise.shape} and {extra.shape} were given; give a diagnosis a vector, (draws, "
            f"{dimension}) and (draws,)."
        )
    phi = vectors / GRID
    own = -participant_gradients(phi, asd, np.zeros(dimension)) / GRID  # downhill, clipped, on grid
    overlap = (own * phi).sum(axis=1)
    others = ~np.eye(n, dtype=bool)
    found = np.empty((len(noise), n))
    for draw, (each, threshold_draw) in enumerate(zip(noise, extra, strict=True)):
        without = own.sum(axis=0) - each - own  # one row for each participant left out
        length = np.linalg.norm(without, axis=1)
        scale = 1 / np.where(length > 0, length, np.inf)
        projected = without @ phi.T
        found[draw] = np.diagonal(projected) * scale
        if plan.sigma_threshold is not None:
            scores = (projected - overlap) * scale[:, None]
            parts = clipped_contributions(scores / score_limit(dimension), asd) * others
            sums = parts.sum(axis=1) + np.rint(GRID * threshold_draw).astype(np.int64)
            found[draw] -= [
                threshold_from_sum(total, dimension, plan.participants) for total in sums[:, None]
            ]
    return found
