"""What the extraction benchmark found, as tables and as JSON, beside what is asked of it.

Asked: at least 25 (f32) and 35 (bf16) times less CPU a frame than the authors' way, at most 1.9
times what decoding and the network cost alone, and less than 1.5 GiB of memory however long the
recording is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from simulations.bench.command_run import CommandRun
from simulations.bench.extraction import ExtractionTimings
from simulations.results import Machine

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SESSION_FRAMES", "ExtractionResults"]

SESSION_FRAMES: Final = 9575
"""Of one child's recording: 6.5 minutes at 24 Hz."""

_LEAST_RATIO: Final = {"f32": 25, "bf16": 35}
_MOST_OVER_FLOOR: Final = 1.9
_MOST_GIB: Final = 1.5


@dataclass(frozen=True)
class ExtractionResults:
    """One benchmark.

    Attributes
    ----------
    timings : ExtractionTimings
    runs : Mapping
        Precision -> frames of the recording -> run of the whole command on it.
    width, height : int
        Of the recording, pixels.
    bits_per_s : float
        Of the recording.
    network : str
        What the network is, in words.
    cores : int
        Cores the benchmark was kept on; threads of the network.
    load : float or None
        Mean number of processes that wanted a core in the minute before it began.
    machine : Machine
    software : Mapping of str to str
        Versions.
    """

    timings: ExtractionTimings
    runs: Mapping[str, Mapping[int, CommandRun]]
    width: int
    height: int
    bits_per_s: float
    network: str
    cores: int
    load: float | None
    machine: Machine
    software: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Every number, by name."""
        authors = self.timings.authors
        return {
            "timings": {
                **asdict(self.timings),
                "authors": authors and {**authors._asdict(), "whole_ms": authors.whole_ms},
            },
            "runs": {
                precision: [{"frames": frames, **run._asdict()} for frames, run in runs.items()]
                for precision, runs in self.runs.items()
            },
            "recording": {
                "width": self.width,
                "height": self.height,
                "frames": self.timings.frames,
                "bits_per_s": self.bits_per_s,
            },
            "network": self.network,
            "cores": self.cores,
            "load_before": self.load,
            "machine": self.machine.model_dump(),
            "software": dict(self.software),
        }

    def steps_table(self) -> "Table":
        """CPU time of each step."""
        from rich.table import Table

        table = Table(
            "CPU ms a frame",
            "decode",
            "detect",
            "crop",
            "network",
            "rest",
            "whole",
            "frames/s",
        )
        for own in self.timings.pipelines:
            steps = (own.decode_ms, own.detect_ms, own.crop_ms, own.network_ms, own.rest_ms)
            table.add_row(
                own.precision,
                *(f"{step:.2f}" for step in steps),
                f"{own.cpu_ms:.2f}",
                f"{own.frames_per_s:.0f}",
            )
        authors = self.timings.authors
        if authors is not None:
            table.add_row(
                "authors' way",
                *(f"{step:.2f}" for step in authors[:4]),
                "",
                f"{authors.whole_ms:.1f}",
                f"{1000 / authors.whole_ms:.1f}",
            )
        return table

    def asked_table(self) -> "Table":
        """The figures something is asked of, and what it is."""
        from rich.table import Table

        own = self.timings.pipelines
        table = Table("figure", *(pipeline.precision for pipeline in own), "asked")
        if self.timings.authors is not None:
            asked = " / ".join(str(_LEAST_RATIO[p.precision]) for p in own)
            ratios = (f"{p.authors_over_ours or 0:.1f}" for p in own)
            table.add_row("authors' CPU a frame / ours", *ratios, f"at least {asked}")
        table.add_row(
            "whole / (decode + network)",
            *(f"{p.over_floor:.2f}" for p in own),
            f"at most {_MOST_OVER_FLOOR}",
        )
        for frames in self._lengths:
            peaks = (self.runs[p.precision][frames].peak_bytes for p in own)
            table.add_row(
                f"peak memory, {frames:,} frames, GiB",
                *("not told" if peak is None else f"{peak / 2**30:.2f}" for peak in peaks),
                f"under {_MOST_GIB}",
            )
        table.add_row(
            f"{SESSION_FRAMES:,} frames at that rate, s",
            *(f"{SESSION_FRAMES / p.frames_per_s:.0f}" for p in own),
        )
        table.add_row(
            f"with {self.cores} free cores, s",
            *(f"{SESSION_FRAMES * p.cpu_ms / 1000 / self.cores:.0f}" for p in own),
            "under 50, aim 30",
        )
        for frames in self._lengths:
            runs = [self.runs[p.precision][frames] for p in own]
            table.add_row(
                f"command, {frames:,} frames: s, CPU s",
                *(f"{run.wall_s:.0f}, {run.cpu_s:.0f}" for run in runs),
            )
        return table

    @property
    def _lengths(self) -> list[int]:
        return list(next(iter(self.runs.values())))

    def sentence(self) -> str:
        """Where and on what it was measured, and what the figures mean."""
        timings, machine = self.timings, self.machine
        load = "" if self.load is None else f", load before {self.load:.1f}"
        versions = ", ".join(f"{name} {version}" for name, version in self.software.items())
        authors = timings.authors
        compared = (
            ""
            if authors is None
            else (
                " Authors' way: every frame to colour with OpenCV, dlib's HOG detector at full "
                "size, once upsampled, the same network in eager PyTorch one picture at a time, "
                f"one thread; {authors.frames_read} frames read, spread over the recording, a face "
                f"in {authors.faces}."
            )
        )
        return (
            f"{machine.cpu}, {self.cores} of {machine.cores} cores{load}; {machine.system}, Python "
            f"{machine.python}, {versions}. Recording: {timings.frames:,} frames of {self.width} x "
            f"{self.height} at 24 Hz, H.264, {self.bits_per_s / 1e6:.1f} Mbit/s, a face in "
            f"{timings.faces:,}, {timings.looks:,} looks of the detector. Network: {self.network}. "
            "Speed, not accuracy. CPU time of all threads; each step alone on one thread (the "
            f"network on {self.cores}); the rest is what the whole costs beyond them. Medians over "
            "rounds, of ratios as well; frames/s by wall time, the authors' by CPU time. The "
            f"command's times include its start.{compared}"
        )
