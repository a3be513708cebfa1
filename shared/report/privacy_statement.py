"""The privacy claim of a planned study in the terms of NIST SP 800-226 (2025)."""

import math
from typing import Final

from shared.privacy.accountant import attack_success, epsilon_of, mu_of
from shared.privacy.grid import GRID
from shared.privacy.planner import Plan
from shared.privacy.secure_sum import share_variance
from shared.report import document as d
from shared.study import Mode

__all__ = ["privacy_statement"]

_DIGITS: Final = 4


def privacy_statement(
    plan: Plan,
    *,
    mode: Mode = "secure-sum",
    earlier_mu2: float = 0.0,
    status: d.Status = "released",
    note: str = "",
    of_what: str = "",
    audit: str = "",
    facts: tuple[d.Fact, ...] = (),
) -> d.Privacy:
    """What a study promises by its plan, and what no such promise covers.

    Parameters
    ----------
    plan : Plan
    mode : {"secure-sum", "local", "none"}
        How the study's noise is made.
    earlier_mu2 : float
        Squared mu that the parents of a successor study spent.
    status : {"released", "local"}
    note, of_what : str
        Which study this is, where the report is not of that study alone; ``of_what`` begins the
        guarantee.
    audit : str
    facts : tuple of Fact
    """
    whole = mu_of(plan.epsilon, plan.delta)
    margin, private = plan.collusion_margin, mode != "none"
    return d.Privacy(
        status=status,
        note=note,
        guarantee=(
            f"{of_what}({plan.epsilon:g}, {plan.delta:g})-differential privacy for each "
            f"participant, or mu {whole:.3f} Gaussian DP, against the server and {margin} clinic"
            f"{'' if margin == 1 else 's'} siding with it."
            if private
            else "None: the study ran in mode none, without noise."
        ),
        unit="One participant with all recordings and the label, over all releases of the study.",
        adjacency="Add or remove one participant.",
        epsilon=plan.epsilon if private else None,
        delta=plan.delta if private else None,
        mu=round(whole, 6) if private else None,
        spent_mu=round(math.sqrt(earlier_mu2 + plan.spent_mu() ** 2), 6) if private else None,
        attack_true_positive_rate=round(attack_success(whole), _DIGITS) if private else None,
        mechanism=(
            "Full-batch sums, sensitivity 1 in exact integers (L2); "
            f"{_noise(plan, mode)}. Sampler after Canonne, Kamath and Steinke 2020."
        ),
        composition=(
            "Gaussian DP, exact: squared mu adds up over all releases (Dong, Roth and Su 2022). Of "
            f"this study's releases: mu {plan.spent_mu():.3f}, epsilon "
            f"{epsilon_of(plan.spent_mu(), plan.delta):.3f} at delta {plan.delta:g}."
        ),
        trust=(
            "A participant's own clinic is trusted with that participant.",
            f"The server is not trusted, nor are up to {margin} of the {plan.clinics} clinics.",
            "The fingerprints of the clinics' mask keys were to be confirmed between clinics.",
        ),
        not_covered=(
            "The clinic's own staff and machine; timing and the number of aborted exchanges.",
            f"More than {margin} colluding or invented clinics; a clinic that sends false numbers.",
            "A child enrolled twice; relatives.",
            "What a model says about everybody with such features.",
        ),
        audit=audit,
        facts=facts,
    )


def _noise(plan: Plan, mode: Mode) -> str:
    if mode == "none":
        return "no noise was added: a simulation without privacy"
    shared_by = (plan.clinics, plan.collusion_margin) if mode == "secure-sum" else (1, 0)
    sd = math.sqrt(share_variance(plan.sigma_gradient, GRID, *shared_by)) / GRID
    if mode == "local":
        return f"each clinic adds the whole noise, {sd:.3f} in a gradient sum; nothing is masked"
    return (
        f"each clinic adds discrete Gaussian noise, standard deviation {sd:.3f} in a gradient sum, "
        "and masks it; the masks cancel in the sum of the whole roster and in nothing less"
    )
