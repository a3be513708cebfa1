"""How often nominal 95 % intervals hold the truth, for a classifier that was fixed beforehand.

Scores are drawn from a world in which every figure's truth is known by formula or quadrature: one
normal score per participant, its means d apart between 49 participants with ASD and 39 without (the
poster's cohort). The classifier's probabilities are slightly off, so that calibration is not
trivially perfect. Each figure is judged at three strengths d of the classifier, since coverage
depends on the truth. Coverage of 1,000 draws has a standard error of .7 points.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from shared.evaluation.calibration import brier, calibration_in_the_large, calibration_slope
from shared.evaluation.confusion import PREVALENCES, Confusion
from shared.evaluation.decision_curve import net_benefit
from shared.evaluation.estimate import Estimate
from shared.evaluation.performance import measure_performance
from shared.evaluation.roc import auc, roc_curve
from simulations.verification.finding import Finding

__all__ = [
    "HIGHEST",
    "LOWEST",
    "STRENGTHS",
    "World",
    "check_coverage",
    "check_exploratory",
    "check_noisy_counts",
]

ASD: Final = 49
NON_ASD: Final = 39
"""Participants of each draw."""

LOWEST: Final = 0.92
HIGHEST: Final = 0.98
"""Range in which the coverage of a nominal 95 % interval must lie."""

STRENGTHS: Final = (0.6, 1.2, 2.0)
"""Distance of the classes' mean scores, in their standard deviation: AUC .66, .80 and .92."""

_NET_BENEFIT_AT: Final = 0.3
_FOLDS: Final = 10
_CLINICS: Final = (4, 8)
_CLINIC_SD: Final = 0.3
_NOISE: Final = (1.0, 3.0)
_AT_THE_MIX: Final = ("PPV at the study's mix", "NPV at the study's mix")
_ON_SIZES: Final = (
    "F1",
    "accuracy",
    *_AT_THE_MIX,
    "Brier score",
    "calibration in the large",
    f"net benefit at {_NET_BENEFIT_AT}",
)
_FEWER: Final = 5
"""Bootstrapped figures are drawn this many times less often; they are not judged."""


