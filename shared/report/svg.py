"""Matplotlib figures as SVG that lives inside an HTML page.

Matplotlib writes a stand-alone document: fixed size, its own fonts, ids that repeat from one figure
to the next, and metadata with addresses. Inline it has to scale with its column, use the page's
font, keep its ids apart and be one image with one description to a screen reader.
"""

import contextlib
import html
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PANEL_WIDTH", "plot_area", "to_inline_svg"]

PANEL_WIDTH: Final = 3.7
"""Width of one panel in inches; at the page's column width its text is as large as body text."""

INK: Final = "#22272e"
GRID: Final = "#e3e5e8"

_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fedaffect",
    "text.parse_math": False,  # a site may be called "$x$"
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": "#9aa0a8",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextlib.contextmanager
def plot_area(width: float, height: float) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure with one axes in the house style; no pyplot, so no state is left behind.

    Parameters
    ----------
    width, height : float
        Inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(cast(Any, _STYLE)):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03)  # type: ignore[union-attr, call-arg]
        yield figure, figure.add_subplot()


def to_inline_svg(figure: "Figure", *, name: str, alt: str) -> str:
    """The figure as an ``<svg>`` element that fills the width of its container.

    Must be called inside the ``plot_area`` block that made the figure.

    Parameters
    ----------
    name : str
        Prefix of all ids, unique on the page.
    alt : str
        What the figure shows, for a reader who does not see it.
    """
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    opening, body = text[: text.index(">") + 1], text[text.index(">") + 1 :]
    view_box = re.search(r'viewBox="([^"]+)"', opening)
    assert view_box is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", body)
    body = re.sub(r"\n\s*\n", "\n", body)
    label = html.escape(alt, quote=True)
    return f'<svg viewBox="{view_box[1]}" role="img" aria-label="{label}">{body}'.strip()
