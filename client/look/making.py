"""Make a contact sheet or a clip: the only place where a picture of a child is written.

The picture goes into the target's own folder and nowhere else, under a temporary name until it is
whole.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from client.extraction.detector import Detector
from client.look.anonymise import Shown, covered_pictures, pictures_as_they_are
from client.look.clip import draw_clip, write_clip
from client.look.moments import Moment
from client.look.sheet import draw_sheet
from client.look.subject import Subject
from shared.files import atomic_path

__all__ = ["Made", "make_clip", "make_sheet"]


@dataclass
class Made:
    """What became of the pictures.

    Attributes
    ----------
    pictures : int
    hidden : int
        Those of which nothing is shown, because a face might have stayed uncovered.
    """

    pictures: int = 0
    hidden: int = 0


def make_sheet(
    target: Path,
    subject: Subject,
    moments: Sequence[Moment],
    title: str,
    *,
    detector: Detector | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Made:
    """Write a contact sheet as PNG.

    Parameters
    ----------
    target : Path
    subject : Subject
    moments : sequence of Moment
        In order of time.
    title : str
        What they are, in a few words.
    detector : Detector, optional
        Finds the faces to cover; without one they are shown.
    report : callable, optional
        Called with frames done, and frames in all.
    """
    made = Made()
    pictures = _pictures(subject, [moment.tick for moment in moments], detector, report)
    canvas = draw_sheet(
        subject,
        moments,
        _counted(pictures, made),
        title=title,
        anonymised=detector is not None,
    )
    with atomic_path(target) as temporary:
        canvas.save_png(temporary)
    return made


def make_clip(
    target: Path,
    subject: Subject,
    ticks: range,
    *,
    detector: Detector | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Made:
    """Write a clip as MP4; parameters as in ``make_sheet``, ``ticks`` from ``moments.stretch``."""
    made = Made()
    pictures = _counted(_pictures(subject, ticks, detector, report), made)
    with atomic_path(target) as temporary:
        write_clip(temporary, draw_clip(subject, ticks, pictures, anonymised=detector is not None))
    return made


def _pictures(
    subject: Subject,
    ticks: Iterable[int],
    detector: Detector | None,
    report: Callable[[int, int], None] | None,
) -> Iterator[Shown]:
    if detector is None:
        return pictures_as_they_are(subject, ticks, report=report)
    return covered_pictures(subject, ticks, detector, report=report)


def _counted(pictures: Iterable[Shown], made: Made) -> Iterator[Shown]:
    for shown in pictures:
        made.pictures += 1
        made.hidden += shown.hidden
        yield shown
