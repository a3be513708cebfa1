"""From frames with faces to rows of an attribute series, the network reading in the background.

Only numbers are collected: a crop lives until the network has read it, a frame until it is cropped.
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from client.extraction.face_measures import FACE_SIDE, measure_face
from client.extraction.picture import box_luminance, crop_rgb
from client.extraction.tracking import FaceFrame
from shared.affect.reader import AffectReader
from shared.attributes import AttributeSeries, PictureMeasures
from shared.channels import CHANNELS, FRAME_RATE_HZ

__all__ = ["Rows", "join_series"]

_BATCH: Final = 8
_MOST_BATCHES: Final = 2
"""Batches that may wait for the network; then cropping waits, so that memory stays bounded."""


class Rows:
    """Collects rows; to be used as a context, which ends the reading thread.

    Parameters
    ----------
    reader : AffectReader
        Used by one thread of this object alone.

    Attributes
    ----------
    faces : int
        Faces read by the network, of all series.
    """

    def __init__(self, reader: AffectReader) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")
        self._batch: list[NDArray[np.uint8]] = []
        self._waiting: deque[Future[NDArray[np.float32]]] = deque()
        self._read: list[NDArray[np.float32]] = []
        self._ticks: list[int] = []
        self._frame: list[int] = []
        self._seen: list[int] = []
        self._face: list[tuple[float, ...]] = []
        self.faces = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def frames(self) -> int:
        """Frames added since the last series was taken."""
        return len(self._frame)

    def add(self, item: FaceFrame) -> None:
        """Add the next frame; waits when the network is too far behind."""
        shown, face, faces_seen = item
        self._ticks.append(shown.ticks)
        self._frame.append(shown.frame.index)
        self._seen.append(-1 if faces_seen is None else faces_seen)
        if face is None:
            self._face.append((np.nan,) * 4 + (0.0, np.nan, np.nan))
            return
        picture, box = shown.frame.picture, face[:4]
        how = self._reader.preprocessing
        self._batch.append(crop_rgb(picture, box, how.crop_margin, how.largest_crop))
        self._face.append((*face, *measure_face(box_luminance(picture, box, FACE_SIDE))))
        self.faces += 1
        if len(self._batch) == _BATCH:
            self._send()

    def _send(self) -> None:
        while len(self._waiting) >= _MOST_BATCHES:
            self._read.append(self._waiting.popleft().result())
        crops = self._batch
        self._batch = []
        self._waiting.append(self._thread.submit(lambda: self._reader.read(crops).values()))

    def take(
        self, participant: str, provenance: Mapping[str, str], first_tick: int
    ) -> AttributeSeries:
        """Series of all frames since the last one was taken, when the network has read them.

        Parameters
        ----------
        participant : str
        provenance : Mapping of str to str
        first_tick : int
            Tick of the 24 Hz clock at which the first frame stands.

        Returns
        -------
        AttributeSeries
        """
        if self._batch:
            self._send()
        while self._waiting:
            self._read.append(self._waiting.popleft().result())
        face = np.array(self._face, np.float64).reshape(-1, 7)
        found = np.isfinite(face[:, 0])
        values = np.full((len(face), len(CHANNELS)), np.nan, np.float32)
        if self._read:
            values[found] = np.concatenate(self._read)
        row = np.repeat(np.arange(len(face)), self._ticks)
        series = AttributeSeries(
            participant=participant,
            time_s=np.arange(first_tick, first_tick + len(row)) / FRAME_RATE_HZ,
            frame=np.array(self._frame, np.int64)[row],
            face_found=found[row],
            face_confidence=face[row, 4].astype(np.float32),
            box=face[row, :4].astype(np.float32),
            values=values[row],
            provenance=provenance,
            pictures=PictureMeasures(
                brightness=face[row, 5].astype(np.float32),
                sharpness=face[row, 6].astype(np.float32),
                faces_seen=np.array(self._seen, np.int16)[row],
            ),
        )
        for column in (self._read, self._ticks, self._frame, self._seen, self._face):
            column.clear()
        return series


def join_series(
    parts: list[AttributeSeries], participant: str, provenance: Mapping[str, str]
) -> AttributeSeries:
    """One series of stretches that follow one another; without any, an empty one."""

    def joined(name: str, empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *(getattr(part, name) for part in parts)])

    def measured(name: str, empty: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([empty, *(getattr(part.pictures, name) for part in parts)])

    return AttributeSeries(
        participant=participant,
        time_s=joined("time_s", np.empty(0)),
        frame=joined("frame", np.empty(0, np.int64)),
        face_found=joined("face_found", np.empty(0, bool)),
        face_confidence=joined("face_confidence", np.empty(0, np.float32)),
        box=joined("box", np.empty((0, 4), np.float32)),
        values=joined("values", np.empty((0, len(CHANNELS)), np.float32)),
        provenance=provenance,
        pictures=PictureMeasures(
            brightness=measured("brightness", np.empty(0, np.float32)),
            sharpness=measured("sharpness", np.empty(0, np.float32)),
            faces_seen=measured("faces_seen", np.empty(0, np.int16)),
        ),
    )
