"""What is promised to each participant, and how the federation ran."""

from shared.report.blocks import Block, Bullets, Cell, Facts, Heading, Row, Table, Text
from shared.report.document import Federation, Privacy
from shared.report.sections.common import pairs, sentences
from shared.report.wording import count, join, number, percent, power_of_ten

__all__ = ["federation", "privacy"]


def privacy(section: Privacy) -> list[Block]:
    """The claim in the terms of NIST SP 800-226."""
    parameters = []
    if section.epsilon is not None:
        parameters.append(("ε", count(section.epsilon)))
    if section.delta is not None:
        parameters.append(("δ", power_of_ten(section.delta)))
    if section.mu is not None:
        parameters.append(("μ (Gaussian DP)", number(section.mu, 3)))
    if section.spent_mu is not None:
        parameters.append(("μ spent by what was opened", number(section.spent_mu, 3)))
    if section.attack_true_positive_rate is not None:
        parameters.append(
            (
                "What that means",
                "Someone who knows everything except whether one child took part, and who may "
                "wrongly accuse 5 of 100 outsiders, names at most "
                f"{percent(section.attack_true_positive_rate)} of the participants. Guessing "
                "names 5 %.",
            )
        )
    facts = [
        ("Unit of privacy", section.unit),
        ("Adjacency", section.adjacency),
        *parameters,
        ("Mechanism", section.mechanism),
        ("Composition", section.composition),
        ("Audit", section.audit),
        *pairs(section.facts),
    ]
    made: list[Block] = []
    if section.guarantee:
        made.append(Text((section.guarantee,), emphasis=True))
    made.append(Facts(tuple((name, text) for name, text in facts if text)))
    made += [Heading("Who is trusted with what"), Bullets(section.trust)]
    if section.not_covered:
        made += [Heading("What ε does not cover"), Bullets(section.not_covered)]
    return made


def federation(section: Federation) -> list[Block]:
    """Roster and exchanges."""
    facts = [("Roster", join(section.clinics)), *pairs(section.facts)]
    made: list[Block] = [Facts(tuple(facts))]
    if section.rounds:
        rows = tuple(
            Row(
                f"{line.number}",
                (
                    Cell(line.purpose, words=True),
                    Cell(f"{line.answered} of {line.asked}"),
                    Cell(
                        "; ".join(
                            f"{a.clinic} ({a.reason})" if a.reason else a.clinic
                            for a in line.absent
                        )
                        or "none",
                        words=True,
                    ),
                    Cell(number(line.mu, 3)),
                ),
            )
            for line in section.rounds
        )
        columns = ("Exchange", "Purpose", "Answered", "Absent", "μ")
        made.append(Table("rounds", "Exchanges", columns, rows, narrow=True, notes=sentences()))
    return made
