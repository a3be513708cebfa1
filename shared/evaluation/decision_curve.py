"""Net benefit: whether acting on the classifier serves children better than acting on all or none.

At a threshold probability t one accepts (1 - t) / t false calls for each child with ASD found.
Net benefit = tp / n - (fp / n) t / (1 - t) (Vickers and Elkin 2006, Med. Decis. Making 26:565), in
children with ASD found per participant, at the study's own mix. It is linear in sensitivity and
specificity, so its interval comes from theirs. The band holds at each threshold by itself.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.evaluation.estimate import Estimate, combine, wilson, wilson_limits

__all__ = ["THRESHOLDS", "DecisionCurve", "decision_curve", "net_benefit"]

THRESHOLDS: Final = tuple(round(0.02 * k, 2) for k in range(1, 46))
"""Threshold probabilities of the curve: 0.02, 0.04, ..., 0.90."""


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit over threshold probabilities.

    Attributes
    ----------
    threshold, model, low, high, treat_all : ndarray, shape (k,)
        Calling nobody has net benefit 0 everywhere.
    """

    threshold: NDArray[np.float64]
    model: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    treat_all: NDArray[np.float64]

    def as_json(self) -> dict[str, object]:
        """Fields by name."""
        return {
            "threshold": self.threshold.tolist(),
            "model": self.model.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "treat_all": self.treat_all.tolist(),
            "treat_none": [0.0] * len(self.threshold),
            "method": "MOVER of Wilson, pointwise",
        }


def net_benefit(asd: NDArray[np.bool_], called: NDArray[np.bool_], threshold: float) -> Estimate:
    """Net benefit of a call at the threshold probability that it stands for.

    Parameters
    ----------
    asd, called : ndarray of bool, shape (n,)
    threshold : float
        Within (0, 1).

    Raises
    ------
    InputError
        The threshold is not within (0, 1), lengths differ, or a class is missing.
    """
    _check(asd, called, [threshold])
    share = float(asd.mean())
    harm = threshold / (1 - threshold)
    found = wilson(int((asd & called).sum()), int(asd.sum()))
    alarm = wilson(int((~asd & called).sum()), int((~asd).sum()))
    return combine(((share, found), (-(1 - share) * harm, alarm)), "MOVER of Wilson")


def decision_curve(
    asd: NDArray[np.bool_],
    probability: NDArray[np.float64],
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> DecisionCurve:
    """Net benefit of calling ASD above each threshold probability.

    Parameters
    ----------
    asd : ndarray of bool, shape (n,)
    probability : ndarray, shape (n,)
        Predicted probability of ASD.
    thresholds : tuple of float
        Within (0, 1).

    Raises
    ------
    InputError
        As ``net_benefit``.
    """
    _check(asd, probability, thresholds)
    at = np.asarray(thresholds, dtype=np.float64)
    called = probability[None, :] > at[:, None]
    share = float(asd.mean())
    gain, loss = share, (1 - share) * at / (1 - at)
    value = np.zeros(len(at))
    down, up = np.zeros(len(at)), np.zeros(len(at))
    for rows, weight in ((asd, gain), (~asd, -loss)):
        counts, size = called[:, rows].sum(1), int(rows.sum())
        rate = counts / size
        low, high = wilson_limits(counts, size)
        value += weight * rate
        rises = np.asarray(weight) > 0
        down += (weight * (rate - np.where(rises, low, high))) ** 2
        up += (weight * (np.where(rises, high, low) - rate)) ** 2
    return DecisionCurve(at, value, value - np.sqrt(down), value + np.sqrt(up), gain - loss)


def _check(
    asd: NDArray[np.bool_],
    judged: NDArray[np.bool_] | NDArray[np.float64],
    thresholds: list[float] | tuple[float, ...],
) -> None:
    for threshold in thresholds:
        if not 0 < threshold < 1:
            raise InputError(
                f"Threshold probability {threshold:g} asked; it must lie between 0 and 1, without "
                "both. Give one such as 0.5."
            )
    if len(asd) != len(judged):
        raise InputError(
            f"{len(asd)} labels were given with {len(judged)} predictions. Give one of each per "
            "participant."
        )
    if not asd.any() or asd.all():
        raise InputError(
            "Net benefit needs participants with and without ASD; one of the two is missing."
        )
