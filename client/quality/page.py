"""The quality report as one HTML page: no picture, no script, nothing from elsewhere."""

from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.quality.measures import RecordingMeasures
from client.quality.report import QualityReport, RecordingQuality, Traces
from client.quality.sparkline import curve, strip
from client.quality.verdict import clock
from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, GROUP_CHANNELS, channel_title
from shared.files import write_atomic
from shared.report.environment import page_environment

__all__ = ["NOT_MEASURED", "in_cells", "render_page", "write_page"]

NOT_MEASURED: Final = "not measured"

_GROUP_TITLES: Final = {
    "expression": "Expressions, 0 to 1",
    "valence": "Valence, -1 (unpleasant) to 1 (pleasant)",
    "arousal": "Arousal, -1 (calm) to 1 (excited)",
    "au": "Action units, 0 to 1",
}
_COLUMNS: Final = (
    "face",
    "longest gap",
    "brightness",
    "sharpness",
    "second face",
    "frames/s",
    "length",
)
_SHARPEST: Final = 300.0
"""Upper edge of the curve of sharpness; above it a face is simply sharp."""


class _Line(NamedTuple):
    """One curve and its name."""

    name: str
    svg: str


class _Group(NamedTuple):
    title: str
    lines: list[_Line]


class _Card(NamedTuple):
    """One recording of the page."""

    anchor: str
    recording: RecordingQuality
    cells: dict[str, str]
    length: str
    picture: list[_Line]
    overview: list[_Line]
    groups: list[_Group]


def write_page(path: Path, report: QualityReport, *, now: datetime) -> None:
    """Write the page to ``path``, whole or not at all, readable by its owner only."""
    write_atomic(path, render_page(report, now=now))


def render_page(report: QualityReport, *, now: datetime) -> str:
    """The page as one HTML document.

    Parameters
    ----------
    report : QualityReport
    now : datetime
        Printed on the page.
    """
    environment = page_environment("client.quality")
    environment.filters["clock"] = clock
    cards = [_card(index, recording) for index, recording in enumerate(report.recordings, start=1)]
    return environment.get_template("page.html").render(
        report=report,
        limits=report.limits,
        cards=cards,
        columns=list(in_cells(None)),
        made=now.strftime("%d %B %Y, %H:%M").lstrip("0"),
        any_not_measured=any(
            card.recording.measures is not None and not card.recording.measures.measured
            for card in cards
        ),
    )


def in_cells(measures: RecordingMeasures | None) -> dict[str, str]:
    """Measures as short texts under their column names; dashes where there is no file."""

    if measures is None:
        return dict.fromkeys(_COLUMNS, "–")

    def shown(value: float | None, form: str) -> str:
        if value is None:
            return "–" if measures.measured else NOT_MEASURED
        return form.format(value)

    rate = measures.frame_rate_hz
    cells = (
        f"{measures.face_share:.0%}",
        f"{measures.longest_gap_s:.0f} s",
        shown(measures.brightness, "{:.0f}"),
        shown(measures.sharpness, "{:.0f}"),
        shown(measures.second_face_share, "{:.0%}"),
        NOT_MEASURED if rate is None else f"{rate:.1f}",
        clock(measures.duration_s),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _card(index: int, recording: RecordingQuality) -> _Card:
    traces, measures = recording.traces, recording.measures
    picture: list[_Line] = []
    overview: list[_Line] = []
    groups: list[_Group] = []
    if traces is not None and len(traces.face):
        picture = _picture_lines(traces)
        channels = {
            name: _channel(name, traces.channels[:, column]) for column, name in enumerate(CHANNELS)
        }
        overview = [channels[name] for name in ("valence", "arousal", "expression_joy", "au12")]
        groups = [
            _Group(_GROUP_TITLES[group], [channels[CHANNELS[i]] for i in GROUP_CHANNELS[group]])
            for group in reversed(ATTRIBUTE_GROUPS)
        ]
    return _Card(
        anchor=f"r{index}",
        recording=recording,
        cells=in_cells(measures),
        length=clock(measures.duration_s) if measures else "",
        picture=picture,
        overview=overview,
        groups=groups,
    )


def _picture_lines(traces: Traces) -> list[_Line]:
    lines = [_Line("Face found", strip(traces.face, "stretches in which the face was found"))]
    if traces.second_face is not None:
        seen = strip(traces.second_face, "stretches in which a second face was seen")
        lines.append(_Line("Second face", seen))
    if traces.brightness is not None:
        lines.append(_Line("Brightness", curve(traces.brightness, 0, 255, "brightness over time")))
    if traces.sharpness is not None:
        drawn = curve(traces.sharpness, 0, _SHARPEST, "sharpness over time")
        lines.append(_Line("Sharpness", drawn))
    return lines


def _channel(name: str, means: NDArray[np.float64]) -> _Line:
    title = channel_title(name)
    low = -1.0 if name in ("valence", "arousal") else 0.0
    return _Line(title, curve(means, low, 1.0, f"{title} over time"))
