"""Many recordings, one outcome each: a bad file never stops the others.

A recording whose attributes are already there, made from the same video with the same weights,
software and parameters, is skipped.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from client.extraction.extract import ExtractionProgress, Extractor
from client.extraction.recording import VIDEO_SUFFIXES
from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.channels import FRAME_RATE_HZ
from shared.errors import InputError
from shared.files import sha256_of

__all__ = ["Outcome", "extract_all", "find_recordings"]


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
    """

    video: Path
    participant: str
    status: Literal["extracted", "skipped", "no face", "failed"]
    text: str
    frames: int = 0


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Recordings named by ``paths``: files as they are, folders with all recordings in them.

    Raises
    ------
    InputError
        When a folder holds no recording, or two recordings have the same participant name.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in VIDEO_SUFFIXES and not file.name.startswith(".")
        )
        if not inside:
            known = " ".join(sorted(VIDEO_SUFFIXES))
            raise InputError(f"{path}: no recording in this folder (looked for {known})")
        found.extend(inside)
    by_name: dict[str, Path] = {}
    for file in found:
        other = by_name.setdefault(file.stem, file)
        if other is not file and other.absolute() != file.absolute():
            raise InputError(
                f"{other} and {file} would both be participant {file.stem}; give one another name"
            )
    return list(by_name.values())


def extract_all(
    videos: Sequence[Path],
    out: Path,
    extractor: Extractor,
    *,
    participants: Sequence[str] | None = None,
    report: Callable[[ExtractionProgress], None] | None = None,
    begin: Callable[[str], None] | None = None,
    end: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Extract every recording into ``out``, one Parquet file each.

    Parameters
    ----------
    videos : sequence of Path
    out : Path
        Folder for the attribute files, named after the participants.
    extractor : Extractor
    participants : sequence of str, optional
        Whose recordings they are; by default the file names without their endings.
    report, begin, end : callable, optional
        For a progress display.

    Returns
    -------
    list of Outcome
        In the order of ``videos``.
    """
    outcomes = []
    names = [video.stem for video in videos] if participants is None else participants
    for video, participant in zip(videos, names, strict=True):
        if begin is not None:
            begin(participant)
        outcome = _extract_one(video, participant, out, extractor, report)
        outcomes.append(outcome)
        if end is not None:
            end(outcome)
    return outcomes


def _extract_one(
    video: Path,
    participant: str,
    out: Path,
    extractor: Extractor,
    report: Callable[[ExtractionProgress], None] | None,
) -> Outcome:
    target = out / f"{participant}.parquet"
    try:
        if _already_there(video, participant, target, extractor):
            return Outcome(video, participant, "skipped", "already extracted from this video")
        result = extractor.extract(video, participant, report=report)
        write_attributes(target, result.series)
    except InputError as error:
        return Outcome(video, participant, "failed", str(error))
    except OSError as error:
        # Disk full, a file that disappears, a lost network drive: this recording's problem only.
        return Outcome(video, participant, "failed", error.strerror or type(error).__name__)
    if not result.series.face_found.any():
        length_s = len(result.series.time_s) / FRAME_RATE_HZ
        text = f"no face in any of its {length_s:.1f} s; the attribute file says so in every row"
        return Outcome(video, participant, "no face", text, result.source_frames)
    return Outcome(video, participant, "extracted", _summary(result.series), result.source_frames)


def _already_there(video: Path, participant: str, target: Path, extractor: Extractor) -> bool:
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


def _summary(series: AttributeSeries) -> str:
    length_s, share = len(series.time_s) / FRAME_RATE_HZ, float(np.mean(series.face_found))
    return f"face in {series.face_seconds:.1f} of {length_s:.1f} s ({share:.0%})"
