"""How each method trains, as a conversation: ask the clinics, open their answers, decide the next.

A training is a generator. It yields a :class:`shared.messages.Question`, receives the roster's
answers in roster order, and returns the model. It knows nothing of Flower, nodes or time, so the
same lines run in a simulation and in a hospital network.
"""

from collections.abc import Generator, Sequence

from server.training.exact import train_exactly
from server.training.local_dp import train_locally
from server.training.private import train_privately
from shared.messages import Answer, Question
from shared.model import TrainedModel
from shared.privacy.feature_map import FeatureMap
from shared.study import Study

__all__ = ["Training", "start_training"]

Training = Generator[Question, Sequence[Answer], TrainedModel]


def start_training(study: Study, feature_map: FeatureMap) -> Training:
    """Return the conversation that trains this study's model."""
    if study.method == "federated-dp":
        return train_privately(study, feature_map)
    if study.method == "local-dp":
        return train_locally(study, feature_map)
    return train_exactly(study)
