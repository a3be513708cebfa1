"""How a private model's score becomes a probability, from figures measured on surrogate cohorts.

A model released under differential privacy is a direction and a threshold; its score has no scale
of its own. The table gives, for an attribute combination, a noise level and a number of
participants, two straight lines in the scaled score z = sqrt(k) * score:

    logit P(ASD | z)  =  intercept + slope * z
    what a study with very many children and no noise says  ~  N(large_intercept + large_slope * z,
                                                               variance + variance_growth * z^2)

in log-odds. The first is the probability, over all studies of such a size and their children; it
is flatter than the second, because a small and noised study knows little of a single child. The
second says how far from that a study without these limits may lie, and gives the interval.

The table is written by ``fedaffect-sim probabilities --store``. It is a description of simulated
children, and everything printed from it says so.
"""

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared.channels import combination_name
from shared.errors import InputError
from shared.privacy.grid import GRID
from shared.privacy.unit_vectors import AffectMap
from shared.study import Study

__all__ = ["EXPECTED_CALIBRATION", "PARAMETERS", "Calibration", "expected_calibration", "signal_of"]

EXPECTED_CALIBRATION: Final = Path(__file__).with_name("expected_calibration.json")
"""Lines by attribute combination, epsilon and number of participants, with their provenance."""

PARAMETERS: Final = (
    "slope",
    "intercept",
    "large_slope",
    "large_intercept",
    "variance",
    "variance_growth",
)
"""What a row of the table holds beside its place."""

_NEAR: Final = 0.85
"""A study declares a few participants less than the size it was measured with."""


@dataclass(frozen=True)
class Calibration:
    """From a scaled score to log-odds of ASD, for studies like one's own.

    Attributes
    ----------
    slope, intercept : float
        Of the log-odds of ASD.
    large_slope, large_intercept : float
        Of the log-odds that a study with very many children and no noise gives, on average.
    variance, variance_growth : float
        Variance of those about their average: at z = 0, and its growth with z^2.
    asd_share : float
        Share of ASD among the simulated participants: the prevalence of the log-odds.
    measured_on : str
        The data behind the figures.
    differences : tuple of str
        Sentences on how the study differs from those that were measured; empty when it does not.
    """

    slope: float
    intercept: float
    large_slope: float
    large_intercept: float
    variance: float
    variance_growth: float
    asd_share: float
    measured_on: str
    differences: tuple[str, ...] = ()

    def log_odds(self, scaled_score: float) -> float:
        """Log-odds of ASD."""
        return self.intercept + self.slope * scaled_score

    def large_study(self, scaled_score: float) -> tuple[float, float]:
        """Mean and variance of the log-odds that a very large study without noise gives."""
        return (
            self.large_intercept + self.large_slope * scaled_score,
            self.variance + self.variance_growth * scaled_score**2,
        )


def signal_of(study: Study, feature_map: AffectMap) -> float:
    """How clearly a study's sums stand out of the noise that they are opened with.

    The Gaussian-DP mu that the opened gradient sums and the threshold would have if the noise in
    them were all there is: mu of their releases for an outsider, sqrt(K / (K - t)) times less than
    planned with K clinics of which t may collude.

    Returns
    -------
    float
        Infinite for a study without noise.
    """
    total = 0.0
    for release in study.plan(feature_map).releases:
        variance = study.share(release.sigma) * len(study.clinics) / GRID**2
        if not variance:
            return math.inf
        if release.kind != "evaluation":
            total += 1 / variance
    return math.sqrt(total)


def expected_calibration(study: Study, feature_map: AffectMap) -> Calibration:
    """Interpolate the measured lines in log signal and log participants.

    A study that is larger, or has less noise, than any measured is treated as the largest, or the
    least noised, measured: its probabilities are then a little too careful.

    Raises
    ------
    InputError
        For a study of another method, or smaller or noisier than any measured, where a probability
        would be a guess.
    """
    table = _table()
    if study.method != "federated-dp":
        raise InputError(
            f"the study has method {study.method}; probabilities were measured for federated-dp"
        )
    rows = [row for row in table["rows"] if row["groups"] == combination_name(feature_map.groups)]
    sizes = sorted({row["participants"] for row in rows})
    signals = sorted({row["signal"] for row in rows})
    signal = signal_of(study, feature_map)
    if study.participants < _NEAR * sizes[0]:
        raise InputError(
            f"the study declares {study.participants} children; below {sizes[0]} no probability "
            "can be given, because such studies are too small to have been measured"
        )
    if signal < _NEAR * signals[0]:
        raise InputError(
            f"the study has more noise (epsilon {study.epsilon:g}) than any that probabilities "
            "were measured for; its model tells next to nothing about one child"
        )
    at = {(row["signal"], row["participants"]): row for row in rows}

    def interpolated(name: str) -> float:
        by_signal = [
            np.interp(math.log(study.participants), np.log(sizes), [at[s, n][name] for n in sizes])
            for s in signals
        ]
        return float(np.interp(math.log(signal), np.log(signals), by_signal))

    return Calibration(
        **{name: interpolated(name) for name in PARAMETERS},
        asd_share=float(table["provenance"]["asd_share"]),
        measured_on=str(table["provenance"]["data"]),
        differences=tuple(_differences(study, feature_map, table, sizes[-1])),
    )


def _differences(study: Study, feature_map: AffectMap, table: Any, largest: int) -> list[str]:
    found = []
    if study.participants > largest / _NEAR:
        found.append(
            f"The study declares {study.participants} children; simulated studies had up to "
            f"{largest}, so the interval is a little too wide."
        )
    if study.rounds is not None:
        found.append(
            f"The study sets its own number of rounds ({study.rounds}); in the simulated studies "
            "it followed the rule."
        )
    if study.parent is not None:
        found.append("The study goes on from an earlier one; the simulated studies did not.")
    if feature_map.constants.digest != table["provenance"]["constants"]:
        found.append(
            "The study has public constants of its own; the simulated studies used those that "
            "come with the program."
        )
    return found


@functools.lru_cache(maxsize=1)
def _table() -> Any:
    return json.loads(EXPECTED_CALIBRATION.read_text(encoding="utf-8"))
