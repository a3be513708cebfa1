"""The released model: a direction and a threshold, and how a participant is scored with them.

How a model is kept in a file, with all that scoring needs, stands in :mod:`shared.model_file`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from shared.privacy.feature_map import FeatureMap, unit_scores

__all__ = ["LinearModel", "PrivateModel", "TrainedModel"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""How a model is read from a file; a model made in the program is not checked again."""


@dataclass(frozen=True)
class PrivateModel:
    """Direction and threshold on unit vectors, released under differential privacy.

    Attributes
    ----------
    study : str
        Hash of the study.
    direction : tuple of float
        Shape (k,), on the unit vectors of the study's feature map.
    threshold : float
        A unit score above it reads as ASD.
    epsilon, delta : float
        The promise; of a successor study, the one it shares with the studies it continues.
    mu : float
        What this study's own releases spent of it.
    evaluation_counts : tuple of float or None
        Noised counts by label and score (in the order of
        :func:`shared.privacy.evaluation_counts.evaluation_contribution`) where the study asked for
        them: leave-one-out after one round, of the training participants themselves after more.
    """

    __pydantic_config__ = _STRICT

    study: str
    direction: tuple[float, ...]
    threshold: float
    epsilon: float
    delta: float
    mu: float
    evaluation_counts: tuple[float, ...] | None = None

    def scores(self, features: NDArray[np.float64], feature_map: FeatureMap) -> NDArray[np.float64]:
        """Unit score minus threshold, shape (n,); above 0 reads as ASD."""
        vectors = feature_map.unit_vectors(features)
        return unit_scores(vectors, np.array(self.direction)) - self.threshold


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression on standardised raw features, trained without privacy.

    Attributes
    ----------
    study : str
        Hash of the study.
    mean, scale : tuple of float
        Standardisation, shape (d,).
    coefficients : tuple of float
        On the standardised features, shape (d,).
    intercept : float
    """

    __pydantic_config__ = _STRICT

    study: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def scores(
        self, features: NDArray[np.float64], feature_map: FeatureMap | None = None
    ) -> NDArray[np.float64]:
        """Log-odds of ASD, shape (n,); above 0 reads as ASD. A missing value counts as mean."""
        standard = np.nan_to_num((features - np.array(self.mean)) / np.array(self.scale), nan=0.0)
        log_odds: NDArray[np.float64] = standard @ np.array(self.coefficients) + self.intercept
        return log_odds


TrainedModel = PrivateModel | LinearModel
