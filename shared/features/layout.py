"""Names, classes, signs and public ranges of the 352 features, channel by channel.

The order is law: a change of the list, of a formula or of a bound needs a new
``FEATURES_VERSION``, because feature files and public constants carry it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import CHANNELS
from shared.features.statistics import STATISTICS

__all__ = [
    "CLASS_NAMES",
    "FEATURES_VERSION",
    "FEATURE_CHANNEL",
    "FEATURE_CLASS",
    "FEATURE_NAMES",
    "FEATURE_RANGES",
    "FEATURE_SIGN",
]

FEATURES_VERSION: Final[int] = 1
"""Version of the definitions; stored in every feature file."""

CLASS_NAMES: Final = ("level", "variability", "dynamics")

SIGNED_CHANNELS: Final = ("valence", "arousal")
"""Channels in [-1, 1]; all others lie in [0, 1]."""

FEATURE_NAMES: Final[tuple[str, ...]] = tuple(
    f"{channel}__{statistic.name}" for channel in CHANNELS for statistic in STATISTICS
)
"""``channel__statistic``, all statistics of the first channel first."""

FEATURE_CHANNEL: Final[NDArray[np.int64]] = np.repeat(np.arange(len(CHANNELS)), len(STATISTICS))
"""Index into ``CHANNELS``, shape (n_features,)."""

FEATURE_CLASS: Final[NDArray[np.int64]] = np.tile(
    [CLASS_NAMES.index(statistic.statistic_class) for statistic in STATISTICS], len(CHANNELS)
)
"""0 level, 1 variability, 2 dynamics, shape (n_features,)."""

FEATURE_SIGN: Final[NDArray[np.float64]] = np.tile(
    [float(statistic.sign) for statistic in STATISTICS], len(CHANNELS)
)
"""+1 or -1, how a feature enters a mean over its class, shape (n_features,)."""

FEATURE_RANGES: Final[NDArray[np.float64]] = np.array(
    [
        [
            bound * (2.0 if statistic.scales_with_channel and channel in SIGNED_CHANNELS else 1.0)
            for bound in statistic.bounds
        ]
        for channel in CHANNELS
        for statistic in STATISTICS
    ]
)
"""Public lower and upper bound of each feature, shape (n_features, 2)."""

for _array in (FEATURE_CHANNEL, FEATURE_CLASS, FEATURE_SIGN, FEATURE_RANGES):
    _array.setflags(write=False)
