"""Effect sizes over channels and features, with a mark where a difference survives correction.

Numbers of the cells stand in the document; the picture shows sign and size by a diverging scale
whose two ends differ in lightness from its middle alike, with a dot for what is significant, so
that colour is never the only carrier of what survives correction.
"""

import math
from typing import Final

import numpy as np

from shared.channels import CHANNELS, GROUP_CHANNELS
from shared.report.blocks import Figure, Panel
from shared.report.document import GroupDifferences
from shared.report.svg import INK, plot_area, to_inline_svg
from shared.report.wording import channel_label, feature_label, number

__all__ = ["SIGNIFICANT", "group_differences_plot"]

SIGNIFICANT: Final = 0.05
_SCALE: Final = ("#0068a3", "#f4f5f6", "#b84a00")
_STEPS: Final = 31
"""Few enough that the colour bar is drawn as shapes; more become an embedded picture."""


def group_differences_plot(differences: GroupDifferences) -> Figure:
    """Hedges' g, channels down, features across."""
    from matplotlib.colors import LinearSegmentedColormap

    effects = np.array(
        [[math.nan if v is None else v for v in row] for row in differences.hedges_g], dtype=float
    ).T
    adjusted = np.array(
        [[math.nan if v is None else v for v in row] for row in differences.p_max_t], dtype=float
    ).T
    largest = float(np.nanmax(np.abs(effects))) if np.isfinite(effects).any() else 1.0
    reach = max(math.ceil(largest * 5) / 5, 0.2)
    colours = LinearSegmentedColormap.from_list("g", _SCALE, N=_STEPS)
    channels, features = effects.shape
    with plot_area(9.6, 1.9 + 0.24 * channels) as (figure, axes):
        image = axes.pcolormesh(effects, cmap=colours, vmin=-reach, vmax=reach, ec="white", lw=0.8)
        if adjusted.size:
            rows, columns = np.nonzero(adjusted < SIGNIFICANT)
            axes.plot(columns + 0.5, rows + 0.5, "o", ms=4.2, color=INK, mec="white", mew=0.8)
        axes.set_xticks(
            np.arange(features) + 0.5,
            [feature_label(name) for name in differences.features],
            rotation=45,
            ha="right",
            rotation_mode="anchor",
        )
        axes.set_yticks(
            np.arange(channels) + 0.5, [channel_label(name) for name in differences.channels]
        )
        axes.invert_yaxis()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        for edge in _group_edges(differences.channels):
            axes.axhline(edge, color=INK, lw=1.1)
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=22, pad=0.015)
        bar.set_label("Hedges' g (ASD minus non-ASD)")
        bar.outline.set_visible(False)
        svg = to_inline_svg(
            figure, name="difference-map", alt=_said(differences, effects, adjusted)
        )
    return Figure(
        "differences-figure",
        (Panel(svg),),
        "Orange: larger in ASD. Blue: smaller in ASD. Dot: the difference survives the max-T "
        "correction over all cells at a family-wise error of 5 %. Lines part the attribute groups.",
        width="scrolled",
    )


def _group_edges(channels: tuple[str, ...]) -> list[int]:
    group_of = {CHANNELS[i]: group for group, members in GROUP_CHANNELS.items() for i in members}
    groups = [group_of.get(channel, channel) for channel in channels]
    return [i for i in range(1, len(groups)) if groups[i] != groups[i - 1]]


def _said(differences: GroupDifferences, effects: np.ndarray, adjusted: np.ndarray) -> str:
    text = "Heat map of effect sizes, channels by features."
    if np.isfinite(effects).any():
        row, column = np.unravel_index(int(np.nanargmax(np.abs(effects))), effects.shape)
        text += (
            f" Largest: {channel_label(differences.channels[row])}, "
            f"{feature_label(differences.features[column])}, Hedges' g "
            f"{number(float(effects[row, column]), sign=True)}."
        )
    if adjusted.size:
        found = int((adjusted < SIGNIFICANT).sum())
        text += " No cell" if not found else " At least one cell"
        text += " survives the correction. The largest differences stand in the table below."
    return text
