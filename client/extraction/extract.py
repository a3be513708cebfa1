"""One recording in, one attribute series out; no frame, crop or thumbnail is ever written."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from client.extraction.clock import on_clock
from client.extraction.detector import Detector
from client.extraction.face_measures import measure_face
from client.extraction.picture import crop_rgb, face_in_crop
from client.extraction.recording import Recording, open_recording
from client.extraction.tracking import FaceFrame, TrackingSettings, track
from shared.affect.reader import AffectReader
from shared.attributes import AttributeSeries, PictureMeasures
from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.files import sha256_of

__all__ = ["Extraction", "ExtractionProgress", "Extractor"]

_BATCH = 16


@dataclass(frozen=True)
class ExtractionProgress:
    """State of a running extraction: seconds of the recording done, and of how many."""

    done_s: float
    total_s: float | None
    frames: int


@dataclass(frozen=True, eq=False)
class Extraction:
    """Result of one recording.

    Attributes
    ----------
    series : AttributeSeries
    source_frames : int
        Frames decoded.
    read_frames : int
        Frames with a face that the network read.
    """

    series: AttributeSeries
    source_frames: int
    read_frames: int


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
        parameters = {**asdict(self.settings), "rate_hz": FRAME_RATE_HZ}
        return {
            "video_sha256": video_sha256,
            "weights_sha256": self.reader.sha256,
            "detector": self.detector.identity,
            "software": self.software,
            "parameters": json.dumps(parameters, sort_keys=True),
        }

    def extract(
        self,
        video: Path,
        participant: str,
        *,
        report: Callable[[ExtractionProgress], None] | None = None,
    ) -> Extraction:
        """Read one recording.

        Parameters
        ----------
        video : Path
        participant : str
            Pseudonym that the series carries.
        report : callable, optional
            Called now and then with the progress.

        Returns
        -------
        Extraction
            A recording without any face gives a series in which every face is lost.

        Raises
        ------
        InputError
            When the file cannot be read as a whole video; see ``open_recording``.
        """
        digest = sha256_of(video) if video.is_file() else ""
        with open_recording(video) as recording:
            rows = _Rows(self.reader)
            for face_frame in track(
                on_clock(recording, recording.frames()), self.detector, self.settings
            ):
                rows.add(face_frame)
                if report is not None:
                    time_s = face_frame.shown.frame.time_s
                    report(ExtractionProgress(time_s, recording.duration_s, rows.frames))
            rows.read_pending()
            provenance = {**self.provenance(digest), "source": _source(recording)}
            return Extraction(
                rows.series(participant, provenance), recording.frame_count, rows.read_frames
            )


class _Rows:
    """Collects rows of the series; crops wait until a batch is full."""

    def __init__(self, reader: AffectReader) -> None:
        self._reader = reader
        self._faces: list[FaceFrame] = []
        self._values: list[Any] = []
        self._measures: list[tuple[float, float]] = []
        self._crops: list[Any] = []
        self._rows_of_crops: list[int] = []
        self.read_frames = 0

    @property
    def frames(self) -> int:
        return len(self._faces)

    def add(self, item: FaceFrame) -> None:
        shown, face, faces_seen = item
        measures: tuple[float, float] = (np.nan, np.nan)
        if face is not None:
            margin = self._reader.preprocessing.crop_margin
            crop = crop_rgb(shown.frame.picture, face[:4], margin)
            measures = measure_face(crop[face_in_crop(shown.frame.picture, face[:4], margin)])
            self._crops.append(crop)
            self._rows_of_crops.append(len(self._faces))
        # Keep the numbers, let the picture go: memory must not grow with the recording.
        bare = shown._replace(frame=type(shown.frame)(shown.frame.index, shown.frame.time_s, None))
        self._faces.append(FaceFrame(bare, face, faces_seen))
        self._measures.append(measures)
        self._values.append(None)
        if len(self._crops) >= _BATCH:
            self.read_pending()

    def read_pending(self) -> None:
        if not self._crops:
            return
        values = self._reader.read(self._crops).values()
        for row, value in zip(self._rows_of_crops, values, strict=True):
            self._values[row] = value
        self.read_frames += len(self._crops)
        self._crops.clear()
        self._rows_of_crops.clear()

    def series(self, participant: str, provenance: dict[str, str]) -> AttributeSeries:
        nothing = np.full(len(CHANNELS), np.nan, np.float32)
        n = len(self._faces)
        box = np.full((n, 4), np.nan, np.float32)
        confidence = np.zeros(n, np.float32)
        for row, (_, face, _) in enumerate(self._faces):
            if face is not None:
                box[row], confidence[row] = face[:4], face.confidence
        values = [nothing if value is None else value for value in self._values]
        ticks = np.array([shown.ticks for shown, _, _ in self._faces], np.int64)
        row_of_tick = np.repeat(np.arange(n), ticks)
        frame = np.array([shown.frame.index for shown, _, _ in self._faces], np.int64)
        seen = [-1 if count is None else count for _, _, count in self._faces]
        measures = np.array(self._measures, np.float32).reshape(n, 2)[row_of_tick]
        found = np.array([face is not None for _, face, _ in self._faces], bool)
        return AttributeSeries(
            participant=participant,
            time_s=np.arange(len(row_of_tick)) / FRAME_RATE_HZ,
            frame=frame[row_of_tick],
            face_found=found[row_of_tick],
            face_confidence=confidence[row_of_tick],
            box=box[row_of_tick],
            values=np.array(values, np.float32).reshape(n, len(CHANNELS))[row_of_tick],
            provenance=provenance,
            pictures=PictureMeasures(
                brightness=measures[:, 0],
                sharpness=measures[:, 1],
                faces_seen=np.array(seen, np.int16)[row_of_tick],
            ),
        )


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
