"""The four counts at a threshold fixed in advance, and every figure that follows from them.

Works from counts alone, so a federation that releases nothing but (noisy) counts gets the same
figures as a party that holds the rows. The numbers of participants with and without ASD are taken
as the study's design, not as a finding: intervals are conditional on them. PPV and NPV depend on
prevalence more than on the classifier, so they are stated at several prevalences as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, Z, combine, unknown, wilson

__all__ = ["PREVALENCES", "Confusion", "PredictiveValues", "difference"]

PREVALENCES: Final = (0.02, 0.1, 0.3, 0.5)
"""Shares with ASD: general population, raised concern, referral, a cohort like the poster's."""


@dataclass(frozen=True)
class PredictiveValues:
    """What a result means where a stated share of children has ASD.

    Attributes
    ----------
    prevalence : float
        Within (0, 1).
    ppv, npv : Estimate
        Chance of ASD given the call ASD; of no ASD given the call non-ASD.
    """

    prevalence: float
    ppv: Estimate
    npv: Estimate

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "prevalence": self.prevalence,
            "ppv": self.ppv.as_json(),
            "npv": self.npv.as_json(),
        }


@dataclass(frozen=True)
class Confusion:
    """Counts of called against true, ASD positive.

    Attributes
    ----------
    tp, fn : float
        Participants with ASD, called ASD and non-ASD.
    fp, tn : float
        Participants without ASD, called ASD and non-ASD.
    noise_sd : float
        Standard deviation of the independent noise on each count; 0 when counts are exact. Every
        interval then holds the noise as well.

    Raises
    ------
    InputError
        A count is negative or not finite (set noisy counts below 0 to 0 first).
    """

    tp: float
    fn: float
    fp: float
    tn: float
    noise_sd: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tp", "fn", "fp", "tn", "noise_sd"):
            count = getattr(self, name)
            if not (math.isfinite(count) and count >= 0):
                raise InputError(
                    f"The confusion count {name} is negative or not a number. Counts are 0 or "
                    "more; set a noisy count below 0 to 0."
                )

    @classmethod
    def of(cls, asd: NDArray[np.bool_], called: NDArray[np.bool_]) -> "Confusion":
        """Count.

        Parameters
        ----------
        asd, called : ndarray of bool, shape (n,)
            True labels, and the classifier's calls.
        """
        return cls(
            int((asd & called).sum()),
            int((asd & ~called).sum()),
            int((~asd & called).sum()),
            int((~asd & ~called).sum()),
        )

    @property
    def asd(self) -> float:
        """Participants with ASD."""
        return self.tp + self.fn

    @property
    def non_asd(self) -> float:
        """Participants without ASD."""
        return self.fp + self.tn

    @property
    def sensitivity(self) -> Estimate:
        """tp / (tp + fn)."""
        return wilson(self.tp, self.asd, self.noise_sd)

    @property
    def specificity(self) -> Estimate:
        """tn / (tn + fp)."""
        return wilson(self.tn, self.non_asd, self.noise_sd)

    @property
    def accuracy(self) -> Estimate:
        """(tp + tn) / all: sensitivity and specificity, weighted by the study's class sizes."""
        everyone = self.asd + self.non_asd
        if not (self.asd and self.non_asd):
            return wilson(self.tp + self.tn, everyone, self.noise_sd * math.sqrt(2))
        return combine(
            (
                (self.asd / everyone, self.sensitivity),
                (self.non_asd / everyone, self.specificity),
            ),
            "MOVER of Wilson",
        )

    @property
    def balanced_accuracy(self) -> Estimate:
        """Mean of sensitivity and specificity."""
        return combine(((0.5, self.sensitivity), (0.5, self.specificity)), "MOVER of Wilson")

    @property
    def f1(self) -> Estimate:
        """2 tp / (2 tp + fp + fn) at the study's class sizes.

        Notes
        -----
        F1 = 2 / (1 + (1 + r (1 - specificity)) / sensitivity), r the number without ASD per
        participant with ASD. The logarithm of the inner ratio is a difference of functions of two
        independent proportions, so MOVER applies to it.
        """
        if not self.asd:
            return unknown("MOVER of Wilson")
        found, alarm = wilson(self.tp, self.asd), wilson(self.fp, self.non_asd)
        ratio = self.non_asd / self.asd
        if not self.non_asd:
            alarm = Estimate(0.0, 0.0, 0.0, "")
        value = _f1(found.value, alarm.value, ratio)
        if found.value == 0:
            # The logarithm of 0 has no distance to a limit: take the corner of both limits.
            low, high = 0.0, _f1(found.high, alarm.low, ratio)
        else:
            low, high = _f1_limits(found, alarm, ratio)
        if self.noise_sd:
            whole = 2 * self.tp + self.fp + self.fn
            slope = math.hypot(2 * (self.fp + self.fn), 2 * self.tp, 2 * self.tp) / whole**2
            reach = Z * self.noise_sd * slope
            low = max(value - math.hypot(value - low, reach), 0.0)
            high = min(value + math.hypot(high - value, reach), 1.0)
        return Estimate(value, low, high, "MOVER of Wilson")

    @property
    def ppv(self) -> Estimate:
        """tp / (tp + fp): at the study's own mix of participants, which is its design."""
        if self.noise_sd or not (self.asd and self.non_asd):
            # With noise the mix itself is uncertain.
            return wilson(self.tp, self.tp + self.fp, self.noise_sd)
        mix = self.asd / (self.asd + self.non_asd)
        return self.predictive_values((mix,))[0].ppv

    @property
    def npv(self) -> Estimate:
        """tn / (tn + fn): at the study's own mix of participants, which is its design."""
        if self.noise_sd or not (self.asd and self.non_asd):
            # With noise the mix itself is uncertain.
            return wilson(self.tn, self.tn + self.fn, self.noise_sd)
        mix = self.asd / (self.asd + self.non_asd)
        return self.predictive_values((mix,))[0].npv

    def predictive_values(
        self, prevalences: Sequence[float] = PREVALENCES
    ) -> tuple[PredictiveValues, ...]:
        """PPV and NPV at stated prevalences.

        Parameters
        ----------
        prevalences : sequence of float
            Within (0, 1).

        Raises
        ------
        InputError
            A prevalence is not within (0, 1).

        Notes
        -----
        PPV = se p / (se p + (1 - sp) (1 - p)). Interval on the logit scale (Mercaldo, Lau and Zhou
        2007, Stat. Med. 26:2170). Where a count is 0, half a participant is added to each of the
        four; adding to all tables, as they also consider, covers too little here.
        """
        for prevalence in prevalences:
            if not 0 < prevalence < 1:
                raise InputError(
                    f"Prevalence {prevalence:g} asked; it must lie between 0 and 1, without both. "
                    "Give a share such as 0.02."
                )
        found, alarm = _share(self.tp, self.asd), _share(self.fp, self.non_asd)
        return tuple(
            PredictiveValues(
                p,
                _predictive(p, found, alarm, (self.tp, self.fn, self.fp, self.tn), self.noise_sd),
                _predictive(
                    1 - p, 1 - alarm, 1 - found, (self.tn, self.fp, self.fn, self.tp), self.noise_sd
                ),
            )
            for p in prevalences
        )

    def figures(self) -> dict[str, Estimate]:
        """Sensitivity, specificity, F1, balanced accuracy, accuracy, PPV and NPV, by name."""
        return {
            "sensitivity": self.sensitivity,
            "specificity": self.specificity,
            "f1": self.f1,
            "balanced_accuracy": self.balanced_accuracy,
            "accuracy": self.accuracy,
            "ppv": self.ppv,
            "npv": self.npv,
        }

    def as_json(self) -> dict[str, object]:
        """Counts, figures and predictive values by name."""
        return {
            "tp": self.tp,
            "fn": self.fn,
            "fp": self.fp,
            "tn": self.tn,
            "noise_sd": self.noise_sd,
            "figures": {name: figure.as_json() for name, figure in self.figures().items()},
            "predictive_values": [values.as_json() for values in self.predictive_values()],
        }


