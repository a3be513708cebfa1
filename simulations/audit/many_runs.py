"""Audit of the mechanism's arithmetic over hundreds of thousands of trainings.

Clip, grid, noise shares and modular sum are the product's own functions with an axis of runs; the
noise comes from the batched sampler. What stands between them in a deployment (Opacus, the exact
sampler, masks from keys, message bytes) is audited by :mod:`simulations.audit.whole_path`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from shared.channels import ATTRIBUTE_GROUPS
from shared.privacy.constants import DEFAULT_CONSTANTS, load_constants
from shared.privacy.planner import Plan, make_plan
from shared.privacy.unit_vectors import AffectMap
from simulations.audit.bounds import lower_bounds
from simulations.audit.canary import log_likelihood_ratios
from simulations.audit.finding import Finding
from simulations.audit.mechanism import PRODUCT, Mechanism

__all__ = ["AUDITED_STUDY", "AuditedStudy", "audit_arithmetic", "audited_plan", "rounds_to_audit"]


class AuditedStudy(NamedTuple):
    """Public numbers of the study whose plan is audited.

    Attributes
    ----------
    participants, clinics, collusion_margin : int
        Declared enrolment, roster size, clinics that may side with the server.
    """

    participants: int
    clinics: int
    collusion_margin: int

    @property
    def top_eigenvalue(self) -> float:
        """Of the packaged public constants, all four attribute groups."""
        return AffectMap(load_constants(DEFAULT_CONSTANTS), ATTRIBUTE_GROUPS).top_eigenvalue


AUDITED_STUDY: Final = AuditedStudy(participants=88, clinics=4, collusion_margin=1)
"""The poster's cohort in four clinics."""


def audited_plan(
    epsilon: float,
    delta: float,
    *,
    rounds: int | None = None,
    evaluation_bins: int = 0,
    make: Callable[..., Plan] = make_plan,
) -> Plan:
    """Plan of the audited study; parameters as in :func:`audit_arithmetic`."""
    return make(
        epsilon=epsilon,
        delta=delta,
        participants=AUDITED_STUDY.participants,
        clinics=AUDITED_STUDY.clinics,
        collusion_margin=AUDITED_STUDY.collusion_margin,
        top_eigenvalue=AUDITED_STUDY.top_eigenvalue,
        with_threshold=True,
        rounds=rounds,
        evaluation_bins=evaluation_bins,
    )


def rounds_to_audit(epsilon: float, delta: float) -> list[int]:
    """One round, four, and as many as the plan's rule gives the audited study."""
    return sorted({1, 4, audited_plan(epsilon, delta).rounds})


def audit_arithmetic(
    epsilon: float,
    delta: float,
    *,
    runs: int,
    seed: int,
    rounds: int | None = None,
    evaluation_bins: int = 0,
    colluders: int | None = None,
    mechanism: Mechanism = PRODUCT,
) -> Finding:
    """Look for one participant in many trainings.

    Parameters
    ----------
    epsilon, delta : float
        The promise.
    runs : int
        Trainings with the canary, and as many without.
    seed : int
        Of canaries, bystanders, noise and masks.
    rounds : int, optional
        Gradient sums; as many as the plan's rule gives when not set.
    evaluation_bins : int
        Score bins of the counts by label and score that the study also releases; 0 for none.
    colluders : int, optional
        Clinics whose noise the coalition knows; the study's collusion margin when not set.
    mechanism : Mechanism
        What is audited.

    Raises
    ------
    InputError
        When there are too few runs for a bound.
    """
    plan = audited_plan(
        epsilon,
        delta,
        rounds=rounds,
        evaluation_bins=evaluation_bins,
        make=mechanism.plan,
    )
    known = AUDITED_STUDY.collusion_margin if colluders is None else colluders
    # Other promises and rounds get other numbers, so that findings of one seed are independent.
    rng = np.random.default_rng([seed, plan.rounds, round(epsilon * 2**20)])
    present, absent = (
        log_likelihood_ratios(mechanism, plan, runs, present=there, colluders=known, rng=rng)
        for there in (True, False)
    )
    return Finding(
        path="arithmetic",
        epsilon_claim=epsilon,
        delta=delta,
        rounds=plan.rounds,
        sums=len(mechanism.releases(plan)),
        runs=runs,
        bounds=lower_bounds(present, absent, delta),
    )
