"""What a section of the page is built from. The template knows how each kind looks, and no more."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

__all__ = [
    "Block",
    "Bullets",
    "Cell",
    "Facts",
    "Figure",
    "Flow",
    "FlowBox",
    "Heading",
    "LegendEntry",
    "Panel",
    "Row",
    "Table",
    "Text",
]


@dataclass(frozen=True)
class Block:
    """Anything in a section."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Heading(Block):
    """A heading below the section's own."""

    kind = "heading"
    text: str


@dataclass(frozen=True)
class Text(Block):
    """Paragraphs; ``emphasis`` for the answer of a section."""

    kind = "text"
    paragraphs: tuple[str, ...]
    emphasis: bool = False


@dataclass(frozen=True)
class Bullets(Block):
    """A list of sentences."""

    kind = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts(Block):
    """Names and what they stand for."""

    kind = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """One entry of a table; ``below`` is smaller, such as an interval."""

    text: str
    below: str = ""
    link: str = ""
    words: bool = False


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    label: str
    cells: tuple[Cell, ...]
    starts_block: bool = False


@dataclass(frozen=True)
class Table(Block):
    """A table with its caption; ``prose`` ones hold sentences."""

    kind = "table"
    anchor: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    narrow: bool = False
    prose: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One plot of a figure."""

    svg: str
    title: str = ""


@dataclass(frozen=True)
class LegendEntry:
    """A drawn sample and its name."""

    swatch: str
    label: str


@dataclass(frozen=True)
class Figure(Block):
    """Plots that are read together, and their words."""

    kind = "figure"
    anchor: str
    panels: tuple[Panel, ...]
    caption: str
    legend: tuple[LegendEntry, ...] = ()
    width: Literal["half", "wide", "full", "scrolled"] = "half"
    """``half`` of the column, most of it, all of it in as many columns as there are panels, or all
    of it and scrolled where the screen is too narrow."""


@dataclass(frozen=True)
class FlowBox:
    """One box of the participant flow, and who left before it."""

    name: str
    count: str
    excluded: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Flow(Block):
    """The participant flow, from top to bottom."""

    kind = "flow"
    boxes: tuple[FlowBox, ...] = field(default=())
