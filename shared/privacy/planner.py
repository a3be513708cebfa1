"""From a privacy promise to rounds, step and noise, by public numbers alone.

Every clinic derives the same plan from the study, so nobody has to be believed. The rule: a
gradient method started at zero with step 1/L of the logistic loss on the public people, stopped
after a total step that grows as the noise falls; 85 % of the squared budget goes to the direction
and 15 % to the threshold.
"""

import math
from dataclasses import dataclass
from typing import Final

from shared.errors import PrivacyError
from shared.privacy.accountant import attack_success, composed_mu, epsilon_of, mu_of

__all__ = ["CLIPPING_NORM", "Plan", "make_plan"]

CLIPPING_NORM: Final = 0.5
"""Bound on one participant's gradient. Rows have norm <= 1, so every gradient at zero is at most
this long; a smaller bound only loses signal, a larger one only adds noise."""

_ROUNDS_RANGE = (4, 64)
_LARGEST_TOTAL_STEP = 512.0
_THRESHOLD_SHARE = 0.15
_SMALLEST_EPSILON_WITH_THRESHOLD = 0.5


@dataclass(frozen=True)
class Plan:
    """Rounds, steps and noise of one study; a pure function of public numbers.

    Attributes
    ----------
    epsilon, delta, mu : float
        The promise, and the same promise as a Gaussian-DP parameter.
    rounds : int
        Gradient sums opened.
    step : float
        Step size of each, on the mean loss over ``participants``.
    sigma_gradient : float
        Noise multiplier of each gradient sum (sensitivity 1).
    sigma_threshold : float or None
        Noise multiplier of the threshold sum; None when no threshold is released.
    participants, clinics, collusion_margin : int
        The declared enrolment, the roster size and the clinics that may collude.
    """

    epsilon: float
    delta: float
    mu: float
    rounds: int
    step: float
    sigma_gradient: float
    sigma_threshold: float | None
    participants: int
    clinics: int
    collusion_margin: int

    @property
    def exchanges(self) -> int:
        """Noised sums opened in the whole study."""
        return self.rounds + (self.sigma_threshold is not None)

    def spent_mu(self) -> float:
        """Mu of all releases together, recomputed from the noise they carry."""
        sigmas = [self.sigma_gradient] * self.rounds
        if self.sigma_threshold is not None:
            sigmas.append(self.sigma_threshold)
        return composed_mu(sigmas)

    def in_words(self) -> str:
        """Return the plan as a person reads it."""
        success = attack_success(self.mu)
        threshold = (
            "one sum for the threshold" if self.sigma_threshold is not None else "no threshold sum"
        )
        return (
            f"{self.rounds} noised gradient sums and {threshold} over {self.clinics} clinics "
            f"({self.participants} participants declared), safe against {self.collusion_margin} "
            f"of them siding with the server. Together they are ({self.epsilon:g}, "
            f"{self.delta:g})-differentially private for each participant (mu {self.mu:.3f}, "
            f"epsilon recomputed {epsilon_of(self.spent_mu(), self.delta):.3f}): someone who knows "
            "everything but whether this child took part, and may accuse 5 of 100 outsiders "
            f"wrongly, names a real participant at most {100 * success:.0f} times in 100."
        )


def make_plan(
    *,
    epsilon: float,
    delta: float,
    participants: int,
    clinics: int,
    collusion_margin: int,
    top_eigenvalue: float,
    with_threshold: bool,
) -> Plan:
    """Plan a private training.

    Parameters
    ----------
    epsilon, delta : float
        Promise for the whole training, add or remove one participant.
    participants : int
        Declared enrolment, a public constant rather than a count of the data.
    clinics : int
        Roster size, at least 2.
    collusion_margin : int
        Clinics that may side with the server without weakening the promise.
    top_eigenvalue : float
        Largest eigenvalue of the mean outer product of the public people's training rows, in
        (0, 1]; 1 where only ranges are public.
    with_threshold : bool
        Whether the feature map asks for a threshold release. At epsilon <= 0.5 none is made:
        its noise would cost more than the threshold gains.

    Raises
    ------
    PrivacyError
        When the promise or the roster cannot be planned for.
    """
    if participants < 1:
        raise PrivacyError(f"{participants} participants declared; at least 1 is needed")
    if clinics < 2 or not 0 <= collusion_margin < clinics:
        raise PrivacyError(
            f"{clinics} clinics with {collusion_margin} of them colluding cannot share noise; "
            "a joint training needs at least 2 clinics, and fewer colluders than clinics"
        )
    if not 0 < top_eigenvalue <= 1 + 1e-9:
        raise PrivacyError(
            f"top eigenvalue {top_eigenvalue} of the public constants is not in (0, 1]; "
            "rebuild the constants"
        )
    if delta >= 1 / participants:
        raise PrivacyError(
            f"delta {delta:g} asked for {participants} participants; it must stay well under "
            f"1/{participants} = {1 / participants:.2g}, or the promise is empty"
        )
    mu = mu_of(epsilon, delta)
    threshold = with_threshold and epsilon > _SMALLEST_EPSILON_WITH_THRESHOLD
    direction_share = 1 - _THRESHOLD_SHARE if threshold else 1.0

    largest_step = 4 / top_eigenvalue
    total_step = min(participants * mu, _LARGEST_TOTAL_STEP)
    low, high = _ROUNDS_RANGE
    rounds = min(max(math.ceil(total_step / largest_step), low), high)
    return Plan(
        epsilon=epsilon,
        delta=delta,
        mu=mu,
        rounds=rounds,
        step=min(largest_step, total_step / rounds),
        sigma_gradient=math.sqrt(rounds / direction_share) / mu,
        sigma_threshold=1 / (mu * math.sqrt(_THRESHOLD_SHARE)) if threshold else None,
        participants=participants,
        clinics=clinics,
        collusion_margin=collusion_margin,
    )
