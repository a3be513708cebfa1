"""What is promised to each participant, and how the federation ran."""

from pydantic import Field

from shared.report.schema.values import Fact, Model, Probability, Section

__all__ = [
    "Absence",
    "Federation",
    "Privacy",
    "Round",
]


class Privacy(Section):
    """The privacy claim in the terms of NIST SP 800-226 (2025)."""

    required = ("unit", "mechanism", "trust")

    guarantee: str = ""
    """The claim in one sentence."""
    unit: str = ""
    adjacency: str = ""
    epsilon: float | None = Field(default=None, gt=0)
    delta: float | None = Field(default=None, gt=0, lt=1)
    mu: float | None = Field(default=None, gt=0)
    """Planned for the whole study."""
    spent_mu: float | None = Field(default=None, ge=0)
    """Of it, spent by what was opened."""
    attack_true_positive_rate: Probability = None
    """Most that any attack identifies at 5 % false accusations."""
    mechanism: str = ""
    composition: str = ""
    trust: tuple[str, ...] = ()
    """Who is trusted with what."""
    not_covered: tuple[str, ...] = ()
    audit: str = ""
    facts: tuple[Fact, ...] = ()


class Absence(Model):
    """A clinic that did not answer an exchange."""

    clinic: str = Field(min_length=1)
    reason: str = ""


class Round(Model):
    """One exchange of the study."""

    number: int = Field(ge=0)
    purpose: str
    answered: int = Field(ge=0)
    asked: int = Field(ge=0)
    absent: tuple[Absence, ...] = ()
    mu: float | None = Field(default=None, ge=0)


class Federation(Section):
    """Roster, exchanges and absences."""

    required = ("clinics",)

    clinics: tuple[str, ...] = ()
    rounds: tuple[Round, ...] = ()
    facts: tuple[Fact, ...] = ()
