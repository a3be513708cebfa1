"""Which faces, views and random numbers belong to a step: a pure function of seed and step.

Every batch holds each data set by its share. A set goes through all its faces in a new order before
it repeats one. Since nothing depends on the steps before, a resumed run takes the very next batch,
and any number of processes share one: process r takes every world-size-th face of it.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from server.pretraining.augmentation import RANDOM_NUMBERS
from server.pretraining.config import TrainingConfig
from server.pretraining.labelled_faces import LabelledFaces

__all__ = ["Batch", "BatchPlan", "Feeder", "batch_counts", "batch_plan", "total_steps"]

_ORDER, _VIEW, _DROP = 1, 2, 3
"""Streams of random numbers."""
_FEATURES: Final = 512
_DROPOUT: Final = 0.2
"""As in the network."""
_RESIDENT_SHARE: Final = 0.5
"""Of the free memory of a graphics card that pictures may take."""


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """One step's batch over all processes, before any picture is touched.

    Attributes
    ----------
    rows : list of ndarray
        For each data set the rows in the batch, in order; the sets follow each other.
    randoms : ndarray, shape (n, RANDOM_NUMBERS), float32
        In [0, 1), for the views.
    kept : ndarray, shape (n, 512), float32
        Dropout mask, scaled.
    """

    rows: list[NDArray[np.int64]]
    randoms: NDArray[np.float32]
    kept: NDArray[np.float32]

    def own(self, rank: int, world: int) -> list[NDArray[np.int64]]:
        """Positions in the batch of the faces that process ``rank`` reads, by data set."""
        ends = np.cumsum([0, *map(len, self.rows)])
        positions = [np.arange(a, b) for a, b in pairwise(ends)]
        return [group[group % world == rank] for group in positions]


def batch_counts(shares: Sequence[float], size: int) -> list[int]:
    """Faces of each data set in a batch of ``size``: by share, at least one, largest remainder."""
    exact = np.asarray(shares) / np.sum(shares) * size
    counts = np.maximum(np.floor(exact), 1).astype(int)
    while counts.sum() != size:
        if counts.sum() < size:
            counts[np.argmax(exact - counts)] += 1
        else:
            counts[np.argmax(np.where(counts > 1, counts - exact, -np.inf))] -= 1
    return [int(count) for count in counts]


def total_steps(config: TrainingConfig, faces: int, world: int) -> int:
    """Steps of the run; an epoch sees as many faces as there are."""
    if config.steps is not None:
        return config.steps
    assert config.epochs is not None
    return max(1, round(config.epochs * faces / (config.batch_size * world)))


def batch_plan(sizes: Sequence[int], counts: Sequence[int], seed: int, step: int) -> BatchPlan:
    """Plan of one step.

    Parameters
    ----------
    sizes : sequence of int
        Faces of each data set.
    counts : sequence of int
        Faces of each set in a batch of all processes.
    seed, step : int
    """
    rows = []
    for index, (n, count) in enumerate(zip(sizes, counts, strict=True)):
        places = np.arange(step * count, (step + 1) * count)
        rounds = places // n
        order = np.empty(count, np.int64)
        for turn in range(rounds[0], rounds[-1] + 1):
            here = rounds == turn
            order[here] = _permutation(seed, index, int(turn), n)[places[here] % n]
        rows.append(order)
    n_all = sum(counts)
    views = np.random.default_rng([seed, _VIEW, step])
    drops = np.random.default_rng([seed, _DROP, step])
    kept = drops.random((n_all, _FEATURES), np.float32) >= _DROPOUT
    return BatchPlan(
        rows=rows,
        randoms=views.random((n_all, RANDOM_NUMBERS), np.float32),
        kept=kept.astype(np.float32) / (1 - _DROPOUT),
    )


@lru_cache(maxsize=32)
def _permutation(seed: int, index: int, turn: int, n: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, index, turn]).permutation(n)


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's data on the network's device.

    Attributes
    ----------
    pictures : list of Tensor, shape (n_i, side, side, channels), uint8
        This process's faces, by data set.
    randoms : ndarray, shape (n, RANDOM_NUMBERS)
        Of this process's faces.
    kept : Tensor, shape (n, 512)
        Of this process's faces.
    targets : tuple of Tensor
        Expressions, valence and arousal, action units of the faces of all processes.
    weights : Tensor, shape (n_all, 3)
        Of the faces of all processes in the terms of the loss.
    position : Tensor, shape (n,), int64
        Place of this process's faces among those of all.
    """

    pictures: list[Tensor]
    randoms: NDArray[np.float32]
    kept: Tensor
    targets: tuple[Tensor, Tensor, Tensor]
    weights: Tensor
    position: Tensor


