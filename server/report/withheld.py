"""Sections that a federated study does not release: why, and what each would cost.

The cost is the mu that the further sums would take at the precision of the study's own, for every
participant: mu adds up in squares over releases. A cost is a statement of price, not advice.
"""

import math
from typing import Final

from shared.privacy.planner import Plan, evaluation_share
from shared.report import document as d

__all__ = [
    "LOCAL",
    "baselines",
    "calibration",
    "combinations",
    "decision_curve",
    "example",
    "fairness",
    "group_differences",
    "participant_flow",
    "performance",
    "protocols",
    "roc",
    "uncertainty",
]

LOCAL: Final = "Each clinic has it for its own participants: fedaffect-client report there."

_OTHER_COMBINATIONS: Final = 14
_FOLDS: Final = 5
_ATTRIBUTES: Final = 3  # age band, sex, device


def _counts(plan: Plan, bins: int, times: float = 1.0) -> float:
    """Mu of as many evaluation exchanges with so many score bins."""
    share = evaluation_share(bins, plan.participants, plan.mu)
    return plan.mu * math.sqrt(times * share)


def participant_flow(plan: Plan) -> d.ParticipantFlow:
    """How many came and stayed."""
    return d.ParticipantFlow(
        status="not_released",
        cost_mu=_counts(plan, 2),
        note=(
            "How many children came and stayed is known to each clinic alone. The cost is that of "
            f"one noised sum of such counts. {LOCAL}"
        ),
    )


def performance(plan: Plan) -> d.Performance:
    """Right and wrong calls of a study without evaluation."""
    return d.Performance(
        status="not_released",
        cost_mu=_counts(plan, 2),
        note=(
            "The study asked for no evaluation. A study with evaluation_bins = 2 or more releases "
            f"noised counts of right and wrong calls for this cost, within its epsilon. {LOCAL}"
        ),
    )


def roc(plan: Plan) -> d.Roc:
    """The curve needs more than two score bins."""
    return d.Roc(
        status="not_released",
        cost_mu=_counts(plan, 4),
        note=f"The curve needs counts in at least 4 score bins (evaluation_bins). {LOCAL}",
    )


def calibration(plan: Plan) -> d.Calibration:
    """Shares by score bin need more than two."""
    return d.Calibration(
        status="not_released",
        cost_mu=_counts(plan, 4),
        note=f"Calibration needs counts in at least 4 score bins (evaluation_bins). {LOCAL}",
    )


def decision_curve(plan: Plan) -> d.DecisionCurve:
    """Net benefit at many thresholds."""
    return d.DecisionCurve(
        status="not_released",
        cost_mu=_counts(plan, 8),
        note=(
            "Net benefit at other thresholds than the released one needs counts at each of them; "
            f"the cost is that of 8 score bins, and the noise would still blur it. {LOCAL}"
        ),
    )


def protocols(plan: Plan) -> d.Protocols:
    """Every further training is paid for."""
    return d.Protocols(
        status="not_released",
        cost_mu=plan.mu * math.sqrt(_FOLDS - 1),
        note=(
            f"Cross-validation in {_FOLDS} folds is {_FOLDS} trainings. Each participant is in "
            f"{_FOLDS - 1} of them, and that is the cost. Leaving out each of {plan.clinics} "
            f"clinics would cost {plan.mu * math.sqrt(plan.clinics - 1):.2f}. {LOCAL}"
        ),
    )


def combinations(plan: Plan) -> d.Combinations:
    """One direction serves all combinations, their thresholds and counts do not."""
    share = evaluation_share(2, plan.participants, plan.mu)
    threshold = (plan.sigma_threshold * plan.mu) ** -2 if plan.sigma_threshold else 0.0
    return d.Combinations(
        status="not_released",
        cost_mu=plan.mu * math.sqrt(_OTHER_COMBINATIONS * (share + threshold)),
        note=(
            "The combination of attribute groups was fixed in advance. The cost is that of a "
            f"threshold and of noised counts for each of the other {_OTHER_COMBINATIONS}; choosing "
            f"among them on these participants would cost more. {LOCAL}"
        ),
    )


def group_differences(plan: Plan, *, in_first_sum: bool) -> d.GroupDifferences:
    """Means by label are sums over participants too."""
    if in_first_sum:
        return d.GroupDifferences(
            status="not_released",
            note=(
                "The differences follow from the study's first exchange, at no further cost, but "
                "the folder of rounds was not beside the study file: put it there and write the "
                f"report again. {LOCAL}"
            ),
        )
    return d.GroupDifferences(
        status="not_released",
        cost_mu=_counts(plan, 2, times=2),
        note=(
            "The study went on from an earlier one's model, so its first sum is not the difference "
            "of the groups; the report of the first study of the line has them. Here they would "
            "need a noised sum of every child's vector by label, and another for its spread: this "
            "is their cost at the noise of the evaluation, which few of the differences would "
            f"outlast. {LOCAL}"
        ),
    )


def example() -> d.Example:
    """Nobody's recording leaves."""
    return d.Example(
        status="not_released",
        note=(
            "What one child's score came from, moment by moment, cannot be made private and stays "
            "at the clinic: fedaffect-client predict there."
        ),
    )


def uncertainty(plan: Plan) -> d.Uncertainty:
    """A zone must be chosen on other children than it is judged on."""
    return d.Uncertainty(
        status="not_released",
        cost_mu=_counts(plan, 4),
        note=(
            "A zone without a call, and prediction sets, have to be chosen on other children than "
            f"they are judged on: one more exchange of counts. {LOCAL}"
        ),
    )


def fairness(plan: Plan) -> d.Fairness:
    """Counts by subgroup."""
    return d.Fairness(
        status="not_released",
        cost_mu=_counts(plan, 2, times=_ATTRIBUTES),
        note=(
            "The cost is that of noised counts of right and wrong calls by age band, by sex and by "
            "device. By clinic they could not be masked by the other clinics, and are never "
            f"released. {LOCAL}"
        ),
    )


def baselines(plan: Plan) -> d.Baselines:
    """Other trainings on the same rows."""
    return d.Baselines(
        status="not_released",
        cost_mu=plan.mu,
        note=(
            "Every further training on these rows has to be paid for; this is the cost of one with "
            "the same promise. Exact ones have no finite cost. What privacy is expected to cost "
            "stands under sample size."
        ),
    )
