"""The baseline others use: DP-SGD at each clinic with its own full noise, and FedAvg.

Kept to be compared with, not to be used: every clinic pays the whole noise, and the weights of the
average tell each clinic's size.
"""

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import FederationError
from shared.messages import Answer, Question
from shared.model import PrivateModel
from shared.privacy.accountant import mu_of
from shared.privacy.feature_map import FeatureMap
from shared.study import Study

__all__ = ["train_locally"]


def train_locally(
    study: Study, feature_map: FeatureMap
) -> Generator[Question, Sequence[Answer], PrivateModel]:
    """Average the weights that the clinics trained locally, round after round.

    Parameters
    ----------
    study : Study
        With method ``local-dp`` and its ``local`` settings.
    feature_map : FeatureMap
        The study's map.

    Returns
    -------
    PrivateModel
    """
    if study.local is None or study.epsilon is None or study.delta is None:
        raise FederationError(f"study {study.title!r} has no local-dp settings")
    weights = np.zeros(feature_map.dimension)
    for number in range(1, study.local.rounds + 1):
        answers = yield Question("local_steps", number, {"weights": weights})
        counts = _stacked(answers, "examples", (1,))[:, 0]
        updated = _stacked(answers, "weights", weights.shape)
        if counts.sum() == 0:
            raise FederationError(f"no clinic of study {study.title!r} has a usable participant")
        weights = counts @ updated / counts.sum()
    return PrivateModel(
        study=study.digest,
        direction=tuple(weights.tolist()),
        threshold=0.0,
        epsilon=study.epsilon,
        delta=study.delta,
        mu=mu_of(study.epsilon, study.delta),
    )


def _stacked(answers: Sequence[Answer], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    arrays = [answer.arrays.get(name) for answer in answers]
    if any(array is None or array.shape != shape for array in arrays):
        raise FederationError(
            f"a clinic answered {name!r} of another shape than {shape}; is it on another version?"
        )
    return np.stack([np.asarray(array, dtype=np.float64) for array in arrays])
