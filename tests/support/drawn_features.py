"""Features of surrogate children without their series, where only their labels matter."""

import numpy as np
from scipy.special import expit

from shared.features import FEATURE_RANGES
from shared.privacy.constants import load_constants


def drawn_features(cohort, rows):
    """Features about their public means, a little apart by diagnosis, without any series."""
    constants = load_constants()
    rng = np.random.default_rng([cohort.seed, 5])
    asd = np.array([cohort.participants[row].asd for row in rows])
    scores = rng.standard_normal((len(rows), len(constants.mean)))
    scores += 0.8 * (asd - 0.5)[:, None] * np.sin(np.arange(len(constants.mean)) // 16)
    low, high = FEATURE_RANGES.T
    return low + (high - low) * expit(constants.feature_mean + constants.feature_sd * scores)
