"""One clinic's part of a noised sum: clip, quantise, add its share of the noise.

Opacus computes the per-participant gradients and drives the step; its optimiser is subclassed
where its floating-point sum and noise would void the proof. Every row is quantised before summing,
the sum is exact in int64, and the noise is an integer drawn from the clinic's noise source. The
loss is summed, never averaged: an average would divide by the clinic's size and the noise would
then tell it.
"""

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from shared.privacy.discrete_gaussian import NoiseSource
from shared.privacy.grid import GRID, on_grid
from shared.privacy.planner import CLIPPING_NORM

__all__ = ["IntegerGridOptimizer", "gradient_contribution"]


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
        rows = gradients.detach().reshape(len(gradients), -1).numpy() / CLIPPING_NORM
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        self._exact_sum = on_grid(rows / np.maximum(1.0, length)).sum(axis=0)

    def add_noise(self) -> None:
        """Add this clinic's share of the discrete Gaussian noise."""
        self.released = self._exact_sum
        if self.variance:
            size = len(self._exact_sum)
            self.released = self._exact_sum + self.noise.integers(self.variance, size, self.release)
        (parameter,) = self.params
        real = torch.from_numpy(self.released * (CLIPPING_NORM / GRID))
        parameter.grad = real.to(parameter.dtype).view_as(parameter)


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
        Current weights, as released by the last exchange.
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
    signs = torch.from_numpy(np.where(asd, 1.0, -1.0))
    margins = signs * module(_with_gradient(rows)).squeeze(1)
    loss: Any = torch.nn.functional.softplus(-margins).sum()
    loss.backward()
    optimizer.pre_step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer.released


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
