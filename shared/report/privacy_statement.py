"""The privacy claim of a planned study in the terms of NIST SP 800-226 (2025)."""

from shared.privacy.accountant import attack_success, mu_of
from shared.privacy.planner import Plan
from shared.report import document as d

__all__ = ["privacy_of_plan"]


def privacy_of_plan(
    plan: Plan,
    *,
    status: d.Status = "released",
    note: str = "",
    audit: str = "",
    not_covered: tuple[str, ...] = (),
) -> d.Privacy:
    """Statement of everything that a study opens by its plan.

    Parameters
    ----------
    plan : Plan
    status : {"released", "local"}
    note : str
        Which study this is, where the report is not of that study alone.
    audit : str
        What an empirical audit found.
    not_covered : tuple of str
        Beside what no such promise covers.
    """
    whole = mu_of(plan.epsilon, plan.delta)
    return d.Privacy(
        status=status,
        note=note,
        guarantee=(
            f"Everything the study opens together is ({plan.epsilon:g}, {plan.delta:g})-"
            "differentially private for each participant."
        ),
        unit="One participant: all recordings of a child, in all exchanges of the study.",
        adjacency="Add or remove one participant.",
        epsilon=plan.epsilon,
        delta=plan.delta,
        mu=whole,
        spent_mu=plan.spent_mu(),
        attack_true_positive_rate=attack_success(whole),
        mechanism=(
            f"{len(plan.releases)} noised sums over {plan.clinics} clinics: gradients clipped to a "
            "fixed length, clipped scores for the threshold, and counts where the study asks for "
            "them. Discrete Gaussian noise, a share from every clinic, on sums masked so that only "
            "the total opens. Rows are scaled by public constants only."
        ),
        composition=(
            "Gaussian differential privacy; the squared mu of all releases add up exactly, no "
            "bound in between."
        ),
        trust=(
            "Each clinic is trusted with its own participants' data.",
            "The server is trusted with nothing but to pass messages on; it sees noised sums.",
            f"Up to {plan.collusion_margin} of {plan.clinics} clinics may side with the server "
            "without weakening the promise.",
        ),
        not_covered=(
            "That a clinic takes part in the study, and its declared enrolment.",
            "Timing and size of messages beyond what the fixed protocol makes equal.",
            *not_covered,
        ),
        audit=audit,
    )
