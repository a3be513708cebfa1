"""Where the report comes from, what it cannot say, and where each guideline item is answered."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.report.headings import HEADINGS
from shared.report.schema.values import Fact, Model, Section

__all__ = [
    "ChecklistItem",
    "Checklists",
    "Limits",
    "Software",
]


class Software(Section):
    """Hashes, versions and the command, so that the report can be made again."""

    required = ("versions",)

    command: str = ""
    seed: int | None = None
    elapsed_s: float | None = Field(default=None, ge=0)
    machine: str = ""
    hashes: tuple[Fact, ...] = ()
    versions: tuple[Fact, ...] = ()
    availability: str = ""
    """Where code and data can be had."""


class Limits(Section):
    """What the reader must not conclude."""

    required = ("items",)

    items: tuple[str, ...] = ()


class ChecklistItem(Model):
    """One item of a reporting guideline, and where it is answered.

    ``section`` is a key of :data:`shared.report.document.SECTIONS`. It is empty where the program
    cannot answer; then ``stated`` holds what the study's authors say, or ``remark`` why nobody
    does.
    """

    standard: Literal["STARD-AI", "TRIPOD+AI"]
    number: str
    item: str
    section: str = ""
    stated: str = ""
    remark: str = ""

    @model_validator(mode="after")
    def _answered_or_why_not(self) -> Self:
        if self.section and self.section not in HEADINGS:
            raise ValueError(f"no section {self.section!r}")
        if not (self.section or self.stated or self.remark):
            raise ValueError("an item that is answered nowhere needs a remark that says why")
        return self


class Checklists(Section):
    """STARD-AI and TRIPOD+AI; :func:`shared.report.checklist.fill_checklists` makes it."""

    required = ("items",)

    items: tuple[ChecklistItem, ...] = ()
