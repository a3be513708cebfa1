"""Train the multi-task network on FER+.

AdamW with a one-cycle cosine schedule, an exponential mean of the weights as the result, and small
pictures first: most steps run at ``start_size``, the last ones at ``size``, the size the weights
are stored for. Without a time budget the run is determined by its seed (on one machine and thread
count); with one it ends when the time is up, and the schedule follows the clock.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from server.pretraining.augmentation import augmented
from server.pretraining.ferplus import FerPlus
from server.pretraining.initial_weights import start_from_espnetv2
from server.pretraining.loss import MultiTaskLoss
from server.pretraining.weak_labels import weak_action_units, weak_valence_arousal
from shared.affect.network import AffectNetwork, Unit
from shared.errors import InputError

__all__ = ["Progress", "TrainingSettings", "train"]

_SWITCH_AT = 0.7
"""Share of the schedule after which pictures have their final size."""
_WARM_UP = 0.05
_WEIGHT_CAP = 5.0


@dataclass(frozen=True)
class TrainingSettings:
    """What determines a training run besides its data.

    Attributes
    ----------
    unit : {"eesp", "mobilenet", "bottleneck"}
    size, start_size : int
        Side of the pictures at the end and at the start, pixels.
    epochs : int
        Passes over the training faces.
    batch_size : int
    learning_rate : float
        Peak of the schedule.
    weight_decay : float
        On convolution and linear weights only.
    average_decay : float
        Of the exponential mean of the weights, per step.
    seed : int
    seconds_budget : float or None
        Wall time after which training ends, seconds; None leaves ``epochs`` alone in charge.
    """

    unit: Unit = "eesp"
    size: int = 96
    start_size: int = 64
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    average_decay: float = 0.998
    seed: int = 0
    seconds_budget: float | None = None

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "size": (32, 512),
            "start_size": (32, self.size),
            "epochs": (1, 10_000),
            "batch_size": (2, 4096),
            "learning_rate": (1e-7, 1.0),
            "weight_decay": (0.0, 1.0),
            "average_decay": (0.0, 0.99999),
            "seconds_budget": (1.0, math.inf),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} {value} asked; {low:g} to {high:g} are possible")


@dataclass(frozen=True)
class Progress:
    """State of a running training, for a progress display or a log."""

    share: float
    step: int
    epoch: int
    size: int
    loss: float
    faces_per_s: float


def train(
    faces: FerPlus,
    settings: TrainingSettings,
    *,
    initial: Path | None = None,
    report: Callable[[Progress], None] | None = None,
) -> AffectNetwork:
    """Train on all rows of ``faces``.

    Parameters
    ----------
    faces : FerPlus
        Usually ``FerPlus.for_training()``.
    settings : TrainingSettings
    initial : Path, optional
        ESPNetv2 checkpoint to start levels 1 to 4 from.
    report : callable, optional
        Called after every step.

    Returns
    -------
    AffectNetwork
        Mean of the weights, in evaluation mode.

    Raises
    ------
    InputError
        When there are fewer faces than one batch, or ``initial`` does not fit.
    """
    if len(faces) < settings.batch_size:
        raise InputError(
            f"{len(faces)} faces to train on; --batch-size {settings.batch_size} needs as many"
        )
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    network = AffectNetwork(settings.unit)
    if initial is not None:
        start_from_espnetv2(network, initial)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    mean_state = {key: value.clone() for key, value in network.state_dict().items()}

    distribution = faces.distribution()
    targets = [
        torch.from_numpy(array)
        for array in (
            distribution,
            weak_valence_arousal(distribution),
            weak_action_units(distribution),
        )
    ]
    pictures = torch.from_numpy(np.ascontiguousarray(faces.images))
    loss_of = MultiTaskLoss(
        expression_weights=torch.from_numpy(_balanced(distribution)),
        positive_weights=torch.from_numpy(_positive_weights(targets[2].numpy())),
    )
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay))
    steps = settings.epochs * (len(faces) // settings.batch_size)
    started = last = time.monotonic()
    for step, (epoch, rows) in enumerate(_batches(len(faces), settings, generator)):
        share = step / steps
        if settings.seconds_budget is not None:
            share = max(share, (time.monotonic() - started) / settings.seconds_budget)
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(share)
        size = settings.size if share >= _SWITCH_AT else settings.start_size
        inputs = augmented(pictures[rows], size, generator)
        outputs = network(inputs.contiguous(memory_format=torch.channels_last))
        loss = loss_of(outputs, *(target[rows] for target in targets))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        _average_into(mean_state, network, settings.average_decay, step)
        if report is not None:
            now = time.monotonic()
            rate = len(rows) / max(now - last, 1e-9)
            last = now
            report(Progress(share, step, epoch, size, float(loss.detach()), rate))
    network.load_state_dict(mean_state)
    return network.eval()


def _batches(
    n: int, settings: TrainingSettings, generator: torch.Generator
) -> Iterator[tuple[int, Tensor]]:
    """Rows of each full batch, newly shuffled every epoch."""
    for epoch in range(settings.epochs):
        order = torch.randperm(n, generator=generator)
        for first in range(0, n - settings.batch_size + 1, settings.batch_size):
            yield epoch, order[first : first + settings.batch_size]


def _schedule(share: float) -> float:
    """Linear warm-up, then half a cosine down to 0."""
    if share < _WARM_UP:
        return 0.02 + 0.98 * share / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _balanced(distribution: NDArray[np.float32]) -> NDArray[np.float32]:
    """Expression weights: inverse square root of the share, capped, mean 1 over the faces."""
    mass = distribution.mean(axis=0)
    weights = np.minimum(np.sqrt(mass.max() / np.maximum(mass, 1e-6)), _WEIGHT_CAP)
    return np.asarray(weights / (weights * mass).sum(), np.float32)


def _positive_weights(units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight of each unit's active side: square root of inactive over active, capped."""
    coded = np.isfinite(units)
    active = np.where(coded, units, 0).sum(axis=0)
    inactive = coded.sum(axis=0) - active
    ratio = np.sqrt(inactive / np.maximum(active, 1e-6))
    # A unit that is never active has nothing to be weighed up.
    return np.where(active > 0, np.clip(ratio, 1.0, _WEIGHT_CAP), 1.0).astype(np.float32)


def _parameter_groups(network: AffectNetwork, decay: float) -> list[dict[str, object]]:
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _average_into(mean: dict[str, Tensor], network: AffectNetwork, decay: float, step: int) -> None:
    """Exponential mean of weights and batch statistics, quicker over the first steps."""
    rate = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                mean[key].lerp_(value, rate)
            else:
                mean[key].copy_(value)


def settings_card(settings: TrainingSettings) -> dict[str, object]:
    """Settings as JSON values, for the weights' header."""
    return asdict(settings)
