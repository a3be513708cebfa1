"""Temporal features of one participant: 22 channels at 24 Hz become one row of numbers.

``temporal_features`` reads one participant's series and nothing else, so a feature row never
depends on another participant (which is what makes it free under differential privacy).
"""

from shared.features.layout import (
    CLASS_NAMES,
    FEATURE_CHANNEL,
    FEATURE_CLASS,
    FEATURE_NAMES,
    FEATURE_RANGES,
    FEATURE_SIGN,
    FEATURES_VERSION,
)
from shared.features.statistics import STATISTICS, Statistic
from shared.features.table import FeatureTable, read_features, write_features
from shared.features.temporal import temporal_features

__all__ = [
    "CLASS_NAMES",
    "FEATURES_VERSION",
    "FEATURE_CHANNEL",
    "FEATURE_CLASS",
    "FEATURE_NAMES",
    "FEATURE_RANGES",
    "FEATURE_SIGN",
    "STATISTICS",
    "FeatureTable",
    "Statistic",
    "read_features",
    "temporal_features",
    "write_features",
]
