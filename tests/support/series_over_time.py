"""Attribute series of a made-up child: smooth, in range, with lost faces where wanted."""

import numpy as np
from scipy.signal import lfilter

from shared.channels import CHANNELS
from shared.features.layout import SIGNED_CHANNELS


def drawn_series(seed, *, seconds, rate_hz=24.0, gaps=True):
    """Values of shape (frames, 22), float32; a twentieth of the frames lost when ``gaps``."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    course = lfilter([0.15], [1, -0.97], rng.standard_normal((n + 200, len(CHANNELS))), axis=0)
    values = 1 / (1 + np.exp(-course[200:] - rng.standard_normal(len(CHANNELS))))
    signed = [CHANNELS.index(name) for name in SIGNED_CHANNELS]
    values[:, signed] = 2 * values[:, signed] - 1
    values = values.astype(np.float32)
    if gaps:
        for _ in range(3):
            start = int(rng.integers(0, n))
            values[start : start + int(n * rng.random() / 30) + 1] = np.nan
    return values
