"""One participant over the recording: which channels push the score, and when."""

import math

import numpy as np

from shared.report.blocks import Figure, Panel
from shared.report.document import Example
from shared.report.figures.style import CHANCE, SERIES, line_entry
from shared.report.svg import INK, plot_area, to_inline_svg
from shared.report.wording import channel_label, number

__all__ = ["LINES", "example_plot"]

LINES = 5
"""Channels that get a line of their own; the others are summed."""
_DASHES = ("-", "--", "-.", ":", "-")


def example_plot(example: Example) -> Figure:
    """Contributions of the strongest channels, and the sum of all, over time."""
    time = np.array([math.nan if v is None else v for v in example.time_s], dtype=float)
    tracks = np.array(
        [[math.nan if v is None else v for v in track.contribution] for track in example.tracks],
        dtype=float,
    ).reshape(len(example.tracks), len(time))
    strength = np.nansum(np.abs(tracks), axis=1)
    order = np.argsort(-strength, kind="stable")[:LINES]
    legend, said = [], []
    with plot_area(9.6, 3.9) as (figure, axes):
        axes.axhline(0, color=CHANCE, lw=0.9)
        for rank, index in enumerate(order):
            label = channel_label(example.tracks[index].channel)
            axes.plot(time, tracks[index], ls=_DASHES[rank], lw=1.5, color=SERIES[rank])
            legend.append(line_entry(label, SERIES[rank], _DASHES[rank]))
            if np.isfinite(tracks[index]).any():
                peak = int(np.nanargmax(np.abs(tracks[index])))
                said.append(
                    f"{label}: strongest at {number(float(time[peak]), 0)} s with "
                    f"{number(float(tracks[index][peak]), sign=True)}."
                )
        total = np.where(np.isfinite(tracks).any(axis=0), np.nansum(tracks, axis=0), math.nan)
        axes.plot(time, total, lw=2.2, color=INK, alpha=0.45)
        legend.append(line_entry("Sum over all channels", "#8d9197"))
        axes.set_xlim(float(np.nanmin(time)), float(np.nanmax(time)))
        axes.set_xlabel("Time in the recording, s")
        axes.set_ylabel("Contribution to the log-odds")
        axes.grid(True)
        svg = to_inline_svg(
            figure,
            name="example-plot",
            alt=f"Contributions to one score over time. {' '.join(said)}",
        )
    how = (
        "Contributions add up to the participant's score."
        if example.decomposition == "exact"
        else "Each point is the score of a window of the recording around it; windows overlap, so "
        "points do not add up to the participant's score."
    )
    return Figure(
        "example-figure",
        (Panel(svg),),
        f"Above zero: speaks for ASD. Below: against it. {how}",
        tuple(legend),
        width="scrolled",
    )
