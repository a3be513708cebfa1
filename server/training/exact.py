"""Joint training without privacy: the federated fit that equals the pooled one.

For simulations, and for data that need no protection: every clinic's gradient and Hessian are
opened one by one.
"""

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError
from shared.learning.newton import (
    CONVERGED,
    Moments,
    NewtonSums,
    newton_step,
    standardisation,
)
from shared.messages import Answer, Question
from shared.model import LinearModel
from shared.study import Study

__all__ = ["train_exactly"]

_MOST_STEPS = 100


def train_exactly(study: Study) -> Generator[Question, Sequence[Answer], LinearModel]:
    """Standardise by pooled moments, then take Newton steps on summed gradients and Hessians.

    Parameters
    ----------
    study : Study
        With method ``federated``.

    Returns
    -------
    LinearModel
        Equal to logistic regression on the pooled rows.

    Raises
    ------
    FederationError
        When all participants carry one label, or the steps do not converge.
    """
    first = _moments((yield Question("moments", 1, {})))
    mean = first.total / np.maximum(first.count, 1.0)
    second = _moments((yield Question("moments", 2, {"centre": mean})))
    mean, scale = standardisation(mean, second)
    participants, with_asd = second.labels
    if with_asd in (0, participants):
        raise FederationError(
            f"all {participants:.0f} participants of study {study.title!r} carry one label; "
            "a classifier needs both"
        )

    weights = np.zeros(len(mean) + 1)
    best = np.inf
    accepted = weights
    step = np.zeros_like(weights)
    for number in range(3, 3 + _MOST_STEPS):
        arrays = {"mean": mean, "scale": scale, "weights": weights}
        sums = _sums((yield Question("newton", number, arrays)), len(weights))
        objective = sums.loss + float(weights[:-1] @ weights[:-1]) / (2 * study.regularisation_c)
        if objective > best + 1e-12 * abs(best):
            step = step / 2  # overshot: go half as far from the last good point
            weights = accepted + step
            continue
        best, accepted = objective, weights
        step = newton_step(sums, weights, study.regularisation_c)
        weights = accepted + step
        if np.abs(step).max() < CONVERGED:
            break
    else:
        raise FederationError(
            f"study {study.title!r} did not converge in {_MOST_STEPS} Newton steps; "
            "lower regularisation_c"
        )
    return LinearModel(
        study=study.digest,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        coefficients=tuple(weights[:-1].tolist()),
        intercept=float(weights[-1]),
    )


def _moments(answers: Sequence[Answer]) -> Moments:
    return Moments(*(_total(answers, name) for name in ("count", "total", "square", "labels")))


def _sums(answers: Sequence[Answer], size: int) -> NewtonSums:
    triangle = _total(answers, "hessian")
    upper = np.triu_indices(size)
    if len(triangle) != len(upper[0]):
        raise FederationError(
            f"a clinic answered a Hessian of {len(triangle)} numbers; {len(upper[0])} are expected"
        )
    hessian = np.zeros((size, size))
    hessian[upper] = triangle
    hessian = hessian + np.triu(hessian, 1).T
    return NewtonSums(float(_total(answers, "loss")[0]), _total(answers, "gradient"), hessian)


def _total(answers: Sequence[Answer], name: str) -> NDArray[np.float64]:
    shapes = {answer.arrays[name].shape for answer in answers if name in answer.arrays}
    if len(shapes) != 1 or any(name not in answer.arrays for answer in answers):
        raise FederationError(
            f"clinics answered {name!r} with shapes {sorted(shapes)}; one shape is expected. "
            "Do all clinics have the same features?"
        )
    total: NDArray[np.float64] = np.sum([answer.arrays[name] for answer in answers], axis=0)
    if not np.isfinite(total).all():
        raise FederationError(f"the sum of {name!r} over the clinics is not finite")
    return total
