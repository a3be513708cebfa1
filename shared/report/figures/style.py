"""Colours, marks and swatches, the same in every plot.

Okabe and Ito's colour-blind-safe hues, darkened to a contrast of at least 4.5 on white; series
differ in dash or mark as well, so that a grey printer loses nothing.
"""

from typing import TYPE_CHECKING, Final

from shared.report.blocks import LegendEntry
from shared.report.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BAND",
    "CHANCE",
    "MODEL",
    "REFERENCE",
    "SERIES",
    "area_entry",
    "line_entry",
    "mark_entry",
    "rate_axis",
]

MODEL: Final = "#0068a3"
REFERENCE: Final = "#b84a00"
CHANCE: Final = "#666666"
SERIES: Final = (MODEL, REFERENCE, "#00775a", "#9b3d75", "#1a1a1a", "#7a5c00")
BAND: Final = 0.16
"""Opacity of a 95 % band."""

_DASHES: Final = {"-": "", "--": "5 2.5", ":": "1.5 2.5", "-.": "6 2 1.5 2"}


def _swatch(content: str) -> str:
    return f'<svg class="swatch" viewBox="0 0 34 14" aria-hidden="true">{content}</svg>'


def line_entry(label: str, colour: str, dash: str = "-") -> LegendEntry:
    """A line in a legend."""
    dashes = f' stroke-dasharray="{_DASHES[dash]}"' if _DASHES[dash] else ""
    path = f'<path d="M1 7h32" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    return LegendEntry(_swatch(path), label)


def area_entry(label: str, colour: str, opacity: float = BAND) -> LegendEntry:
    """A band in a legend."""
    box = f'<rect x="1" y="1" width="32" height="12" fill="{colour}" fill-opacity="{opacity}"/>'
    return LegendEntry(_swatch(box), label)


def mark_entry(label: str, colour: str, *, bar: bool = False) -> LegendEntry:
    """A dot in a legend, on its interval if asked."""
    path = f'<path d="M4 7h26" stroke="{colour}" stroke-width="2.4"/>' if bar else ""
    return LegendEntry(_swatch(f'{path}<circle cx="17" cy="7" r="4.4" fill="{colour}"/>'), label)


def rate_axis(axes: "Axes", *, both: bool = True) -> None:
    """Axes from 0 to 1 in print form."""
    from matplotlib.ticker import FuncFormatter

    form = FuncFormatter(lambda value, _: "0" if value == 0 else number(value, 1))
    axes.set_xlim(-0.015, 1.015)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.xaxis.set_major_formatter(form)
    if both:
        axes.set_ylim(-0.015, 1.015)
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axes.yaxis.set_major_formatter(form)
        axes.set_aspect("equal")
