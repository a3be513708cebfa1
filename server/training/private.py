"""Joint training under differential privacy: noised gradient sums, then one for the threshold.

A study that asks for them ends with noised counts of its participants by label and score.
"""

import math
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError
from shared.messages import Answer, Question
from shared.model import PrivateModel
from shared.privacy.evaluation_counts import counts_from_sum
from shared.privacy.feature_map import FeatureMap
from shared.privacy.grid import GRID, on_weight_grid
from shared.privacy.planner import CLIPPING_NORM, Plan, PlannedRelease
from shared.privacy.secure_sum import Contribution, open_sum, plausible
from shared.privacy.threshold import threshold_from_sum
from shared.study import Study

__all__ = ["start_weights", "train_privately", "weights_after"]


def train_privately(
    study: Study, feature_map: FeatureMap
) -> Generator[Question, Sequence[Answer], PrivateModel]:
    """Gradient descent from zero on the sums the clinics open together.

    Parameters
    ----------
    study : Study
        With method ``federated-dp``.
    feature_map : FeatureMap
        The study's map; only its public numbers are used here.

    Returns
    -------
    PrivateModel

    Raises
    ------
    FederationError
        When an answer cannot belong to this question.
    """
    plan = study.plan(feature_map)
    weights = start_weights(study, feature_map)
    for release in plan.releases[: plan.rounds]:
        question = Question(release.kind, release.round, {"weights": weights})
        weights = weights_after(study, plan, release, question, (yield question))

    direction = weights.copy()
    threshold, counts = 0.0, None
    if feature_map.releases_threshold and feature_map.constant_last:
        direction[-1] = 0.0  # the constant coordinate served the training only
    for release in plan.releases[plan.rounds :]:
        arrays = {"weights": direction}
        if release.kind == "evaluation":
            arrays["threshold"] = np.array([threshold])
        question = Question(release.kind, release.round, arrays)
        length = 2 * plan.evaluation_bins if release.kind == "evaluation" else 1
        opened = _opened(study, plan, release, question, (yield question), length)
        if release.kind == "threshold":
            threshold = threshold_from_sum(opened, feature_map.dimension, plan.participants)
        else:
            counts = tuple(counts_from_sum(opened).tolist())
    return PrivateModel(
        study=study.digest,
        direction=tuple(direction.tolist()),
        threshold=threshold,
        epsilon=plan.epsilon,
        delta=plan.delta,
        mu=plan.spent_mu(),
        evaluation_counts=counts,
    )


def weights_after(
    study: Study,
    plan: Plan,
    release: PlannedRelease,
    question: Question,
    answers: Sequence[Answer],
) -> NDArray[np.float64]:
    """Weights after one gradient round, on the weight grid.

    Parameters
    ----------
    study : Study
    plan : Plan
    release : PlannedRelease
        The round.
    question : Question
        What was asked, with the weights before.
    answers : sequence of Answer
        In roster order.

    Raises
    ------
    FederationError
        When an answer cannot belong to this question.
    """
    weights = np.asarray(question.arrays["weights"], dtype=np.float64)
    opened = _opened(study, plan, release, question, answers, len(weights))
    gradient = opened * (CLIPPING_NORM / GRID)
    return on_weight_grid(weights - plan.step * gradient / plan.participants)


def start_weights(study: Study, feature_map: FeatureMap) -> NDArray[np.float64]:
    """Zero, or the weights a successor study inherits."""
    length = feature_map.dimension
    if study.parent is None:
        return np.zeros(length)
    return np.array(study.parent.weights)


def _opened(
    study: Study,
    plan: Plan,
    release: PlannedRelease,
    question: Question,
    answers: Sequence[Answer],
    length: int,
) -> NDArray[np.int64]:
    """Open one release's sum, and refuse one that no honest roster could have made."""
    opened = open_sum(
        [
            Contribution(clinic, study.digest, answer.round, answer.input_digest, _sum(answer))
            for clinic, answer in zip(study.clinics, answers, strict=False)
        ],
        roster=study.clinics,
        study=study.digest,
        round_number=question.round,
        input_digest=question.digest,
        length=length,
    )
    # Every clinic adds whole noise in mode local, and more than one share too many with a margin.
    sigma = math.sqrt(study.share(release.sigma) * len(study.clinics)) / GRID
    if not plausible(opened, plan.participants, sigma, GRID):
        raise FederationError(
            f"the sum of round {release.round} ({release.kind}) is larger than {plan.participants} "
            "participants and the planned noise can make it; a clinic answered with wrong masks or "
            "false numbers, or more participants answered than were declared. The training stops"
        )
    return opened


def _sum(answer: Answer) -> NDArray[np.uint64]:
    vector = answer.arrays.get("sum")
    if vector is None or vector.dtype != np.uint64:
        raise FederationError("a clinic answered without a sum; is it on another version?")
    return vector.astype(np.uint64, copy=False)
