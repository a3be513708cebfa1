"""From one participant's attribute series to one row of temporal features.

The row depends on this participant alone. Definitions that all statistics share (gaps, clocks,
own neutral face) stand in ``shared.features.prepared``, the statistics in
``shared.features.statistics``.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.errors import InputError
from shared.features.layout import FEATURE_NAMES, SIGNED_CHANNELS
from shared.features.prepared import PreparedSeries
from shared.features.statistics import STATISTICS

__all__ = ["SHORTEST_SERIES_S", "temporal_features"]

SHORTEST_SERIES_S: Final = 30.0
"""Seconds of frames with a face below which no feature is given."""

LOWEST: Final = np.array([-1.0 if name in SIGNED_CHANNELS else 0.0 for name in CHANNELS])
ROUNDING: Final = 1e-4
"""How far a value may lie outside its range: softmax rounding in half precision."""


def temporal_features(values: ArrayLike, *, rate_hz: float = FRAME_RATE_HZ) -> NDArray[np.float64]:
    """Temporal features of one participant.

    Parameters
    ----------
    values : array_like, shape (n_frames, 22)
        Channels in the order of ``CHANNELS``, equally spaced in time; a row of NaN where no face
        was found.
    rate_hz : float
        Frames per second, at least 4.

    Returns
    -------
    ndarray, shape (n_features,)
        In the order of ``FEATURE_NAMES``. All NaN when fewer than 30 s of frames show a face;
        otherwise every value is finite.

    Raises
    ------
    InputError
        The shape is not (n_frames, 22), the rate is below 4 Hz, a row has some channels but not
        all, a value is infinite, or outside [0, 1] ([-1, 1] for valence and arousal).
    """
    table = np.asarray(values)
    if table.ndim != 2 or table.shape[1] != len(CHANNELS):
        raise InputError(
            f"Attribute values have shape {table.shape}; expected (frames, {len(CHANNELS)}), "
            "one column a channel. Write them in the order of shared.channels.CHANNELS."
        )
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    if not 4.0 <= rate_hz < float("inf"):
        raise InputError(
            f"The frame rate is {rate_hz} Hz; features need a finite rate of at least 4 Hz. "
            "Extract the attributes again at the recording's own rate."
        )
    _check_values(table)
    found = ~np.isnan(table[:, 0])
    if found.sum() < SHORTEST_SERIES_S * rate_hz:
        return np.full(len(FEATURE_NAMES), np.nan)
    series = PreparedSeries(table, rate_hz)
    return np.column_stack([statistic.function(series) for statistic in STATISTICS]).ravel()


def _check_values(table: NDArray[np.floating]) -> None:
    missing = np.isnan(table)
    partly = missing.any(axis=1) & ~missing.all(axis=1)
    if partly.any():
        frame = int(partly.argmax())
        raise InputError(
            f"Frame {frame} has values for {int((~missing[frame]).sum())} of {len(CHANNELS)} "
            "channels; a frame needs all of them, or none where no face was found."
        )
    if missing.all():
        return
    low = np.fmin.reduce(table, axis=0)
    high = np.fmax.reduce(table, axis=0)
    outside = (low < LOWEST - ROUNDING) | (high > 1.0 + ROUNDING)
    if outside.any():
        channel = int(outside.argmax())
        kind = "an infinite value" if np.isinf([low[channel], high[channel]]).any() else "a value"
        raise InputError(
            f"Channel {CHANNELS[channel]} has {kind} outside [{LOWEST[channel]:g}, 1]. "
            "Check that the columns are in the order of shared.channels.CHANNELS."
        )
