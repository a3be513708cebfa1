"""One recording into one attribute file, and what became of it in a line for a person.

Whatever goes wrong with a recording is its outcome, never an error: the others must go on.
"""

import errno
import os
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from client.extraction.participant_lock import participant_lock
from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.files import sha256_of

if TYPE_CHECKING:
    from client.extraction.extract import Extraction, ExtractionProgress, Extractor

__all__ = ["Outcome", "Status", "ToExtract", "extract_recording", "partial_folder"]

Status = Literal["extracted", "skipped", "no face", "failed"]

_AGAIN = "then run the same command again"


class ToExtract(NamedTuple):
    """A participant (pseudonym) and the recording to read."""

    participant: str
    video: Path


@dataclass(frozen=True)
class Outcome:
    """What became of one recording.

    Attributes
    ----------
    video : Path
    participant : str
        Pseudonym.
    status : {"extracted", "skipped", "no face", "failed"}
        "no face": an attribute file was written, and no row of it has a face.
    text : str
        One line for a person.
    frames : int
        Frames decoded in this run.
    seconds : float
        How long that took.
    """

    video: Path
    participant: str
    status: Status
    text: str
    frames: int = 0
    seconds: float = 0.0


def partial_folder(out: Path, participant: str) -> Path:
    """Where the finished stretches of an interrupted extraction are kept."""
    return out / f".{participant}.partial"


def extract_recording(
    recording: ToExtract,
    out: Path,
    extractor: "Extractor",
    *,
    report: "Callable[[ExtractionProgress], None] | None" = None,
) -> Outcome:
    """Write a participant's attribute file, unless it is there already, made in the same way.

    Parameters
    ----------
    recording : ToExtract
    out : Path
        Folder for the attribute files.
    extractor : Extractor
    report : callable, optional
        For a progress display.

    Returns
    -------
    Outcome
        Of any fault too.
    """
    participant, video = recording
    started = time.monotonic()

    def outcome(status: Status, text: str, frames: int = 0) -> Outcome:
        return Outcome(video, participant, status, text, frames, time.monotonic() - started)

    target, partial = out / f"{participant}.parquet", partial_folder(out, participant)
    try:
        with participant_lock(out, participant):
            if _already_there(video, participant, target, extractor):
                result = None
            else:
                result = extractor.extract(video, participant, report=report, partial=partial)
                write_attributes(target, result.series)
            # Only now that the whole of it is on the disk.
            shutil.rmtree(partial, ignore_errors=True)
    except InputError as error:
        return outcome("failed", str(error))
    except OSError as error:
        return outcome("failed", _refusal_in_words(error))
    except MemoryError:
        return outcome("failed", f"memory ran out; close other programs, {_AGAIN}")
    except Exception as error:
        return outcome("failed", _fault_in_words(error))
    if result is None:
        return outcome("skipped", "already extracted from this video")
    status, text = _finding(result)
    return outcome(status, text, result.source_frames)


def _already_there(video: Path, participant: str, target: Path, extractor: "Extractor") -> bool:
    if not (target.exists() and video.is_file() and os.access(video, os.R_OK)):
        return False
    try:
        series = read_attributes(target)
    except InputError:
        return False
    if series.pictures is None or series.participant != participant:
        # Without measurements: a file of an older version, which the quality report cannot judge.
        return False
    kept, wanted = series.provenance, extractor.provenance(sha256_of(video))
    return all(kept.get(key) == value for key, value in wanted.items())


def _finding(result: "Extraction") -> tuple[Status, str]:
    series: AttributeSeries = result.series
    length_s, share = len(series.time_s) / FRAME_RATE_HZ, float(np.mean(series.face_found))
    if not series.face_found.any():
        text = f"no face in any of its {length_s:.1f} s; the attribute file says so in every row"
        return "no face", text
    return "extracted", f"face in {series.face_seconds:.1f} of {length_s:.1f} s ({share:.0%})"


def _refusal_in_words(error: OSError) -> str:
    """Disk full, a file that disappears, a lost network drive: this recording's problem only."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"the disk for the attribute files is full; make room, {_AGAIN}"
    place = f": {error.filename}" if error.filename else ""
    # Libraries add words of their own to the system's; its number says it in the person's language.
    words = os.strerror(error.errno) if error.errno else type(error).__name__
    return f"the system says: {words}{place}"


def _fault_in_words(error: Exception) -> str:
    """Where the program failed, for whoever mends it; never the message, which may hold data."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a fault of this program ({type(error).__name__} in {Path(place.filename).name}, line "
        f"{place.lineno}); please report it with this line"
    )
