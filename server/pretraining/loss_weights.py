"""Weigh up what is rare: expressions that few faces show, and units that are mostly at rest."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from server.pretraining.batches import batch_counts
from server.pretraining.config import TrainingConfig
from server.pretraining.labelled_faces import LabelledFaces
from server.pretraining.loss import MultiTaskLoss

__all__ = ["balanced_loss", "class_weights", "positive_weights"]


def balanced_loss(
    config: TrainingConfig, sets: Sequence[LabelledFaces], world: int, device: torch.device
) -> MultiTaskLoss:
    """Loss with weights for the mixture of data sets that the batches hold.

    Parameters
    ----------
    config : TrainingConfig
    sets : sequence of LabelledFaces
        In the order of ``config.data``.
    world : int
        Number of processes.
    device : torch.device
    """
    counts = batch_counts([data.share for data in config.data], config.batch_size * world)
    settings = config.loss

    def mixed(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum of a target and number of its labels, by column, in an average batch."""
        sums, labels = [], []
        for faces, count, data in zip(sets, counts, config.data, strict=True):
            target = getattr(faces, name).astype(np.float64)
            weight = count / len(faces) * getattr(data.weights, name)
            sums.append(weight * np.nansum(target, axis=0))
            labels.append(weight * np.isfinite(target).sum(axis=0))
        return np.sum(sums, axis=0), np.sum(labels, axis=0)

    expression, _ = mixed("expression")
    active, coded = mixed("action_units")
    return MultiTaskLoss(
        expression_weights=torch.from_numpy(
            class_weights(expression, settings.balance, settings.largest_weight)
        ).to(device),
        positive_weights=torch.from_numpy(
            positive_weights(active, coded, settings.balance, settings.largest_weight)
        ).to(device),
        expression=settings.expression,
        action_units=settings.action_units,
        valence_arousal=settings.valence_arousal,
    )


def class_weights(mass: NDArray[np.float64], balance: float, largest: float) -> NDArray[np.float32]:
    """Weights of the expressions, shape (8,), from how often each is labelled.

    Inverse frequency to the power ``balance``, capped at ``largest``, then mean 1 over the faces.
    """
    if mass.sum() == 0:
        return np.ones(len(mass), np.float32)
    share = mass / mass.sum()
    weights = np.minimum((share.max() / np.maximum(share, 1e-6)) ** balance, largest)
    return np.asarray(weights / (weights * share).sum(), np.float32)


def positive_weights(
    active: NDArray[np.float64], coded: NDArray[np.float64], balance: float, largest: float
) -> NDArray[np.float32]:
    """Weights of the units' active side, shape (12,), from active and coded counts.

    Inactive over active to the power ``balance``, from 1 to ``largest``.
    """
    ratio = ((coded - active) / np.maximum(active, 1e-6)).clip(0) ** balance
    # A unit that is never active has nothing to be weighed up.
    return np.where(active > 0, np.clip(ratio, 1.0, largest), 1.0).astype(np.float32)
