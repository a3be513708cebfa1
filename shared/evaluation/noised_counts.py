"""Figures from noised counts by label and score bin: what a federation releases instead of rows.

Every count carries Gaussian noise of known variance. Intervals hold both: how participants happened
to be sampled, and the noise. Rates use Wilson's interval with the noise's variance added at each
candidate value (:func:`shared.evaluation.estimate.wilson_limits`); the area under the curve and
calibration in the large use the delta method with the same two variances.

What may show follows from the noised counts alone, so it costs no privacy: neighbouring bins on one
side of the threshold are merged until every count shown is 10 or more; where even the four counts
of right and wrong calls are not, no count shows at all.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from shared.errors import InputError
from shared.evaluation.confusion import Confusion
from shared.evaluation.estimate import Estimate, Z, normal, unknown, wilson
from shared.evaluation.small_cells import SMALLEST_CELL

__all__ = ["BinGroup", "NoisedCounts", "rounded"]

_HIDDEN_DIGITS: Final = 1
"""With two, value and limits of a rate leave only one or two counts that fit them."""
_WORTH_LOGIT: Final = 1e-9


@dataclass(frozen=True)
class BinGroup:
    """Neighbouring score bins whose counts are shown as one.

    Attributes
    ----------
    first, last : int
        Bins from and to, both included, from 0 for the lowest scores.
    asd, other : float
        Noised counts, both 10 or more.
    share : Estimate
        Of ASD among them.
    """

    first: int
    last: int
    asd: float
    other: float
    share: Estimate

    @property
    def participants(self) -> float:
        """Noised count of both labels."""
        return self.asd + self.other


@dataclass(frozen=True, eq=False)
class NoisedCounts:
    """Counts by label and score bin with independent noise on each.

    Attributes
    ----------
    table : ndarray, shape (2, bins)
        Row 0 ASD, row 1 the others; columns from the lowest scores to the highest, half of them on
        either side of the threshold. Noise may make counts fractional or negative.
    noise_sd : float
        Standard deviation of the noise on each count, in participants.

    Raises
    ------
    InputError
        The table is no such table.
    """

    table: NDArray[np.float64]
    noise_sd: float

    def __post_init__(self) -> None:
        rows, bins = self.table.shape if self.table.ndim == 2 else (0, 0)
        if rows != 2 or bins < 2 or bins % 2 or not np.isfinite(self.table).all():
            raise InputError(
                f"Counts of shape {self.table.shape} were given; two labels by an even number of "
                "score bins are needed, all of them numbers."
            )
        if not (math.isfinite(self.noise_sd) and self.noise_sd >= 0):
            raise InputError(f"A noise of {self.noise_sd} was given; it must be 0 or more.")

    @property
    def bins(self) -> int:
        """Score bins."""
        return int(self.table.shape[1])

    @property
    def confusion(self) -> Confusion:
        """Right and wrong calls; a sum below 0 is taken as 0. Each sums the noise of half the bins.

        Its intervals hold the noise.
        """
        sides = self.table.reshape(2, 2, self.bins // 2).sum(axis=2)
        (fn, tp), (tn, fp) = np.maximum(sides, 0.0).tolist()
        return Confusion(tp, fn, fp, tn, noise_sd=self.noise_sd * math.sqrt(self.bins / 2))

    @property
    def auc(self) -> Estimate:
        """Area under the ROC curve of the binned score, ties counting one half.

        Notes
        -----
        A = sum over bins of a_i (below_i + o_i / 2) / (n_a n_o), a and o the two labels' counts and
        below_i the others in lower bins. With gradient g_i, each count adds (count + noise
        variance) g_i^2 to the variance: the multinomial part has no cross terms because sum g_i
        a_i = 0. The interval is symmetric on the logit scale (as is usual after DeLong). Straight
        lines between few points lie below the curve of the score itself.
        """
        method = f"trapezia over {self.bins} score bins, delta method with the noise's variance"
        asd, other = self.table
        n_asd, n_other = float(asd.sum()), float(other.sum())
        if not (n_asd > 0 and n_other > 0):
            return unknown(method)
        below = (np.cumsum(other) - other / 2) / n_other
        above = 1 - (np.cumsum(asd) - asd / 2) / n_asd
        area = float(asd @ below) / n_asd
        variance = _variance((below - area) / n_asd, asd, self.noise_sd) + _variance(
            (above - area) / n_other, other, self.noise_sd
        )
        value = min(max(area, 0.0), 1.0)
        error = math.sqrt(variance)
        if not _WORTH_LOGIT < value < 1 - _WORTH_LOGIT:
            return _within_one(normal(value, error, method))
        reach = Z * error / (value * (1 - value))
        centre = float(logit(value))
        low, high = (
            1 / (1 + math.exp(-min(max(x, -700), 700))) for x in (centre - reach, centre + reach)
        )
        return Estimate(value, low, high, method)

    def rates_above(self, edge: int) -> tuple[Estimate, Estimate]:
        """Sensitivity and false positive rate of calling everyone from bin ``edge`` up ASD."""
        found = []
        for counts in self.table:
            above, under = max(counts[edge:].sum(), 0.0), max(counts[:edge].sum(), 0.0)
            noise = self.noise_sd**2
            found.append(_rate(above, under, (self.bins - edge) * noise, edge * noise))
        return found[0], found[1]

    def in_the_large(
        self, groups: tuple[BinGroup, ...], predicted: NDArray[np.float64]
    ) -> Estimate:
        """Observed less mean predicted share with ASD.

        Parameters
        ----------
        groups : tuple of BinGroup
            From :meth:`shown`.
        predicted : ndarray, shape (len(groups),)
            Probability of ASD of each group.
        """
        method = "observed minus mean predicted, delta method with the noise's variance"
        asd = np.array([group.asd for group in groups])
        other = np.array([group.other for group in groups])
        everyone = float((asd + other).sum())
        if not everyone > 0:
            return unknown(method)
        value = float(asd @ (1 - predicted) - other @ predicted) / everyone
        variance = 0.0
        for group, chance in zip(groups, predicted, strict=True):
            noise = self.noise_sd**2 * (group.last - group.first + 1)
            for count, gain in ((group.asd, 1 - chance), (group.other, -chance)):
                slope = (gain - value) / everyone
                variance += slope**2 * (max(count, 0.0) + noise)
        return normal(value, math.sqrt(variance), method)

    def shown(self, smallest: float = SMALLEST_CELL) -> tuple[BinGroup, ...] | None:
        """The finest groups of bins in which every count is ``smallest`` or more.

        Bins are merged from the outermost towards the threshold and never across it; what is left
        over joins the group before.

        Returns
        -------
        tuple of BinGroup or None
            From the lowest scores to the highest; None where one of the four counts of right and
            wrong calls is too small, so that no count may show.
        """
        half = self.bins // 2
        lower = self._merged(range(half), smallest)
        upper = self._merged(range(self.bins - 1, half - 1, -1), smallest)
        if lower is None or upper is None:
            return None
        return tuple(self._group(*part) for part in [*lower, *reversed(upper)])

    def _merged(self, order: range, smallest: float) -> list[tuple[int, int]] | None:
        """Ends of the groups of one side, in the order they were closed."""
        closed: list[tuple[int, int]] = []
        first = order[0]
        for position, column in enumerate(order):
            low, high = sorted((first, column))
            if (self.table[:, low : high + 1].sum(axis=1) >= smallest).all():
                closed.append((low, high))
                if position + 1 < len(order):
                    first = order[position + 1]
            elif position + 1 == len(order) and closed:
                last = closed.pop()
                closed.append((min(last[0], low), max(last[1], high)))
        # A left over of large negative counts may pull the joined group below again.
        while closed and not self._large(closed[-1], smallest):
            last = closed.pop()
            if closed:
                before = closed.pop()
                closed.append((min(before[0], last[0]), max(before[1], last[1])))
        return closed or None

    def _large(self, ends: tuple[int, int], smallest: float) -> bool:
        return bool((self.table[:, ends[0] : ends[1] + 1].sum(axis=1) >= smallest).all())

    def _group(self, first: int, last: int) -> BinGroup:
        asd, other = self.table[:, first : last + 1].sum(axis=1).tolist()
        noise = self.noise_sd * math.sqrt(last - first + 1)
        return BinGroup(first, last, asd, other, wilson(asd, asd + other, noise))


def rounded(estimate: Estimate, digits: int = _HIDDEN_DIGITS) -> Estimate:
    """To so few digits that the counts behind it stay hidden; the interval grows, never shrinks."""
    scale = 10.0**digits
    low, high = estimate.low, estimate.high
    return Estimate(
        round(estimate.value, digits) if math.isfinite(estimate.value) else math.nan,
        math.floor(low * scale + 1e-9) / scale if math.isfinite(low) else low,
        math.ceil(high * scale - 1e-9) / scale if math.isfinite(high) else high,
        estimate.method,
    )


def _rate(above: float, under: float, noise_above: float, noise_under: float) -> Estimate:
    """Wilson's interval of above / (above + under), whose noise differs.

    The p with (above - p n)^2 <= z^2 [n p (1 - p) + (1 - p)^2 noise_above + p^2 noise_under].
    """
    method = "Wilson with the noise's variance"
    n = above + under
    if not n > 0:
        return unknown(method)
    square = n**2 + Z**2 * (n - noise_above - noise_under)
    linear = 2 * above * n + Z**2 * (n - 2 * noise_above)
    constant = above**2 - Z**2 * noise_above
    if square <= 0:  # so much noise that every rate is possible
        return Estimate(above / n, 0.0, 1.0, method)
    root = math.sqrt(max(linear**2 - 4 * square * constant, 0.0))
    low, high = (linear - root) / (2 * square), (linear + root) / (2 * square)
    value = above / n
    return Estimate(value, min(max(low, 0.0), value), max(min(high, 1.0), value), method)


def _variance(gradient: NDArray[np.float64], counts: NDArray[np.float64], noise_sd: float) -> float:
    return float(np.square(gradient) @ (np.maximum(counts, 0.0) + noise_sd**2))


def _within_one(estimate: Estimate) -> Estimate:
    return Estimate(
        estimate.value, max(estimate.low, 0.0), min(estimate.high, 1.0), estimate.method
    )
