"""Joint training under differential privacy: noised gradient sums, then one for the threshold."""

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError
from shared.messages import Answer, Question
from shared.model import PrivateModel
from shared.privacy.feature_map import FeatureMap
from shared.privacy.grid import GRID
from shared.privacy.planner import CLIPPING_NORM
from shared.privacy.secure_sum import open_sum
from shared.privacy.threshold import threshold_from_sum
from shared.study import Study

__all__ = ["train_privately"]


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
    clinics = len(study.clinics)
    weights = np.zeros(feature_map.dimension + feature_map.appends_constant)
    for number in range(1, plan.rounds + 1):
        answers = yield Question("gradient", number, {"weights": weights})
        opened = open_sum(_vectors(answers), clinics=clinics, length=len(weights))
        gradient = opened * (CLIPPING_NORM / GRID)
        weights = weights - plan.step * gradient / plan.participants

    direction = weights[: feature_map.dimension].copy()
    threshold = 0.0
    if feature_map.releases_threshold and not feature_map.appends_constant:
        direction[-1] = 0.0  # the constant coordinate of the map itself served the training only
    if plan.sigma_threshold is not None:
        question = Question("threshold", plan.rounds + 1, {"weights": direction})
        answers = yield question
        opened = open_sum(_vectors(answers), clinics=clinics, length=1)
        threshold = threshold_from_sum(opened, feature_map.dimension, plan.participants)
    return PrivateModel(
        study=study.digest,
        direction=tuple(direction.tolist()),
        threshold=threshold,
        epsilon=plan.epsilon,
        delta=plan.delta,
        mu=plan.spent_mu(),
    )


def _vectors(answers: Sequence[Answer]) -> list[NDArray[np.uint64]]:
    vectors = []
    for answer in answers:
        vector = answer.arrays.get("sum")
        if vector is None or vector.dtype != np.uint64:
            raise FederationError("a clinic answered without a sum; is it on another version?")
        vectors.append(vector.astype(np.uint64, copy=False))
    return vectors
