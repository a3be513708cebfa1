"""The report as one self-contained page, rendered from the document alone.

No script, font, picture or style comes from elsewhere; a content security policy forbids it. Every
number on the page stands in the document.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared.files import write_atomic
from shared.report.blocks import Block
from shared.report.document import SECTIONS, Report, Section, Status
from shared.report.environment import page_environment
from shared.report.headings import HEADINGS, PARTS
from shared.report.sections import accuracy, attributes, privacy, provenance, study, trust
from shared.report.summary import findings, tiles
from shared.report.wording import number

__all__ = ["render_report", "write_report"]

_BUILDERS: Final[Mapping[str, Callable[[Any], list[Block]]]] = {
    "intended_use": study.intended_use,
    "participant_flow": study.participant_flow,
    "data": study.data,
    "index_test": study.index_test,
    "methods": study.methods,
    "sample_size": study.sample_size,
    "performance": accuracy.performance,
    "roc": accuracy.roc,
    "calibration": accuracy.calibration,
    "decision_curve": accuracy.decision_curve,
    "protocols": accuracy.protocols,
    "combinations": attributes.combinations,
    "group_differences": attributes.group_differences,
    "coefficients": attributes.coefficients,
    "example": attributes.example,
    "uncertainty": trust.uncertainty,
    "fairness": trust.fairness,
    "missingness": trust.missingness,
    "baselines": trust.baselines,
    "privacy": privacy.privacy,
    "federation": privacy.federation,
    "software": provenance.software,
    "limits": provenance.limits,
}

_STATUS_WORDS: Final[dict[Status, str]] = {
    "released": "released",
    "local": "local",
    "not_released": "not released",
}


class _View(NamedTuple):
    """A section as the template takes it."""

    key: str
    heading: str
    status: Status
    badge: str
    note: str
    cost: str
    blocks: list[Block]


def write_report(folder: Path, report: Report) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html`` to ``folder``, each whole or not at all.

    Returns
    -------
    tuple of Path
        The two files.
    """
    html = render_report(report)
    data, page = folder / "report.json", folder / "report.html"
    write_atomic(data, report.model_dump_json(indent=2) + "\n")
    write_atomic(page, html)
    return data, page


def render_report(report: Report) -> str:
    """The page as HTML5 without any outside resource.

    Parameters
    ----------
    report : Report
        The only source of the page's numbers.

    Returns
    -------
    str
        UTF-8; readable on a desktop, on a phone, on paper and by a screen reader.
    """
    views = {key: _view(report, key) for key in SECTIONS}
    return (
        page_environment()
        .get_template("report.html")
        .render(
            report=report,
            created=report.created.strftime("%-d %B %Y, %H:%M %Z"),
            parts=[(name, [views[key] for key in keys]) for name, keys in PARTS],
            tiles=tiles(report),
            findings=findings(report),
            statuses=sorted({view.status for view in views.values()}, reverse=True),
            words=_STATUS_WORDS,
        )
    )


def _view(report: Report, key: str) -> _View:
    section: Section = report.section(key)
    blocks: list[Block] = []
    if section.status != "not_released":
        if key == "checklists":
            blocks = provenance.checklists(report.checklists, report)
        else:
            blocks = _BUILDERS[key](section)
    cost = "" if section.cost_mu is None else number(section.cost_mu, 3)
    return _View(
        key=key,
        heading=HEADINGS[key],
        status=section.status,
        badge=_STATUS_WORDS[section.status],
        note=section.note,
        cost=cost,
        blocks=blocks,
    )
