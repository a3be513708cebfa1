"""One recording in, one attribute series out; no frame, crop or thumbnail is ever written.

Three steps work side by side: one thread decodes, this one looks for the face and cuts it out, and
the network reads in the background. What waits between them is bounded, so memory does not grow
with the recording.
"""

import json
import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from client.extraction.ahead import ahead
from client.extraction.clock import on_clock
from client.extraction.detector import Detector
from client.extraction.recording import Recording, open_recording
from client.extraction.rows import Rows, join_series
from client.extraction.stretches import FinishedStretches, Stretch
from client.extraction.tracking import Tracker, TrackerState, TrackingSettings
from shared.affect.reader import AffectReader
from shared.attributes import AttributeSeries
from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["Extraction", "ExtractionProgress", "Extractor"]

_DECODED_AHEAD: Final = 8
"""Frames that may wait for the face detector."""

_STRETCH_FRAMES: Final = 480
"""A stretch is finished, and kept, about every 20 s of the recording."""


@dataclass(frozen=True)
class ExtractionProgress:
    """State of a running extraction.

    Attributes
    ----------
    done_s : float
        Seconds of the recording that were gone through.
    total_s : float or None
        Its length as the header states it.
    frames : int
        Frames on the 24 Hz clock that were gone through.
    resumed_frames : int
        Those of them that an interrupted run had finished; decoded again, but not read.
    """

    done_s: float
    total_s: float | None
    frames: int
    resumed_frames: int = 0


@dataclass(frozen=True, eq=False)
class Extraction:
    """Result of one recording.

    Attributes
    ----------
    series : AttributeSeries
    source_frames : int
        Frames decoded.
    read_frames : int
        Frames with a face that the network read in this run.
    resumed_s : float
        Seconds at its start that an interrupted run had finished.
    """

    series: AttributeSeries
    source_frames: int
    read_frames: int
    resumed_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Extractor:
    """Turns recordings into attributes with one reader, one detector and one set of parameters.

    Attributes
    ----------
    reader : AffectReader
    detector : Detector
    settings : TrackingSettings
    software : str
        Name and version that goes into the provenance.
    """

    reader: AffectReader
    detector: Detector
    settings: TrackingSettings
    software: str

    def provenance(self, video_sha256: str) -> dict[str, str]:
        """Everything the numbers depend on; equal provenance means equal attributes."""
        parameters = {
            **asdict(self.settings),
            "rate_hz": FRAME_RATE_HZ,
            "precision": self.reader.precision,
        }
        return {
            "video_sha256": video_sha256,
            "weights_sha256": self.reader.sha256,
            "detector": self.detector.identity,
            "software": self.software,
            "parameters": json.dumps(parameters, sort_keys=True),
        }

    def _computed_with(self) -> dict[str, str]:
        """What may change a number in its last digits; all parts of a series agree in it."""
        found = {"backend": self.reader.backend}
        for program in ("av", "numpy", "opencv-python-headless", "openvino", "torch"):
            with suppress(PackageNotFoundError):
                found[program] = version(program)
        return {"computed_with": json.dumps(found, sort_keys=True)}

    def extract(
        self,
        video: Path,
        participant: str,
        *,
        report: Callable[[ExtractionProgress], None] | None = None,
        partial: Path | None = None,
    ) -> Extraction:
        """Read one recording.

        Parameters
        ----------
        video : Path
        participant : str
            Pseudonym that the series carries.
        report : callable, optional
            Called after every frame with the progress.
        partial : Path, optional
            Folder in which finished stretches are kept; those of an interrupted run are found
            there again, if this program computes as that one did. The result is the same, bit for
            bit. The caller removes it once the result is stored; it is removed here when the
            recording itself turns out faulty.

        Returns
        -------
        Extraction
            A recording without any face gives a series in which every face is lost.

        Raises
        ------
        InputError
            When the file cannot be read as a whole video, see ``open_recording``, or changes
            meanwhile.
        """
        before = _identity(video)
        digest = sha256_of(video) if before else ""
        provenance = self.provenance(digest)
        kept = None
        if partial:
            kept = FinishedStretches(partial, participant, provenance | self._computed_with())
        try:
            with open_recording(video) as recording, Rows(self.reader) as rows:
                stretches = kept.load() if kept else []
                resumed_ticks = sum(len(part.series.time_s) for part in stretches)
                self._read(recording, rows, participant, stretches, kept, report)
                if _identity(video) != before:
                    raise InputError("the file was changed while it was read; extract it again")
                provenance["source"] = _source(recording)
                return Extraction(
                    join_series([part.series for part in stretches], participant, provenance),
                    recording.frame_count,
                    rows.faces,
                    resumed_ticks / FRAME_RATE_HZ,
                )
        except InputError:
            if kept and before and os.access(video, os.R_OK) and _identity(video):
                # The recording itself is faulty, or another now. If its disk is only away, the
                # work is kept.
                kept.remove()
            raise

    def _read(
        self,
        recording: Recording,
        rows: Rows,
        participant: str,
        stretches: list[Stretch],
        kept: FinishedStretches | None,
        report: Callable[[ExtractionProgress], None] | None,
    ) -> None:
        """Add the stretches that are not there yet."""
        state = stretches[-1].state if stretches else TrackerState()
        resumed = stretches[-1].frames if stretches else 0
        tracker = Tracker(self.detector, self.settings, state)

        def finish(frames: int, state: TrackerState) -> None:
            tick = sum(len(part.series.time_s) for part in stretches)
            stretches.append(Stretch(rows.take(participant, {}, tick), frames, state))
            if kept:
                kept.add(stretches[-1])

        decoded = ahead(on_clock(recording, recording.frames()), _DECODED_AHEAD)
        with closing(decoded):
            number = 0
            for number, shown in enumerate(decoded, start=1):
                if number == resumed:
                    tracker.remember(shown)
                elif number > resumed:
                    for item in tracker.push(shown):
                        rows.add(item)
                    if rows.frames >= _STRETCH_FRAMES and tracker.state is not None:
                        finish(number, tracker.state)
                if report is not None:
                    time_s = shown.frame.time_s
                    state_now = (time_s, recording.duration_s, number, min(number, resumed))
                    report(ExtractionProgress(*state_now))
            for item in tracker.finish():
                rows.add(item)
            if rows.frames:
                finish(number, tracker.state or TrackerState())


def _identity(video: Path) -> tuple[int, ...] | None:
    """What changes when a file is written to or replaced; None if there is no such file."""
    if not video.is_file():
        return None
    status = video.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _source(recording: Recording) -> str:
    return json.dumps(
        {
            "width": recording.width,
            "height": recording.height,
            "rate_hz": round(recording.rate_hz, 4),
            "frames": recording.frame_count,
            "end_s": round(recording.end_s, 4),
            "damaged_packets": recording.damaged_packets,
        },
        sort_keys=True,
    )