@dataclass(frozen=True)
class World:
    """A population of scores and a classifier whose every truth is known.

    Attributes
    ----------
    distance : float
        d: scores are normal with sd 1 and means +-d/2. The true log-odds at the study's mix are
        d x + log(49 / 39).
    slope, shift : float
        The classifier's log-odds are slope x + shift; it calls ASD above 0.
    """

    distance: float
    slope: float
    shift: float = 0.1

    @classmethod
    def of(cls, distance: float) -> "World":
        """The classifier exaggerates a little: calibration slope 0.8."""
        return cls(distance, slope=distance / 0.8)

    def draw(
        self, rng: np.random.Generator, *, sizes_vary: bool = False
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Labels, and the classifier's log-odds, of one cohort.

        With ``sizes_vary`` each participant has ASD by chance, as where all who come are enrolled.
        """
        asd = np.arange(ASD + NON_ASD) < ASD
        if sizes_vary:
            asd = rng.random(len(asd)) < ASD / len(asd)
        x = rng.standard_normal(len(asd)) + np.where(asd, 0.5, -0.5) * self.distance
        return asd, self.slope * x + self.shift

    def called(self, log_odds: float) -> tuple[float, float]:
        """Share of participants with and without ASD whose log-odds lie above a value."""
        x = (log_odds - self.shift) / self.slope
        return float(ndtr(self.distance / 2 - x)), float(ndtr(-self.distance / 2 - x))

    @cached_property
    def truths(self) -> dict[str, float]:
        """By the names of ``figures``."""
        found, alarm = self.called(0.0)
        mix = ASD / (ASD + NON_ASD)
        truths = {
            "sensitivity": found,
            "specificity": 1 - alarm,
            "F1": 2 * found * mix / (mix + found * mix + alarm * (1 - mix)),
            "balanced accuracy": (found + 1 - alarm) / 2,
            "accuracy": mix * found + (1 - mix) * (1 - alarm),
        }
        for p in (*PREVALENCES, mix):
            at = "at the study's mix" if p == mix else f"at {p:.0%}"
            truths[f"PPV {at}"] = found * p / (found * p + alarm * (1 - p))
            truths[f"NPV {at}"] = (1 - alarm) * (1 - p) / ((1 - alarm) * (1 - p) + (1 - found) * p)
        area = float(ndtr(self.distance / math.sqrt(2)))
        treated, untreated = self.called(float(logit(_NET_BENEFIT_AT)))
        harm = _NET_BENEFIT_AT / (1 - _NET_BENEFIT_AT)
        return truths | {
            "AUC": area,
            f"AUC within {_FOLDS} folds": area,
            "Brier score": self._mean(lambda odds, outcome: (expit(odds) - outcome) ** 2),
            "calibration in the large": self._shift(),
            f"net benefit at {_NET_BENEFIT_AT}": mix * treated - (1 - mix) * harm * untreated,
            "calibration slope": self.distance / self.slope,
        }

    def _mean(self, of: Callable[[NDArray[np.float64], float], NDArray[np.float64]]) -> float:
        """Mean over the study's mix of a function of log-odds and outcome, by quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        mix = ASD / (ASD + NON_ASD)
        parts = (
            share * float(weights @ of(self.slope * (nodes + middle) + self.shift, outcome))
            for share, middle, outcome in (
                (mix, self.distance / 2, 1.0),
                (1 - mix, -self.distance / 2, 0.0),
            )
        )
        return sum(parts)

    def _shift(self) -> float:
        from scipy.optimize import brentq

        return float(brentq(lambda a: self._mean(lambda odds, y: expit(odds + a) - y), -5, 5))


def check_coverage(draws: int, seed: int) -> list[Finding]:
    """Coverage of every figure's interval, which must lie within 92 to 98 %.

    Parameters
    ----------
    draws : int
        Cohorts for each strength of the classifier.
    seed : int

    Returns
    -------
    list of Finding
        One for each figure and strength.
    """
    fold = np.arange(ASD + NON_ASD) % _FOLDS
    findings = []
    for k, strength in enumerate(STRENGTHS):
        world = World.of(strength)
        rng = np.random.default_rng([seed, k])
        held: dict[str, int] = {}
        for _ in range(draws):
            for name, figure in _figures(*world.draw(rng), fold).items():
                held[name] = held.get(name, 0) + figure.covers(world.truths[name])
        area = world.truths["AUC"]
        findings += [
            Finding.judged(name, count / draws, LOWEST, HIGHEST, f"true AUC {area:.2f}")
            for name, count in held.items()
        ]
    return findings


def check_noisy_counts(draws: int, seed: int) -> list[Finding]:
    """Coverage where only counts with known noise are released; must lie within 92 to 98 %.

    Parameters
    ----------
    draws : int
        Cohorts for each standard deviation of the noise on each of the four counts.
    seed : int
    """
    world = World.of(STRENGTHS[1])
    findings = []
    for sd in _NOISE:
        rng = np.random.default_rng([seed, 50, int(10 * sd)])
        held: dict[str, int] = {}
        for _ in range(draws):
            asd, log_odds = world.draw(rng)
            exact = Confusion.of(asd, log_odds > 0)
            noisy = np.array([exact.tp, exact.fn, exact.fp, exact.tn]) + rng.normal(0, sd, 4)
            tp, fn, fp, tn = np.maximum(noisy, 0.0).tolist()
            counted = Confusion(tp, fn, fp, tn, noise_sd=sd)
            for name, figure in _counted(counted).items():
                held[name] = held.get(name, 0) + figure.covers(world.truths[name])
        findings += [
            # At the study's mix the noise on the mix comes on top: wide on purpose.
            Finding.measured(name, count / draws, f"noise sd {sd:g}")
            if name in _AT_THE_MIX
            else Finding.judged(name, count / draws, LOWEST, HIGHEST, f"noise sd {sd:g}")
            for name, count in held.items()
        ]
    return findings


def check_exploratory(draws: int, seed: int) -> list[Finding]:
    """Coverage of what is offered with a reservation: measured, not judged.

    The calibration slope's interval, the ROC band at one point, the intervals over clinics whose
    populations differ (these two are bootstrapped and take a fifth of the draws), and the figures
    that depend on the class sizes where these are not the study's design but left to chance.

    Parameters
    ----------
    draws : int
    seed : int
    """
    world = World.of(STRENGTHS[1])
    rng = np.random.default_rng([seed, 100])
    slopes = [
        calibration_slope(asd, expit(odds)).covers(world.truths["calibration slope"])
        for asd, odds in (world.draw(rng) for _ in range(draws))
    ]
    fewer = max(draws // _FEWER, 1)
    findings = [
        Finding.measured("calibration slope (exploratory)", float(np.mean(slopes))),
        Finding.measured("ROC band at false positive rate 0.2", _band(world, fewer, rng)),
    ]
    for clinics in _CLINICS:
        for name, share in _over_clinics(world, clinics, fewer, rng).items():
            findings.append(Finding.measured(f"{name} over {clinics} clinics", share))
    held: dict[str, int] = {}
    for _ in range(draws):
        asd, odds = world.draw(rng, sizes_vary=True)
        figures = _figures(asd, odds, np.arange(len(asd)) % _FOLDS)
        for name in _ON_SIZES:
            held[name] = held.get(name, 0) + figures[name].covers(world.truths[name])
    findings += [
        Finding.measured(f"{name}, class sizes left to chance", count / draws)
        for name, count in held.items()
    ]
    return findings


def _figures(
    asd: NDArray[np.bool_], log_odds: NDArray[np.float64], fold: NDArray[np.int64]
) -> dict[str, Estimate]:
    probability = expit(log_odds)
    return {
        **_counted(Confusion.of(asd, log_odds > 0)),
        "AUC": auc(asd, log_odds),
        f"AUC within {_FOLDS} folds": auc(asd, log_odds, fold),
        "Brier score": brier(asd, probability),
        "calibration in the large": calibration_in_the_large(asd, probability),
        f"net benefit at {_NET_BENEFIT_AT}": net_benefit(
            asd, probability > _NET_BENEFIT_AT, _NET_BENEFIT_AT
        ),
    }


@lru_cache(maxsize=4096)
def _counted(counted: Confusion) -> dict[str, Estimate]:
    """Figures of counts alone; few whole counts occur, so each is worked out once."""
    figures = {
        "sensitivity": counted.sensitivity,
        "specificity": counted.specificity,
        "F1": counted.f1,
        "balanced accuracy": counted.balanced_accuracy,
        "accuracy": counted.accuracy,
        "PPV at the study's mix": counted.ppv,
        "NPV at the study's mix": counted.npv,
    }
    for values in counted.predictive_values():
        figures[f"PPV at {values.prevalence:.0%}"] = values.ppv
        figures[f"NPV at {values.prevalence:.0%}"] = values.npv
    return figures


def _band(world: World, draws: int, rng: np.random.Generator) -> float:
    held = 0
    for _ in range(draws):
        curve = roc_curve(*world.draw(rng), rng=rng, draws=200)
        at = int(np.argmin(np.abs(curve.false_positive_rate - 0.2)))
        truth = float(ndtr(world.distance + ndtri(curve.false_positive_rate[at])))
        held += bool(curve.low[at] <= truth <= curve.high[at])
    return held / draws


def _over_clinics(
    world: World, clinics: int, draws: int, rng: np.random.Generator
) -> dict[str, float]:
    """Clinics shift all their scores; the truth is that of a child of a clinic not yet seen."""
    spread = math.hypot(1.0, _CLINIC_SD)
    found = float(ndtr((world.distance / 2 + world.shift / world.slope) / spread))
    truth = {
        "sensitivity": found,
        "specificity": float(ndtr((world.distance / 2 - world.shift / world.slope) / spread)),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(draws):
        asd, odds = world.draw(rng)
        clinic = rng.permutation(len(asd)) % clinics
        odds = odds + world.slope * _CLINIC_SD * rng.standard_normal(clinics)[clinic]
        measured = measure_performance(asd, odds, clinic=clinic, draws=200)
        for name, value in truth.items():
            held[name] += measured.by_clinic[name].covers(value)
    return {name: count / draws for name, count in held.items()}