def difference(first: Estimate, second: Estimate) -> Estimate:
    """First minus second, of independent groups (Newcombe's interval for proportions)."""
    return combine(((1.0, first), (-1.0, second)), "MOVER, independent groups")


def _share(count: float, n: float) -> float:
    return count / n if n else math.nan


def _f1(found: float, alarm: float, ratio: float) -> float:
    return 2 * found / (1 + found + ratio * alarm)


def _f1_limits(found: Estimate, alarm: Estimate, ratio: float) -> tuple[float, float]:
    def outer(share: float) -> float:
        return math.log1p(ratio * share)

    inner = outer(alarm.value) - math.log(found.value)
    worse = inner + math.hypot(
        outer(alarm.high) - outer(alarm.value), math.log(found.value / found.low)
    )
    better = inner - math.hypot(
        outer(alarm.value) - outer(alarm.low), math.log(found.high / found.value)
    )
    # At the edge (no false call, none missed) the better limit must not pass 1.
    return 2 / (1 + math.exp(worse)), min(2 / (1 + math.exp(better)), 1.0)


def _predictive(
    prevalence: float,
    found: float,
    alarm: float,
    counts: tuple[float, float, float, float],
    noise_sd: float,
) -> Estimate:
    """PPV; the NPV is the PPV of the mirrored test. ``counts``: tp, fn, fp, tn."""
    method = "logit (Mercaldo 2007)"
    if math.isnan(found) or math.isnan(alarm):
        return unknown(method)
    above = found * prevalence
    below = alarm * (1 - prevalence)
    # Nobody called: no predictive value was seen, yet the interval stands.
    value = above / (above + below) if above + below > 0 else math.nan
    half = 0.5 if min(counts) <= 0 else 0.0
    tp, fn, fp, tn = (count + half for count in counts)
    odds = math.log(tp / (tp + fn)) - math.log(fp / (fp + tn))
    centre = odds + math.log(prevalence / (1 - prevalence))
    variance = fn / (tp * (tp + fn)) + tn / (fp * (fp + tn))
    variance += noise_sd**2 * (
        ((fn / tp) ** 2 + 1) / (tp + fn) ** 2 + ((tn / fp) ** 2 + 1) / (fp + tn) ** 2
    )
    reach = Z * math.sqrt(variance)
    low, high = float(expit(centre - reach)), float(expit(centre + reach))
    if not math.isnan(value):
        # The added halves shrink: a PPV of 1 must not lie outside its interval.
        low, high = min(low, value), max(high, value)
    return Estimate(value, low, high, method)
