"""Finished stretches of a recording, kept until the whole of it is done.

An extraction that was killed goes on behind the last of them. Each is an attribute file of its own,
written whole or not at all, that also says where it ends and where the face was then. So nothing of
a picture is kept, and an extraction in several parts gives what one in a single part gives.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from client.extraction.tracking import TrackerState
from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.errors import InputError

__all__ = ["FinishedStretches", "Stretch"]

_END: Final = "stretch_end"


@dataclass(frozen=True, eq=False)
class Stretch:
    """One finished stretch.

    Attributes
    ----------
    series : AttributeSeries
        Its rows; the clock goes on from the stretch before.
    frames : int
        Frames on the clock up to its end, from the start of the recording.
    state : TrackerState
        Where the face was at its end.
    """

    series: AttributeSeries
    frames: int
    state: TrackerState


class FinishedStretches:
    """Stretches of one participant in a folder.

    Parameters
    ----------
    folder : Path
        Made when needed. Nothing else may be in it.
    participant : str
    provenance : Mapping of str to str
        Of this extraction; stretches made from another video, with other weights, software or
        parameters are thrown away.
    """

    def __init__(self, folder: Path, participant: str, provenance: Mapping[str, str]) -> None:
        self._folder = folder
        self._participant = participant
        self._provenance = dict(provenance)
        self._count = 0

    def load(self) -> list[Stretch]:
        """Stretches from the start of the recording on, as far as they are whole."""
        found: list[Stretch] = []
        while (stretch := self._read(len(found))) is not None:
            found.append(stretch)
        known = {self._path(number) for number in range(len(found))}
        if self._folder.is_dir():
            for other in set(self._folder.iterdir()) - known:
                other.unlink()
        self._count = len(found)
        return found

    def add(self, stretch: Stretch) -> None:
        """Keep the next stretch."""
        end = json.dumps({"frames": stretch.frames, "state": asdict(stretch.state)})
        provenance = {**self._provenance, _END: end}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_attributes(self._path(self._count), replace(stretch.series, provenance=provenance))
        self._count += 1

    def remove(self) -> None:
        """Throw all stretches away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.parquet"

    def _read(self, number: int) -> Stretch | None:
        path = self._path(number)
        if not path.is_file():
            return None
        try:
            series = read_attributes(path)
            provenance = dict(series.provenance)
            end = json.loads(provenance.pop(_END))
            state, frames = TrackerState.from_json(end["state"]), int(end["frames"])
        except (InputError, KeyError, TypeError, ValueError):
            return None
        if provenance != self._provenance or series.participant != self._participant:
            return None
        return Stretch(series, frames, state)
