"""CPU time and memory from a recording to attributes, beside the way of the seed authors.

Time is the CPU time of this process, so waiting for a busy core does not count; wall time stands
beside it. All runners take turns in rounds and medians over rounds count, of ratios as well: what
disturbs one disturbs all. Speed only: what the network reads is not looked at.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from client.extraction.extract import Extractor
from client.extraction.recipe import ExtractorRecipe
from shared.affect.backends import Backend, choose_backend
from shared.affect.openvino_backend import has_native_bf16
from shared.affect.weights import StoredNetwork, load_weights
from simulations.bench.authors_way import AuthorsCost, AuthorsWay
from simulations.bench.extraction_stages import (
    StageTiming,
    cpu_s,
    time_network,
    time_stages,
)

__all__ = [
    "ExtractionTimings",
    "PipelineTiming",
    "Runner",
    "on_cores",
    "open_runners",
    "time_extraction",
]


@dataclass(frozen=True, eq=False)
class Runner:
    """The product at one precision.

    Attributes
    ----------
    precision : str
    extractor : Extractor
        As ``fedaffect-client extract`` makes it.
    stored : StoredNetwork
        What its reader was made of.
    backend : Backend
        Runs that network in the same way.
    """

    precision: str
    extractor: Extractor
    stored: StoredNetwork
    backend: Backend


@dataclass(frozen=True)
class PipelineTiming:
    """One precision; medians over rounds, milliseconds of CPU time for one frame.

    Attributes
    ----------
    precision : str
    frames_per_s, best_frames_per_s : float
        By wall time, median and best round.
    cpu_ms : float
        The whole run.
    decode_ms, detect_ms, crop_ms, network_ms : float
        Each step alone; "crop" includes measuring and preparing the face.
    rest_ms : float
        Whole less the four steps.
    over_floor : float
        Whole divided by decoding alone plus network alone.
    authors_over_ours : float or None
        The authors' way divided by the whole; None where it was left out.
    """

    precision: str
    frames_per_s: float
    best_frames_per_s: float
    cpu_ms: float
    decode_ms: float
    detect_ms: float
    crop_ms: float
    network_ms: float
    rest_ms: float
    over_floor: float
    authors_over_ours: float | None


@dataclass(frozen=True)
class ExtractionTimings:
    """Everything timed on one recording.

    Attributes
    ----------
    frames, faces, looks : int
        Frames of the recording, those with a face, those the detector looked at.
    pipelines : tuple of PipelineTiming
    authors : AuthorsCost or None
        Medians over rounds.
    """

    frames: int
    faces: int
    looks: int
    pipelines: tuple[PipelineTiming, ...]
    authors: AuthorsCost | None


@dataclass(frozen=True)
class _Turn:
    """What one round measured for one runner, milliseconds a frame."""

    wall_ms: float
    whole_ms: float
    network_ms: float


def open_runners(weights: Path, threads: int) -> list[Runner]:
    """The product in f32 and, where the CPU computes with it, in bf16.

    Parameters
    ----------
    weights : Path
        Weights file.
    threads : int
        Of the network.
    """
    stored = load_weights(weights)
    return [
        Runner(
            precision,
            ExtractorRecipe(
                weights, backend="openvino", precision=precision, threads=threads
            ).open(),
            stored,
            choose_backend(stored, "openvino", threads, precision),
        )
        for precision in (("f32", "bf16") if has_native_bf16() else ("f32",))
    ]


def time_extraction(
    video: Path,
    runners: Sequence[Runner],
    authors: AuthorsWay | None,
    *,
    rounds: int = 3,
    authors_frames: int = 45,
    report: Callable[[str], None] | None = None,
) -> ExtractionTimings:
    """Time the product, its steps, and the authors' way in turns.

    Parameters
    ----------
    video : Path
        At 24 Hz, with a face in it.
    runners : sequence of Runner
        At least one.
    authors : AuthorsWay, optional
    rounds : int, default 3
        How often each has its turn.
    authors_frames : int, default 45
        Frames that the authors' way reads, over all rounds.
    report : callable, optional
        Called with what comes next, for a progress display.

    Returns
    -------
    ExtractionTimings

    Raises
    ------
    InputError
        When no face is found in the recording.
    """
    say = report or (lambda _: None)
    say("first run, untimed")
    stages = time_stages(runners[0].extractor, runners[0].stored, video)
    for runner in runners:
        runner.backend(stages.network_inputs)  # memory is allocated in the first call
    steps: list[StageTiming] = []
    costs: list[AuthorsCost] = []
    turns: dict[str, list[_Turn]] = {runner.precision: [] for runner in runners}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: steps alone")
        steps.append(time_stages(runners[0].extractor, runners[0].stored, video))
        for runner in runners:
            say(f"round {number + 1} of {rounds}: {runner.precision}")
            turns[runner.precision].append(_turn(runner, video, steps[-1]))
        if authors is not None:
            say(f"round {number + 1} of {rounds}: the authors' way")
            first, after = (stages.frames * part // rounds for part in (number, number + 1))
            read = max(1, min(authors_frames // rounds, after - first))
            costs.append(authors.measure(video, first=first, frames=after - first, read=read))

    def summarise(precision: str, own: list[_Turn]) -> PipelineTiming:
        decode, detect, crop = (
            statistics.median(getattr(step, name) for step in steps)
            for name in ("decode_ms", "detect_ms", "crop_ms")
        )
        network = statistics.median(turn.network_ms for turn in own)
        whole = statistics.median(turn.whole_ms for turn in own)
        return PipelineTiming(
            precision=precision,
            frames_per_s=1000 / statistics.median(turn.wall_ms for turn in own),
            best_frames_per_s=1000 / min(turn.wall_ms for turn in own),
            cpu_ms=whole,
            decode_ms=decode,
            detect_ms=detect,
            crop_ms=crop,
            network_ms=network,
            rest_ms=whole - decode - detect - crop - network,
            over_floor=statistics.median(
                turn.whole_ms / (step.decode_ms + turn.network_ms)
                for turn, step in zip(own, steps, strict=True)
            ),
            authors_over_ours=statistics.median(
                cost.whole_ms / turn.whole_ms for turn, cost in zip(own, costs, strict=True)
            )
            if costs
            else None,
        )

    return ExtractionTimings(
        frames=stages.frames,
        faces=stages.faces,
        looks=stages.looks,
        pipelines=tuple(summarise(precision, own) for precision, own in turns.items()),
        authors=_median_cost(costs) if costs else None,
    )


def _turn(runner: Runner, video: Path, stages: StageTiming) -> _Turn:
    network_ms = time_network(runner.backend, stages)
    wall, cpu = time.perf_counter(), cpu_s()
    runner.extractor.extract(video, "benchmark")
    wall, cpu = time.perf_counter() - wall, cpu_s() - cpu
    return _Turn(1000 * wall / stages.frames, 1000 * cpu / stages.frames, network_ms)


def _median_cost(costs: list[AuthorsCost]) -> AuthorsCost:
    decode, detect, crop, network = (
        statistics.median(getattr(cost, name) for cost in costs)
        for name in ("decode_ms", "detect_ms", "crop_ms", "network_ms")
    )
    decoded, read, faces = (
        sum(getattr(cost, name) for cost in costs)
        for name in ("frames_decoded", "frames_read", "faces")
    )
    return AuthorsCost(decode, detect, crop, network, decoded, read, faces)


@contextmanager
def on_cores(count: int) -> Iterator[bool]:
    """Keep this process and those it starts on ``count`` cores, where the system allows it.

    Yields
    ------
    bool
        Whether it does; False on systems without CPU affinity.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
