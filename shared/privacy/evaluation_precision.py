"""What counts by label and score can tell, before anybody has counted: their expected precision.

From public numbers alone, so that a study can be planned by it: how far the 95 % intervals of
sensitivity and specificity, and of the share with ASD in one score bin, will reach. Normal
approximation at typical values; the intervals of a report follow the counts themselves.
"""

import math
from typing import Final, NamedTuple

from shared.privacy.planner import Plan

__all__ = ["ExpectedPrecision", "expected_precision", "opened_sd"]

_Z: Final = 1.959964
_TYPICAL_RATE: Final = 0.75
_WIDEST: Final = 0.5
"""An interval that reaches further says nothing."""


class ExpectedPrecision(NamedTuple):
    """Half widths of 95 % intervals, as fractions of one; at most 0.5, which says nothing.

    Attributes
    ----------
    rate : float
        Of sensitivity or specificity near 0.75, half of the participants having ASD.
    rate_without_noise : float
        The same from exact counts: what the number of participants alone allows.
    bin_share : float
        Of the share with ASD among the participants of one score bin, were the bins equally full
        and that share one half.
    """

    rate: float
    rate_without_noise: float
    bin_share: float


def expected_precision(bins: int, participants: int, noise_sd: float) -> ExpectedPrecision:
    """Precision of an evaluation.

    Parameters
    ----------
    bins : int
        Score bins, even.
    participants : int
        Declared enrolment.
    noise_sd : float
        Standard deviation of the noise in one opened count, in participants.

    Notes
    -----
    A rate s = a / (a + b) of counts with noise variances v each has, to first order, the variance
    s (1 - s) / n + v (s^2 + (1 - s)^2) / n^2. Sensitivity and specificity sum bins / 2 cells on
    either side, the share of one bin is of single cells.
    """

    def half_width(rate: float, n: float, noise: float) -> float:
        spread = rate * (1 - rate) / n + noise * (rate**2 + (1 - rate) ** 2) / n**2
        return min(_Z * math.sqrt(spread), _WIDEST)

    each = participants / 2
    noise = bins / 2 * noise_sd**2
    return ExpectedPrecision(
        rate=half_width(_TYPICAL_RATE, each, noise),
        rate_without_noise=half_width(_TYPICAL_RATE, each, 0.0),
        bin_share=half_width(0.5, participants / bins, noise_sd**2),
    )


def opened_sd(sigma: float, plan: Plan) -> float:
    """Noise in an opened sum of a study whose clinics share it, standard deviation.

    Every clinic adds what would do without the colluding ones, so there is a little more than
    planned.
    """
    return sigma * math.sqrt(plan.clinics / (plan.clinics - plan.collusion_margin))
