"""Whether predicted probabilities are as large as they should be.

The Brier score, calibration-in-the-large (are they right on average), calibration slope (are they
too extreme, slope below 1, or too timid) and a grouped curve. About a hundred participants settle
the first two; slope and curve need thousands (Riley et al. 2021, Stat. Med. 40:4230), so here they
are exploratory and say so. Intervals are conditional on the numbers with and without ASD.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, finite, normal, student, unknown, wilson

__all__ = [
    "EXPLORATORY",
    "Calibration",
    "CalibrationGroup",
    "brier",
    "calibration_in_the_large",
    "calibration_slope",
    "grouped_curve",
    "measure_calibration",
]

EXPLORATORY: Final = ("slope", "curve")
"""Figures to be read as a hint only at this size."""

_EDGE: Final = 1e-6
"""Probabilities are kept this far from 0 and 1, whose log-odds are infinite."""

_MOST_STEPS: Final = 50


@dataclass(frozen=True)
class CalibrationGroup:
    """Participants of neighbouring predicted probabilities.

    Attributes
    ----------
    participants : int
    predicted : float
        Mean predicted probability of ASD.
    observed : Estimate
        Share with ASD, Wilson's interval.
    """

    participants: int
    predicted: float
    observed: Estimate

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "participants": self.participants,
            "predicted": finite(self.predicted),
            "observed": self.observed.as_json(),
        }


@dataclass(frozen=True)
class Calibration:
    """Agreement of predicted probabilities with what was found.

    Attributes
    ----------
    brier : Estimate
        Mean squared difference of probability and outcome; 0 is perfect.
    brier_of_prevalence : float
        Brier score of predicting the study's share with ASD for everyone.
    in_the_large : Estimate
        Shift in log-odds that makes the mean prediction right; 0 is perfect, above 0 means that the
        probabilities are too low.
    mean_predicted, observed : float
        Mean probability, and share with ASD in the study.
    slope : Estimate
        1 is perfect. Exploratory.
    curve : tuple of CalibrationGroup
        Exploratory.
    """

    brier: Estimate
    brier_of_prevalence: float
    in_the_large: Estimate
    mean_predicted: float
    observed: float
    slope: Estimate
    curve: tuple[CalibrationGroup, ...]

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "brier": self.brier.as_json(),
            "brier_of_prevalence": finite(self.brier_of_prevalence),
            "in_the_large": self.in_the_large.as_json(),
            "mean_predicted": finite(self.mean_predicted),
            "observed": finite(self.observed),
            "slope": self.slope.as_json(),
            "curve": [group.as_json() for group in self.curve],
            "exploratory": list(EXPLORATORY),
        }


def measure_calibration(
    asd: NDArray[np.bool_], probability: NDArray[np.float64], groups: int = 5
) -> Calibration:
    """All figures of calibration.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    probability : ndarray, shape (n,)
        Predicted probability of ASD, within [0, 1].
    groups : int
        Of the curve.

    Raises
    ------
    InputError
        Lengths differ, nobody is there, or a value is not a probability.
    """
    _check(asd, probability)
    share = float(asd.mean())
    return Calibration(
        brier=brier(asd, probability),
        brier_of_prevalence=share * (1 - share),
        in_the_large=calibration_in_the_large(asd, probability),
        mean_predicted=float(probability.mean()),
        observed=share,
        slope=calibration_slope(asd, probability),
        curve=grouped_curve(asd, probability, groups),
    )


def brier(asd: NDArray[np.bool_], probability: NDArray[np.float64]) -> Estimate:
    """Brier score: mean of (probability - outcome)^2.

    The interval is a t interval of the logarithm, since squared errors are skewed: of the two
    classes' means, weighted by the study's class sizes, with Welch and Satterthwaite's degrees of
    freedom. Parameters and errors as ``measure_calibration``.
    """
    _check(asd, probability)
    method = "t on the log scale, by class"
    error = (probability - asd) ** 2
    value = float(error.mean())
    sizes = [int(asd.sum()), int((~asd).sum())]
    if min(sizes) < 2 or value == 0:
        return Estimate(value, math.nan, math.nan, method)
    parts = [
        (size / len(asd)) ** 2 * float(error[rows].var(ddof=1)) / size
        for rows, size in zip((asd, ~asd), sizes, strict=True)
    ]
    total = sum(parts)
    below = sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    freedom = total**2 / below if below > 0 else float(len(asd) - 2)
    wide = student(math.log(value), math.sqrt(total) / value, freedom, method)
    return Estimate(value, math.exp(wide.low), min(math.exp(wide.high), 1.0), method)


def calibration_in_the_large(asd: NDArray[np.bool_], probability: NDArray[np.float64]) -> Estimate:
    """Intercept a of logit P(ASD) = a + logit(probability), by maximum likelihood.

    With class sizes taken as designed, the variance of the score (outcome minus fitted probability)
    is the one within each class; the usual Wald variance also holds the variation of the class
    sizes, and its interval would be far too wide here. Parameters and errors as
    ``measure_calibration``.
    """
    _check(asd, probability)
    method = "Wald, by class"
    sizes = [int(asd.sum()), int((~asd).sum())]
    if min(sizes) < 2:
        return unknown(method)
    offset = _log_odds(probability)
    # The fitted mean rises with the shift from 0 to 1, so bisection cannot miss.
    from scipy.optimize import brentq

    reach = float(np.abs(offset).max()) + 2 * math.log(len(asd)) + 1
    share = float(asd.mean())
    shift = float(brentq(lambda a: float(expit(offset + a).mean()) - share, -reach, reach))
    fitted = expit(offset + shift)
    information = float((fitted * (1 - fitted)).sum())
    variance = sum(
        size * float(fitted[rows].var(ddof=1))
        for rows, size in zip((asd, ~asd), sizes, strict=True)
    )
    return normal(shift, math.sqrt(variance) / information, method)


def calibration_slope(asd: NDArray[np.bool_], probability: NDArray[np.float64]) -> Estimate:
    """Slope b of logit P(ASD) = a + b logit(probability), by maximum likelihood. Exploratory.

    Unknown when the probabilities are all equal or separate the classes without overlap. Parameters
    and errors as ``measure_calibration``.
    """
    _check(asd, probability)
    method = "Wald, exploratory"
    x = _log_odds(probability)
    if asd.all() or not asd.any() or np.ptp(x) == 0:
        return unknown(method)
    mine, others = x[asd], x[~asd]
    if mine.min() >= others.max() or mine.max() <= others.min():
        return unknown(method)
    # Centred and scaled: Newton's step is then well conditioned whatever the scale of the odds.
    middle, spread = float(x.mean()), float(x.std())
    design: NDArray[np.float64] = np.stack([np.ones(len(x)), (x - middle) / spread], axis=1)
    weights = np.zeros(2)
    for _ in range(_MOST_STEPS):
        fitted = expit(design @ weights)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        inverse = np.linalg.inv(information)
        step = inverse @ (design.T @ (asd - fitted))
        # Steps are kept short: a full one can leap to where all fitted values are 0 or 1.
        step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-300))
        weights = weights + step
        if float(np.abs(step).max()) < 1e-10:
            return normal(
                float(weights[1]) / spread, math.sqrt(float(inverse[1, 1])) / spread, method
            )
    return unknown(method)


def grouped_curve(
    asd: NDArray[np.bool_], probability: NDArray[np.float64], groups: int = 5
) -> tuple[CalibrationGroup, ...]:
    """Predicted against observed in groups of nearly equal size. Exploratory.

    Participants of one probability stay together, so there may be fewer groups. Parameters and
    errors as ``measure_calibration``.
    """
    _check(asd, probability)
    if groups < 1:
        raise InputError(f"A curve of {groups} groups was asked; give 1 or more.")
    edges = np.quantile(probability, np.linspace(0, 1, groups + 1)[1:-1], method="lower")
    place = np.searchsorted(edges, probability, side="left")
    return tuple(
        CalibrationGroup(
            int((place == k).sum()),
            float(probability[place == k].mean()),
            wilson(int(asd[place == k].sum()), int((place == k).sum())),
        )
        for k in np.unique(place)
    )


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    odds: NDArray[np.float64] = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    return odds


def _check(asd: NDArray[np.bool_], probability: NDArray[np.float64]) -> None:
    if len(asd) != len(probability) or not len(asd):
        raise InputError(
            f"{len(asd)} labels were given with {len(probability)} probabilities. Give one of each "
            "per participant, of one participant or more."
        )
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InputError(
            "A predicted probability lies outside [0, 1] or is not a number. Give probabilities, "
            "not scores."
        )
