"""Extractors that follow a script, for tests of what happens around them in worker processes.

The "recording" is a text file; each line is one step: ``report N`` (N reports), ``sleep S``,
``signal N`` (to itself), ``bug``, ``full`` (disk), ``stretch`` (a finished stretch is kept),
``part`` (leaves a temporary file, as a killed run does), ``end`` (a series with a face in half of
it).
"""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.extraction import batch
from client.extraction.extract import Extraction, ExtractionProgress
from shared.attributes import AttributeSeries, PictureMeasures
from shared.channels import CHANNELS
from shared.errors import InputError
from shared.files import sha256_of

ROWS = 48


def series(participant, provenance):
    """Two seconds; the face is there in the first one."""
    found = np.arange(ROWS) < ROWS // 2
    values = np.full((ROWS, len(CHANNELS)), 0.125, np.float32)
    box = np.ones((ROWS, 4), np.float32)
    values[~found], box[~found] = np.nan, np.nan
    grey = np.where(found, 100, np.nan).astype(np.float32)
    return AttributeSeries(
        participant=participant,
        time_s=np.arange(ROWS) / 24,
        frame=np.arange(ROWS),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=box,
        values=values,
        provenance=provenance,
        pictures=PictureMeasures(grey, grey, found.astype(np.int16)),
    )


class ScriptedExtractor:
    def provenance(self, video_sha256):
        return {"video_sha256": video_sha256, "weights_sha256": "w"}

    def extract(self, video, participant, *, report, partial):
        if not video.is_file():
            raise InputError("no such file")
        for step in video.read_text().splitlines():
            what, _, value = step.partition(" ")
            if what == "report":
                for number in range(int(value)):
                    report(ExtractionProgress(number / 24, int(value) / 24, number + 1))
            elif what == "sleep":
                time.sleep(float(value))
            elif what == "signal":
                os.kill(os.getpid(), int(value))
            elif what == "bug":
                raise ValueError("with a value of a child in it")
            elif what == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            elif what == "stretch":
                partial.mkdir(exist_ok=True)
                (partial / "00000.parquet").write_text("half of it")
            elif what == "part":
                (partial.parent / f".{participant}.parquet.abc_defg.part").write_text("x")
            elif what == "end":
                provenance = self.provenance(sha256_of(video))
                return Extraction(series(participant, provenance), ROWS, ROWS // 2)
        raise AssertionError("the script has no end")


@dataclass(frozen=True)
class ScriptedRecipe:
    """Opens a ``ScriptedExtractor``.

    Attributes
    ----------
    pids : Path, optional
        Every worker leaves a file named after its process there.
    crash_in_header_of : str
        Participant whose header crashes the decoder.
    """

    pids: Path | None = None
    crash_in_header_of: str = ""

    def open(self):
        if self.pids is not None:
            (self.pids / str(os.getpid())).touch()
        if self.crash_in_header_of:
            batch.open_recording = self._crash
        return ScriptedExtractor()

    def _crash(self, video):
        if video.stem == self.crash_in_header_of:
            os.kill(os.getpid(), signal.SIGSEGV)
        raise InputError("not a video")


def _main() -> None:
    """The client's command, with scripts for recordings; ``PIDS`` names a folder for pids."""
    from client.cli import main
    from client.extraction import recipe

    pids = Path(os.environ["PIDS"])
    recipe.ExtractorRecipe = lambda **_: ScriptedRecipe(pids)
    main()


if __name__ == "__main__":
    # A worker finds the recipe under the name of this module, not as part of the main program.
    from extraction_recipes import _main as main

    main()
