"""One clinic's part of a noised sum: clip, quantise, add its share of the noise.

Opacus computes the per-participant gradients and drives the step; its optimiser is subclassed
where its floating-point sum and noise would void the proof. Every row is quantised before summing,
the sum is exact in int64, and the noise is an integer drawn from the clinic's noise source. The
loss is summed, never averaged: an average would divide by the clinic's size and the noise would
then tell it.

A participant's integer row is a function of that participant and the weights alone, bit for bit:
margins are exact (see :mod:`shared.privacy.grid`) and everything after them is done one participant
at a time. The sum of two groups is therefore exactly the sum of their sums.
"""

import functools
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.grid import GRID, on_grid
from shared.privacy.planner import CLIPPING_NORM

__all__ = [
    "IntegerGridOptimizer",
    "gradient_contribution",
    "participant_gradients",
    "quantised_gradients",
]


class IntegerGridOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus' optimiser with a sum and a noise that are exact integers.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Wrapped; never stepped at a clinic.
    noise_multiplier : float
        Noise of this clinic's share in units of the clipping norm (reported by Opacus only).
    variance : int
        The same as a variance in squared grid units; 0 adds nothing.
    noise : NoiseSource
        Where the integers come from.
    release : str
        Name of the release, handed to the noise source.

    Attributes
    ----------
    released : ndarray of int64, shape (k,)
        Set by ``pre_step``: the noised sum of clipped gradients, in grid steps of the norm.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        noise_multiplier: float,
        variance: int,
        noise: NoiseSource,
        release: str,
    ) -> None:
        super().__init__(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=CLIPPING_NORM,
            expected_batch_size=None,
            loss_reduction="sum",
        )
        self.variance = variance
        self.noise = noise
        self.release = release
        self._exact_sum: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.released: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def clip_and_accumulate(self) -> None:
        """Clip each participant's gradient, quantise it, and add up the integers."""
        (gradients,) = self.grad_samples
        rows = gradients.detach().reshape(len(gradients), -1).numpy()
        self._exact_sum = quantised_gradients(rows).sum(axis=0)

    def add_noise(self) -> None:
        """Add this clinic's share of the discrete Gaussian noise."""
        self.released = self._exact_sum
        if self.variance:
            self.released = self._exact_sum + self.noise.integers(
                self.variance, self._exact_sum, self.release
            )
        (parameter,) = self.params
        real = torch.from_numpy(self.released * (CLIPPING_NORM / GRID))
        parameter.grad = real.to(parameter.dtype).view_as(parameter)


def quantised_gradients(gradients: NDArray[np.float64]) -> NDArray[np.int64]:
    """Clip per-participant gradients to the clipping norm and put them on the integer grid.

    Parameters
    ----------
    gradients : ndarray, shape (..., k)
        One gradient per participant. A gradient that is not finite becomes the zero row.

    Returns
    -------
    ndarray of int64, shape (..., k)
        In grid steps of the clipping norm; every row's norm is at most ``GRID``.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # overflow ends in a zero row, as it should
        rows = np.ascontiguousarray(gradients) / CLIPPING_NORM
        length = np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
        return on_grid(rows / np.maximum(1.0, length))


def gradient_contribution(
    rows: NDArray[np.float64],
    asd: NDArray[np.bool_],
    weights: NDArray[np.float64],
    *,
    variance: int,
    noise: NoiseSource,
    release: str,
) -> NDArray[np.int64]:
    """One clinic's noised sum of clipped logistic-loss gradients.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        Training rows of norm <= 1; n may be 0.
    asd : ndarray of bool, shape (n,)
        Labels.
    weights : ndarray, shape (k,)
        Current weights, as released by the last exchange, on the weight grid.
    variance : int
        This clinic's noise share, squared grid units; 0 in studies without privacy.
    noise : NoiseSource
        Where the noise comes from.
    release : str
        Name of this release.

    Returns
    -------
    ndarray of int64, shape (k,)
        In grid steps of the clipping norm: divide by ``GRID`` and multiply by ``CLIPPING_NORM``.
        One participant moves it by at most ``GRID`` (L2).
    """
    if not len(rows):
        # Opacus takes no empty batch; the gradient of a zero row is exactly zero.
        rows, asd = np.zeros((1, len(weights))), np.zeros(1, dtype=bool)
    module = _linear(len(weights))
    (parameter,) = module.parameters()
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(weights.reshape(1, -1)))
    optimizer = IntegerGridOptimizer(
        torch.optim.SGD(module.parameters(), lr=1.0),
        noise_multiplier=float(np.sqrt(variance)) / GRID,
        variance=variance,
        noise=noise,
        release=release,
    )
    outputs = module(_with_gradient(rows)).squeeze(1)
    # The logistic loss through its derivative at each output: torch's own sigmoid may round
    # differently at different places of a batch.
    slopes = _slopes(outputs.detach().numpy(), asd)
    loss: Any = (outputs * torch.from_numpy(slopes)).sum()
    loss.backward()
    optimizer.pre_step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer.released


def participant_gradients(
    rows: NDArray[np.float64], asd: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Each participant's clipped, quantised gradient: what :func:`gradient_contribution` sums.

    In closed form, without Opacus; equal to it bit for bit.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
    asd : ndarray of bool, shape (n,)
    weights : ndarray, shape (k,)

    Returns
    -------
    ndarray of int64, shape (n, k)
    """
    return quantised_gradients(_slopes(rows @ weights, asd)[:, None] * rows)


def _slopes(outputs: NDArray[np.float64], asd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Derivatives of log(1 + exp(-y * output)) for y = +1 (ASD) or -1, one output at a time."""
    slopes = np.empty(len(outputs))
    for index, (output, positive) in enumerate(zip(outputs.tolist(), asd.tolist(), strict=True)):
        sign = 1.0 if positive else -1.0
        tail = math.exp(-abs(output))
        wrong = sign * output < 0
        slopes[index] = -sign * (1.0 if wrong else tail) / (1 + tail)
    return slopes


@functools.lru_cache(maxsize=16)
def _linear(size: int) -> GradSampleModule:
    """Layer that Opacus takes per-sample gradients of; attaching its hooks costs more than those.

    It holds no state between uses: weights are set and gradients dropped by each.
    """
    layer = torch.nn.Linear(size, 1, bias=False, dtype=torch.float64)
    # "sum" here too: the default "mean" would scale per-sample gradients by the batch size.
    return GradSampleModule(layer, loss_reduction="sum")


def _with_gradient(rows: NDArray[np.float64]) -> torch.Tensor:
    # The per-sample hooks fire reliably only when the module's input takes part in autograd.
    return torch.from_numpy(rows).requires_grad_()
