"""A plan as a person reads it: what will be asked, what it promises, what it costs in accuracy.

Kept apart from the planner because a plan is numbers every party must agree on to the last bit,
and wording is not.
"""

from shared.privacy.accountant import attack_success, epsilon_of, mu_of
from shared.privacy.evaluation_precision import expected_precision, opened_sd
from shared.privacy.expected_loss import expected_loss
from shared.privacy.planner import Plan

__all__ = ["plan_in_words"]


def plan_in_words(plan: Plan) -> str:
    """Several sentences, one a line, without figures about anybody's data."""
    whole = mu_of(plan.epsilon, plan.delta)
    caught = 100 * attack_success(whole)
    together = "Together" if plan.mu > whole * (1 - 1e-9) else "With the studies it continues"
    lines = [
        f"{_releases(plan)} over {plan.clinics} clinics, {plan.participants} participants "
        f"declared; safe even if {plan.collusion_margin} of the clinics side"
        f"{'s' if plan.collusion_margin == 1 else ''} with the server.",
        f"{together} ({plan.epsilon:g}, {plan.delta:g})-differentially private for each "
        f"participant: mu {whole:.3f}; this study's own releases recomputed from their noise: mu "
        f"{plan.spent_mu():.3f}, epsilon {epsilon_of(plan.spent_mu(), plan.delta):.3f}.",
        "What that means: someone who knows everything except whether one particular child took "
        f"part, and who may wrongly accuse 5 of 100 outsiders, names a participant at most "
        f"{caught:.0f} times in 100 (without any information: 5).",
    ]
    loss = expected_loss(plan.training_epsilon(), plan.participants)
    if loss is not None:
        lines.append(
            f"What it costs: about {max(loss.f1, 0.0):.2f} of F1 and {max(loss.auc, 0.0):.2f} of "
            f"AUC against pooled training without privacy, measured on {loss.measured_on}."
        )
    if plan.sigma_evaluation is not None:
        lines.append(_evaluation(plan, plan.sigma_evaluation))
    return "\n".join(lines)


def _evaluation(plan: Plan, sigma: float) -> str:
    share = 1 / (sigma * plan.mu) ** 2
    expected = expected_precision(plan.evaluation_bins, plan.participants, opened_sd(sigma, plan))
    exact = expected.rate_without_noise
    told = (
        f"What the evaluation can tell, for {100 * share:.0f} % of mu^2: sensitivity and "
        f"specificity to about ±{expected.rate:.2f} (±{exact:.2f} without noise)"
    )
    if plan.evaluation_bins > 2:
        told += (
            f", and the share with ASD in each of {plan.evaluation_bins} score bins to about "
            f"±{expected.bin_share:.2f}"
        )
    if expected.rate > 2 * exact:
        told += (
            ". The noise is most of that: with this promise and so few participants an evaluation "
            "tells little"
        )
    return told + "."


def _releases(plan: Plan) -> str:
    parts = [f"{plan.rounds} noised gradient sum{'' if plan.rounds == 1 else 's'}"]
    if plan.sigma_threshold is not None:
        parts.append("one for the threshold")
    if plan.evaluation_bins == 2:
        parts.append("one of right and wrong calls")
    elif plan.evaluation_bins:
        parts.append(f"one of counts by label and {plan.evaluation_bins} score bins")
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
