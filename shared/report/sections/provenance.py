"""Where the report comes from, what it cannot say, and where each guideline item is answered."""

from datetime import timedelta

from shared.report.blocks import Block, Bullets, Cell, Facts, Heading, Row, Table, Text
from shared.report.document import Checklists, Limits, Report, Software
from shared.report.headings import HEADINGS
from shared.report.sections.common import pairs

__all__ = ["checklists", "limits", "software"]


def software(section: Software) -> list[Block]:
    """Command, versions, hashes."""
    facts = [
        ("Command", section.command),
        ("Seed", "" if section.seed is None else f"{section.seed}"),
        (
            "Took",
            "" if section.elapsed_s is None else str(timedelta(seconds=round(section.elapsed_s))),
        ),
        ("Machine", section.machine),
        ("Availability", section.availability),
    ]
    made: list[Block] = [Facts(tuple((name, text) for name, text in facts if text))]
    if section.versions:
        made += [Heading("Versions"), Facts(pairs(section.versions))]
    if section.hashes:
        made += [Heading("Hashes (SHA-256)"), Facts(pairs(section.hashes))]
    return made


def limits(section: Limits) -> list[Block]:
    """Sentences."""
    return [Bullets(section.items)]


def checklists(section: Checklists, report: Report) -> list[Block]:
    """One table a guideline; an item answered in a withheld section says so."""
    made: list[Block] = [
        Text(
            (
                "Items are given in short wording of our own; the guidelines themselves are "
                "authoritative. STARD items carry the numbers of STARD 2015; what STARD-AI adds "
                "stands below them, as “AI”.",
            )
        )
    ]
    for standard in dict.fromkeys(item.standard for item in section.items):
        rows = []
        for item in section.items:
            if item.standard != standard:
                continue
            if item.section:
                status = report.section(item.section).status
                withheld = ", not released" if status == "not_released" else ""
                where = Cell(HEADINGS[item.section] + withheld, link=item.section, words=True)
            else:
                where = Cell("Stated by the authors" if item.stated else "Not here", words=True)
            said = " ".join(text for text in (item.stated, item.remark) if text)
            rows.append(
                Row(item.number, (Cell(item.item, words=True), where, Cell(said, words=True)))
            )
        anchor = "checklist-" + "".join(c if c.isalnum() else "-" for c in standard.lower())
        columns = ("Item", "What is asked", "Where", "Remark")
        made.append(Table(anchor, standard, columns, tuple(rows), prose=True))
    return made
