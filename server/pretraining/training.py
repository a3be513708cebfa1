"""Train the affect network on the data sets of a configuration.

AdamW or SGD on a cosine schedule after a warm-up, small pictures first and those of the final size
at the end, and an exponential mean of the weights as the result. A run is determined by its
configuration, data and start, on one machine with one number of threads: interrupted and resumed,
it takes the same next step. On graphics cards it computes in mixed precision; under ``torchrun``
several processes train together.
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from server.pretraining.augmentation import Views
from server.pretraining.batches import Batch, Feeder, total_steps
from server.pretraining.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from server.pretraining.config import TrainingConfig
from server.pretraining.distributed import Processes, gathered, synchronised
from server.pretraining.initial_weights import start_from_espnetv2
from server.pretraining.labelled_faces import LabelledFaces
from server.pretraining.log import LogRow, TrainingLog
from server.pretraining.loss_weights import balanced_loss
from shared.affect.network import AffectNetwork
from shared.channels import CHANNELS, GROUP_CHANNELS
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["TASKS", "Progress", "Task", "train"]

Task = Literal["multi", "expression", "valence", "arousal", "action_units"]

TASKS: Final[dict[Task, tuple[int, ...]]] = {
    "multi": tuple(range(len(CHANNELS))),
    "expression": GROUP_CHANNELS["expression"],
    "valence": GROUP_CHANNELS["valence"],
    "arousal": GROUP_CHANNELS["arousal"],
    "action_units": GROUP_CHANNELS["au"],
}
"""Outputs of the network for each task, indices into ``CHANNELS``."""

_FLOAT16_START: Final = 2.0**14
_FINGERPRINTED: Final = 64
"""Pictures of a data set that its fingerprint looks at; all targets are in it."""


@dataclass(frozen=True)
class Progress:
    """State of a running training, for a progress display."""

    task: Task
    step: int
    steps: int
    side: int
    loss: float
    faces_per_s: float


def train(
    config: TrainingConfig,
    sets: Sequence[LabelledFaces],
    out: Path,
    *,
    task: Task = "multi",
    processes: Processes | None = None,
    initial: Path | None = None,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
) -> AffectNetwork:
    """Train one network.

    Parameters
    ----------
    config : TrainingConfig
    sets : sequence of LabelledFaces
        In the order of ``config.data``.
    out : Path
        Folder for ``checkpoint.pt`` and ``log.csv``.
    task : {"multi", "expression", "valence", "arousal", "action_units"}
    processes : Processes, optional
        This process among those that train together.
    initial : Path, optional
        ESPNetv2 checkpoint to start levels 1 to 4 from.
    resume : bool
        Go on from the checkpoint in ``out``, if there is one.
    report : callable, optional
        Called at every row of the log, by the leading process.

    Returns
    -------
    AffectNetwork
        Mean of the weights, in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        When ``out`` holds a checkpoint and ``resume`` is false, or one of another run; when the
        data have no label for the task, or the loss becomes infinite.
    """
    processes = processes or Processes()
    path = out / "checkpoint.pt"
    if path.exists() and not resume:
        raise InputError(
            f"{out} holds the checkpoint of a training; go on with --resume, or name another --out"
        )
    run = _Run(config, sets, task, processes, initial)
    if path.exists():
        run.load(read_checkpoint(path, run.belongs_to))
    # Nobody may write before everybody has looked.
    if processes.world > 1:
        torch.distributed.barrier()
    log: AbstractContextManager[TrainingLog | None] = (
        TrainingLog(out, run.step) if processes.leads else nullcontext()
    )
    with log as rows:
        last = time.monotonic()
        sums, since = torch.zeros(4, device=processes.device), 0
        for batch in run.feeder.batches(run.step, run.steps):
            sums += run.take_step(batch)
            since += 1
            stored = run.step % config.checkpoint_steps == 0 or run.step == run.steps
            if stored or run.step % config.log_steps == 0:
                values = (sums / since).tolist()
                if not all(map(math.isfinite, values)):
                    raise InputError(
                        f"the loss is no longer finite at step {run.step}; lower learning_rate "
                        f"in the configuration, and go on from the last checkpoint or start anew"
                    )
                now = time.monotonic()
                speed = since * config.batch_size * processes.world / max(now - last, 1e-9)
                if rows is not None:
                    rows.add(run.log_row(values, speed))
                    if report is not None:
                        side = run.side(run.step - 1)
                        report(Progress(task, run.step, run.steps, side, values[0], speed))
                sums.zero_()
                since, last = 0, now
            if stored and processes.leads:
                write_checkpoint(path, run.checkpoint())
    return run.result()


class _Run:
    """Everything that changes from step to step, and the step itself."""

    def __init__(
        self,
        config: TrainingConfig,
        sets: Sequence[LabelledFaces],
        task: Task,
        processes: Processes,
        initial: Path | None,
    ) -> None:
        self.step = 0
        self._config, self._processes, self._task = config, processes, task
        self._device = device = processes.device
        self._faces = sum(map(len, sets))
        self.steps = total_steps(config, self._faces, processes.world)
        sets = [_labelled_for(task, faces) for faces in sets]
        if not any(any(faces.labels().values()) for faces in sets):
            raise InputError(f"no face of the data sets has a label for the task {task}")
        self.belongs_to = {
            "task": task,
            "config": config.digest(),
            "data": _fingerprint(sets),
            "start": sha256_of(initial) if initial is not None and initial.is_file() else "random",
            "world": str(processes.world),
        }
        _set_arithmetic(config)
        torch.manual_seed(config.seed)
        network = AffectNetwork(config.unit, len(TASKS[task]))
        if initial is not None:
            start_from_espnetv2(network, initial)
        self._kept = _GivenDropout()
        network.dropout = self._kept  # type: ignore[assignment]
        if config.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network.to(device).train()
        self._trained: nn.Module = network
        if processes.world > 1:
            synchronised(network, device)
            self._trained = nn.parallel.DistributedDataParallel(
                network,
                device_ids=[device] if device.type == "cuda" else None,
                forward_sync_buffers=False,
                # Two kinds of published entries exist that no forward pass uses.
                find_unused_parameters=True,
            )
        self._mean = {key: value.clone() for key, value in network.state_dict().items()}
        self._optimiser = _optimiser(network, config, device)
        self._amp = _amp_type(config, device)
        self._scaler = torch.amp.GradScaler(
            device.type, init_scale=_FLOAT16_START, enabled=self._amp is torch.float16
        )
        self._columns = torch.tensor(TASKS[task], device=device)
        self._loss = balanced_loss(config, sets, processes.world, device)
        self._views = Views(
            config.augmentation,
            always_grey=config.input.colour == "grey",
            detail=config.input.detail,
            device=device,
        )
        self.feeder = Feeder(sets, config, device, processes.rank, processes.world)

    def side(self, step: int) -> int:
        """Side of the pictures of a step, pixels."""
        done = 0.0
        for stage in self._config.stages:
            done += stage.share
            if step < done * self.steps - 1e-6:
                return stage.side
        return self._config.size

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine."""
        settings = self._config.optimiser
        share = (step + 0.5) / self.steps
        if share < settings.warm_up:
            return settings.learning_rate * share / settings.warm_up
        angle = math.pi * (share - settings.warm_up) / (1 - settings.warm_up)
        falling = 0.5 * (1 + math.cos(angle))
        return settings.learning_rate * (settings.final + (1 - settings.final) * falling)

    def take_step(self, batch: Batch) -> Tensor:
        """One step; loss and its terms, shape (4,), on the device."""
        device, world = self._device, self._processes.world
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate(self.step)
        views = self._views(batch.pictures, batch.randoms, self.side(self.step))
        if self._config.channels_last:
            views = views.contiguous(memory_format=torch.channels_last)
        self._kept.mask = batch.kept
        with torch.autocast(device.type, self._amp, enabled=self._amp is not None):
            outputs = self._trained(views)
        outputs = gathered(outputs.float(), batch.position, world)
        every = outputs.new_zeros(len(outputs), len(CHANNELS))
        every = every.index_copy(1, self._columns, outputs)
        terms = self._loss.terms(every, *batch.targets, weights=batch.weights)
        loss = self._loss.total(terms)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss * world).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self._network.parameters(), self._config.optimiser.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._average()
        self.step += 1
        return torch.cat([loss.detach()[None], terms.detach()])

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential mean of weights and batch statistics, quicker over the first steps."""
        rate = 1 - min(self._config.average_decay, (1 + self.step) / (10 + self.step))
        means, values = [], []
        for key, value in self._network.state_dict().items():
            if value.is_floating_point():
                means.append(self._mean[key])
                values.append(value)
            else:
                self._mean[key].copy_(value)
        torch._foreach_lerp_(means, values, rate)

    def log_row(self, values: list[float], speed: float) -> LogRow:
        """Row of the log for the steps done."""
        config = self._config
        seen = self.step * config.batch_size * self._processes.world
        last = self.step - 1
        loss, expression, valence_arousal, action_units = values
        return LogRow(
            step=self.step,
            epoch=seen / self._faces,
            side=self.side(last),
            learning_rate=self.learning_rate(last),
            loss=loss,
            expression=expression,
            valence_arousal=valence_arousal,
            action_units=action_units,
            faces_per_s=speed,
        )

    def checkpoint(self) -> Checkpoint:
        """State after the steps done."""
        return Checkpoint(
            belongs_to=self.belongs_to,
            step=self.step,
            network=dict(self._network.state_dict()),
            mean=self._mean,
            optimiser=self._optimiser.state_dict(),
            scaler=self._scaler.state_dict(),
        )

    def load(self, checkpoint: Checkpoint) -> None:
        """Take up the state of a checkpoint."""
        self._network.load_state_dict(checkpoint.network)
        for key, value in checkpoint.mean.items():
            self._mean[key].copy_(value)
        self._optimiser.load_state_dict(dict(checkpoint.optimiser))
        self._scaler.load_state_dict(dict(checkpoint.scaler))
        self.step = checkpoint.step

    def result(self) -> AffectNetwork:
        """Network with the mean weights."""
        network = AffectNetwork(self._config.unit, len(TASKS[self._task]))
        network.load_state_dict(self._mean)
        return network.eval()


class _GivenDropout(nn.Module):
    """Dropout whose mask is given, so that it belongs to the face and not to the process."""

    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


def _labelled_for(task: Task, faces: LabelledFaces) -> LabelledFaces:
    """The same faces with only the labels that a task learns."""
    columns = set(TASKS[task])

    def masked(target: NDArray[np.float32], channels: Sequence[int]) -> NDArray[np.float32]:
        wanted = np.array([channel in columns for channel in channels])
        return np.where(wanted, target, np.float32(np.nan))

    return LabelledFaces(
        name=faces.name,
        pictures=faces.pictures,
        expression=masked(faces.expression, GROUP_CHANNELS["expression"]),
        valence_arousal=masked(
            faces.valence_arousal, (*GROUP_CHANNELS["valence"], *GROUP_CHANNELS["arousal"])
        ),
        action_units=masked(faces.action_units, GROUP_CHANNELS["au"]),
        skipped=faces.skipped,
    )


def _fingerprint(sets: Sequence[LabelledFaces]) -> str:
    """SHA-256 of all targets and of some pictures."""
    digest = hashlib.sha256()
    for faces in sets:
        digest.update(f"{faces.name} {faces.pictures.shape}".encode())
        for target in (faces.expression, faces.valence_arousal, faces.action_units):
            digest.update(np.ascontiguousarray(target).tobytes())
        some = np.linspace(0, len(faces) - 1, min(len(faces), _FINGERPRINTED)).astype(int)
        digest.update(np.ascontiguousarray(faces.pictures[some]).tobytes())
    return digest.hexdigest()


def _set_arithmetic(config: TrainingConfig) -> None:
    torch.set_float32_matmul_precision(config.precision)
    torch.backends.cudnn.allow_tf32 = config.precision == "high"
    torch.backends.cudnn.deterministic = config.deterministic
    torch.backends.cudnn.benchmark = not config.deterministic


def _amp_type(config: TrainingConfig, device: torch.device) -> torch.dtype | None:
    if config.amp == "off" or (config.amp == "auto" and device.type == "cpu"):
        return None
    if config.amp == "auto":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if config.amp == "bfloat16" else torch.float16


def _optimiser(
    network: AffectNetwork, config: TrainingConfig, device: torch.device
) -> torch.optim.Optimizer:
    settings = config.optimiser
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in network.parameters() if p.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(
            groups, settings.learning_rate, momentum=settings.momentum, nesterov=True
        )
    return torch.optim.AdamW(
        groups,
        settings.learning_rate,
        betas=(settings.momentum, 0.999),
        fused=device.type == "cuda",
    )
