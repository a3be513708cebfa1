"""Several processes as one: started by ``torchrun``, they take one batch together.

What the network computes over a batch is computed over the batch of all processes: the statistics
of batch normalisation, and the concordance in the loss. So n processes with batches of b faces
follow one process with batches of n b, up to rounding. PyTorch's SyncBatchNorm exists for graphics
cards only; on the CPU the layer below takes its place.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from shared.errors import InputError

__all__ = ["Processes", "gathered", "joined_processes", "synchronised"]

_CPU: Final = torch.device("cpu")
_PATIENCE: Final = timedelta(hours=12)
"""One process may render or decode a whole data set while the others wait."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes
    ----------
    rank, world : int
        Its number, and how many there are.
    device : torch.device
    """

    rank: int = 0
    world: int = 1
    device: torch.device = _CPU

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes ``torchrun`` started, if it did.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" takes CUDA where there is one. Processes exchange by NCCL on CUDA, by Gloo on CPUs.

    Raises
    ------
    InputError
        When CUDA is asked for and missing, or has fewer devices than processes.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = _device(device, local)
    if world == 1:
        yield Processes(device=chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(rank, world, chosen)
    finally:
        dist.destroy_process_group()


def _device(name: str, local: int) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"--device {name} asked; auto, cpu or cuda is possible")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and there == 0):
        return torch.device("cpu")
    if local >= there:
        raise InputError(
            f"process {local} of this machine needs a CUDA device of its own; {there} are there. "
            "Start fewer processes, or name --device cpu"
        )
    return torch.device("cuda", local)


def gathered(outputs: Tensor, position: Tensor, world: int) -> Tensor:
    """Outputs of all processes in the order of the whole batch; gradients flow to the own ones.

    A loss of all outputs then has, in each process, the gradient with respect to its own share.
    DistributedDataParallel averages over the processes, so the loss is to be multiplied by their
    number to get the gradient of the whole.

    Parameters
    ----------
    outputs : Tensor, shape (n, k)
        Equally many in every process.
    position : Tensor, shape (n,), int64
        Place of the own outputs in the whole.
    world : int
    """
    if world == 1:
        return outputs
    from_all = [torch.empty_like(outputs) for _ in range(world)]
    dist.all_gather(from_all, outputs.detach().contiguous())
    # Process r holds the faces r, r + world, r + 2 world ...
    whole = torch.stack(from_all, 1).flatten(0, 1)
    return whole.index_copy(0, position, outputs)


def synchronised(network: nn.Module, device: torch.device) -> None:
    """Let batch normalisation use the statistics of all processes; entries keep their names."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, _SyncedBatchNorm.of(child))


class _SyncedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes, which have the same size."""

    @classmethod
    def of(cls, layer: nn.BatchNorm2d) -> "_SyncedBatchNorm":
        new = cls(layer.num_features, layer.eps, layer.momentum)
        new.weight, new.bias = layer.weight, layer.bias
        new.running_mean, new.running_var = layer.running_mean, layer.running_var
        new.num_batches_tracked = layer.num_batches_tracked
        return new.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        world = dist.get_world_size()
        count = world * x.numel() // self.num_features
        # Half precision has too few digits for the statistics.
        precise = x if x.dtype == torch.float64 else x.float()
        result, mean, variance = _Normalised.apply(  # type: ignore[no-untyped-call]
            precise, self.weight, self.bias, self.eps, world, count
        )
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        return result.to(x.dtype)  # type: ignore[no-any-return]


class _Normalised(torch.autograd.Function):
    """Normalise over the batch of all processes (Ioffe & Szegedy 2015, with shared sums)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, world: int, count: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        own = torch.stack(torch.var_mean(x, (0, 2, 3), correction=0))
        from_all = [torch.empty_like(own) for _ in range(world)]
        dist.all_gather(from_all, own)
        variances, means = torch.stack(from_all).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        scale = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        factor = weight * scale
        result = x * _wide(factor) + _wide(bias - mean * factor)
        return result, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        gradient = gradients[0]
        normalised = (x - _wide(mean)) * _wide(scale)
        own = torch.stack([gradient.sum((0, 2, 3)), (gradient * normalised).sum((0, 2, 3))])
        total = own.clone()
        dist.all_reduce(total)
        centred = gradient - _wide(total[0] / ctx.count) - normalised * _wide(total[1] / ctx.count)
        return centred * _wide(weight * scale), own[1], own[0], None, None, None


def _wide(values: Tensor) -> Tensor:
    return values[None, :, None, None]
