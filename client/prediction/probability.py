"""A probability with its interval, and what it becomes where ASD is rarer.

The interval is on the log-odds and adds two parts that have nothing to do with each other: what
the model does not know (who happened to take part in its study, and the privacy noise), and how
the child happened to be in this recording. It is meant to hold the probability that a study with
very many children and no noise would give on average over recordings of this child; on simulated
children it was checked that it does.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from scipy.special import expit, logit

__all__ = ["OTHER_SHARES", "LogOdds", "Stated", "Tells"]

OTHER_SHARES: Final = (0.10, 0.02)
"""Shares of ASD at which a probability is stated again: children sent to a specialist's screening,
and children at large (about; the reader's own number is what counts)."""

_Z: Final = 1.959963984540054
"""97.5 % quantile of the normal distribution."""

Tells = Literal["ASD", "non-ASD", "neither"]


class Stated(NamedTuple):
    """A probability of ASD with its 95 % interval."""

    probability: float
    low: float
    high: float


@dataclass(frozen=True)
class LogOdds:
    """Log-odds of ASD of one child, with what is uncertain about them.

    Attributes
    ----------
    estimate : float
        The probability that is stated, as log-odds.
    centre : float
        Middle of the interval: what a very large study says on average. It lies farther out than
        the estimate, which also has to allow for what the model does not know.
    model_variance : float or None
        About the centre, for what the model does not know; None where that was not measured.
    recording_variance : float
        For how the child happened to be.
    asd_share : float or None
        Share of ASD at which all this holds; None where unknown.
    """

    estimate: float
    centre: float
    model_variance: float | None
    recording_variance: float
    asd_share: float | None

    @property
    def spread(self) -> float:
        """Standard deviation about the centre."""
        return math.sqrt((self.model_variance or 0.0) + self.recording_variance)

    @property
    def stated(self) -> Stated:
        """The probability at the study's own share of ASD."""
        low, high = self.centre - _Z * self.spread, self.centre + _Z * self.spread
        # A probability outside its own interval would be hard to explain, and hardly happens.
        low, high = min(low, self.estimate), max(high, self.estimate)
        return Stated(float(expit(self.estimate)), float(expit(low)), float(expit(high)))

    @property
    def tells(self) -> Tells:
        """Where the whole interval lies, "neither" when it holds one half."""
        stated = self.stated
        if stated.low > 0.5:
            return "ASD"
        return "non-ASD" if stated.high < 0.5 else "neither"

    def at(self, asd_share: float) -> Stated:
        """The same child where another share of children has ASD (Bayes' rule).

        Parameters
        ----------
        asd_share : float
            In (0, 1).

        Raises
        ------
        ValueError
            When the share at which the log-odds hold is unknown.
        """
        if self.asd_share is None:
            raise ValueError("the share of ASD behind these log-odds is unknown")
        shift = float(logit(asd_share) - logit(self.asd_share))
        return replace(
            self,
            estimate=self.estimate + shift,
            centre=self.centre + shift,
            asd_share=asd_share,
        ).stated