class Feeder:
    """Brings each step's faces to the network's device, one step ahead.

    Pictures stay on a graphics card when they take less than half of its free memory; otherwise a
    thread gathers the next batch from memory, or from the mapped file, while the card computes.

    Parameters
    ----------
    sets : sequence of LabelledFaces
    config : TrainingConfig
    device : torch.device
    rank, world : int
        This process and the number of processes.
    """

    def __init__(
        self,
        sets: Sequence[LabelledFaces],
        config: TrainingConfig,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._sets = sets
        self._config = config
        self._device = device
        self._rank, self._world = rank, world
        self._counts = batch_counts([d.share for d in config.data], config.batch_size * world)
        self._targets = [
            tuple(
                torch.from_numpy(array).to(device)
                for array in (faces.expression, faces.valence_arousal, faces.action_units)
            )
            for faces in sets
        ]
        weights = [
            [d.weights.expression, d.weights.valence_arousal, d.weights.action_units]
            for d in config.data
        ]
        self._weights = torch.tensor(weights, device=device).repeat_interleave(
            torch.tensor(self._counts, device=device), 0
        )
        self._resident = self._on_card()

    @property
    def resident(self) -> bool:
        """Whether all pictures lie in the memory of a graphics card."""
        return self._resident is not None

    def _on_card(self) -> list[Tensor] | None:
        if self._device.type != "cuda":
            return None
        free, _ = torch.cuda.mem_get_info(self._device)
        if sum(faces.pictures.size for faces in self._sets) > _RESIDENT_SHARE * free:
            return None
        return [_as_tensor(faces.pictures).to(self._device) for faces in self._sets]

    def batches(self, first: int, end: int) -> Iterator[Batch]:
        """Batches of steps ``first`` to ``end - 1``."""
        if first >= end:
            return
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._gather, first)
            for step in range(first, end):
                plan, own, gathered = coming.result()
                if step + 1 < end:
                    coming = ahead.submit(self._gather, step + 1)
                yield self._batch(plan, own, gathered)

    def _gather(self, step: int) -> tuple[BatchPlan, list[NDArray[np.int64]], list[Tensor] | None]:
        plan = batch_plan([len(s) for s in self._sets], self._counts, self._config.seed, step)
        own = plan.own(self._rank, self._world)
        if self._resident is not None:
            return plan, own, None
        gathered = []
        for faces, rows in zip(self._sets, _own_rows(plan, own), strict=True):
            pictures = torch.from_numpy(np.ascontiguousarray(faces.pictures[rows]))
            gathered.append(pictures.pin_memory() if self._device.type == "cuda" else pictures)
        return plan, own, gathered

    def _batch(
        self, plan: BatchPlan, own: list[NDArray[np.int64]], gathered: list[Tensor] | None
    ) -> Batch:
        device = self._device
        if gathered is None:
            assert self._resident is not None
            rows = (torch.from_numpy(rows).to(device) for rows in _own_rows(plan, own))
            pictures = [
                held.index_select(0, index)
                for held, index in zip(self._resident, rows, strict=True)
            ]
        else:
            pictures = [part.to(device, non_blocking=True) for part in gathered]
        every = [torch.from_numpy(rows).to(device) for rows in plan.rows]
        columns = [
            torch.cat(
                [targets[i][index] for targets, index in zip(self._targets, every, strict=True)]
            )
            for i in range(3)
        ]
        position = np.concatenate(own)
        return Batch(
            pictures=pictures,
            randoms=plan.randoms[position],
            kept=torch.from_numpy(plan.kept[position]).to(device),
            targets=(columns[0], columns[1], columns[2]),
            weights=self._weights,
            position=torch.from_numpy(position).to(device),
        )


def _own_rows(plan: BatchPlan, own: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    starts = np.cumsum([0, *map(len, plan.rows)])[:-1]
    return [
        rows[positions - start]
        for rows, positions, start in zip(plan.rows, own, starts, strict=True)
    ]


def _as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    # A mapped file is read-only, which torch.from_numpy warns about; this copy is needed anyway.
    return torch.from_numpy(np.array(pictures, copy=True))
